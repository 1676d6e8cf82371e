/*
 * tests/backup/job/start-job.c -- what a worker does to start a job, for the end-to-end tests, which have no worker: prints
 * the job's id, or the id of the job that is in the way and exits with 3, and ends at once.
 *
 * usage: start-job STATE_FOLDER PROGRAM KIND [PARAMETERS [schedule:NAME SLOT]]
 */
#include "config.h"

#include "backup/job/start.h"

#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	const HfJobProgram program = {.program = argc > 2 ? argv[2] : NULL};
	bool has_slot = argc > 6 && g_str_has_prefix(argv[5], "schedule:");
	const HfJobRequest request = {.kind = argc > 3 ? argv[3] : "",
				      .parameters = argc > 4 ? argv[4] : NULL,
				      .requested_by = has_slot ? argv[5] : "api:test",
				      .mark = has_slot ? argv[5] + strlen("schedule:") : NULL,
				      .slot_s = has_slot ? g_ascii_strtoll(argv[6], NULL, 10) : 0};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfState) state = argc > 3 ? hf_state_open(argv[1], &error) : NULL;
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;

	if (state && hf_job_start(state, &request, &program, &id, &running, &error)) {
		printf("%s\n", id);
		return 0;
	}
	fprintf(stderr, "%s\n",
		error ? error->message : "usage: start-job STATE_FOLDER PROGRAM KIND [PARAMETERS]");
	if (running)
		printf("%s\n", running);
	return running ? 3 : 1;
}
