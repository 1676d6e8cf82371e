#include "config.h"

#include "backup/job/lease-process.h"
#include "backup/job/job-file.h"
#include "backup/job/record.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* A job that finds its file gone makes another, and holds that a moment later. */
#define MOMENT_US 20000

char *
hf_lease_machine(void)
{
	g_autofree char *boot = NULL;
	g_autofree char *numbers = g_file_read_link("/proc/self/ns/pid", NULL);

	if (!numbers || !g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		return g_strdup("");
	return g_strdup_printf("%s %s", g_strchomp(boot), numbers);
}

/* Killed, and not waited for yet by whoever started it: the third field of proc(5)'s stat, behind the name in brackets. */
static bool
is_zombie(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%ld/stat", (long)pid);
	g_autofree char *text = NULL;
	const char *behind;

	if (!g_file_get_contents(path, &text, NULL, NULL) || !(behind = strrchr(text, ')')))
		return false;
	return g_str_has_prefix(behind, ") Z") || g_str_has_prefix(behind, ") X");
}

/* A name alone proves nothing: two machines made from one image have the same. */
bool
hf_lease_process_is_gone(const HfLeaseEntry *entry, const char *host, const char *machine)
{
	pid_t pid = (pid_t)entry->pid;

	if (!*machine || strcmp(entry->machine, machine) != 0 || strcmp(entry->host, host) != 0 ||
	    entry->pid <= 0 || entry->ticks == 0 || (int64_t)pid != entry->pid)
		return false;
	if (kill(pid, 0) != 0 && errno == ESRCH)
		return true;
	/* Another process may have the number by now; one whose /proc we may not read is left alone. */
	return is_zombie(pid) || (hf_job_pid_ticks(pid) != 0 && hf_job_pid_ticks(pid) != entry->ticks);
}

bool
hf_lease_job_is_gone(const HfLeaseEntry *entry, const char *folder)
{
	/* The id comes from the store: it must not lead out of the folder. */
	bool is_id = *entry->job && strspn(entry->job, "0123456789abcdef_-") == strlen(entry->job);
	g_autofree char *path = is_id && folder ? g_strdup_printf("%s/jobs/%s.log", folder, entry->job)
						: NULL;
	struct stat info;

	if (!path || stat(path, &info) != 0 || hf_job_file_is_held(folder, entry->job))
		return false;
	g_usleep(MOMENT_US);
	return stat(path, &info) == 0 && !hf_job_file_is_held(folder, entry->job);
}
