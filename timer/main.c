#include "config.h"

#include "common/error.h"
#include "common/log.h"
#include "timer/daemon.h"

#include <glib.h>
#include <signal.h>
#include <stdio.h>

static struct {
	char *env_file;
	gboolean is_verbose, is_quiet, wants_version;
} given;

static const GOptionEntry options[] = {
	{"env-file", 0, 0, G_OPTION_ARG_FILENAME, &given.env_file,
	 "settings; else ./.env, else /etc/holdfast/holdfast.env", "FILE"},
	{"quiet", 'q', 0, G_OPTION_ARG_NONE, &given.is_quiet, "warnings alone", NULL},
	{"verbose", 'v', 0, G_OPTION_ARG_NONE, &given.is_verbose, "more words", NULL},
	{"version", 0, 0, G_OPTION_ARG_NONE, &given.wants_version, "print the version", NULL},
	{0}};

static bool
parse(int *argc, char ***argv, GError **error)
{
	GOptionContext *context = g_option_context_new(NULL);
	g_autoptr(GError) trouble = NULL;

	g_option_context_set_summary(
		context,
		"Starts the scheduled backups: at the times that the settings say it asks the pool of\n"
		"holdfast-fcgi for a run.  \"holdfast schedule\" shows when.\n\n"
		"HUP re-reads the env file, TERM and INT end it.");
	g_option_context_add_main_entries(context, options, NULL);
	g_option_context_parse(context, argc, argv, &trouble);
	g_option_context_free(context);
	if (trouble)
		return hf_error_set(error, HF_ERROR_USAGE, "%s: see holdfast-timer --help", trouble->message);
	return *argc == 1 ||
	       hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is one argument too many", (*argv)[1]);
}

int
main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	int status = 0;

	hf_log_install(HF_LOG_NORMAL);
	signal(SIGPIPE, SIG_IGN);
	if (parse(&argc, &argv, &error) && !given.wants_version) {
		hf_log_install(given.is_quiet     ? HF_LOG_QUIET
			       : given.is_verbose ? HF_LOG_VERBOSE
						  : HF_LOG_NORMAL);
		(void)!hf_daemon_run(given.env_file, &error);
	}
	if (error) {
		g_autofree char *message = hf_log_one_line(error->message);

		fprintf(stderr, "holdfast-timer: %s\n", message);
		status = hf_error_is(error, HF_ERROR_USAGE) ? 2 : 1;
	} else if (given.wants_version) {
		printf("holdfast-timer %s\n", PACKAGE_VERSION);
	}
	g_free(given.env_file);
	return status;
}
