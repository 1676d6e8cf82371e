#include "config.h"

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/job.h"
#include "cli/progress.h"
#include "common/cancel.h"
#include "common/error.h"
#include "common/host.h"
#include "common/log.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *env_file;
	gboolean wants_json, is_quiet, is_verbose, wants_help, wants_version, wants_man, wants_completion;
} global;

static GOptionEntry global_options[] = {
	{"env-file", 0, 0, G_OPTION_ARG_FILENAME, &global.env_file,
	 "Read settings from FILE instead of ./.env or /etc/holdfast/holdfast.env", "FILE"},
	{"json", 0, 0, G_OPTION_ARG_NONE, &global.wants_json, "Print one JSON document on standard output",
	 NULL},
	{"quiet", 'q', 0, G_OPTION_ARG_NONE, &global.is_quiet, "Say nothing but warnings and errors", NULL},
	{"verbose", 'v', 0, G_OPTION_ARG_NONE, &global.is_verbose, "Say more on standard error", NULL},
	{"help", 'h', 0, G_OPTION_ARG_NONE, &global.wants_help, "Print help, also for one command", NULL},
	{"version", 0, 0, G_OPTION_ARG_NONE, &global.wants_version, "Print the version", NULL},
	{"man", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &global.wants_man, NULL, NULL},
	{"bash-completion", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &global.wants_completion, NULL, NULL},
	{0}};

/* What has to be known even where the options cannot be parsed. */
static bool
asks_for_json(char **words)
{
	for (; *words && strcmp(*words, "--") != 0; words++)
		if (strcmp(*words, "--json") == 0)
			return true;
	return false;
}

/* GLib's message begins with a capital; ours name the help, too. */
static bool
option_error(const GError *cause, const HfCommand *command, GError **error)
{
	g_autofree char *message = g_strdup(cause->message);

	message[0] = g_ascii_tolower(message[0]);
	return hf_error_set(error, HF_ERROR_USAGE, "%s: see \"holdfast help%s%s\"", message,
			    command ? " " : "", command ? command->name : "");
}

/* Parses what belongs to command, or, where that is NULL, what stands before a command. */
static bool
parse_options(const HfCommand *command, char ***words, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) cause = NULL;

	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_set_strict_posix(context, command == NULL);
	g_option_context_add_main_entries(context, global_options, NULL);
	if (command && command->options)
		g_option_context_add_main_entries(context, command->options, NULL);
	return g_option_context_parse_strv(context, words, &cause) || option_error(cause, command, error);
}

/* Takes count words out, behind the program's name; the "--" that closed the options, too. */
static void
drop_words(char **words, size_t count)
{
	size_t length = g_strv_length(words);

	for (size_t i = 1; i <= count; i++)
		g_free(words[i]);
	memmove(words + 1, words + 1 + count, (length - count) * sizeof *words);
	for (size_t i = 1; words[i]; i++) {
		if (strcmp(words[i], "--") == 0) {
			g_free(words[i]);
			memmove(words + i, words + i + 1, (g_strv_length(words + i + 1) + 1) * sizeof *words);
			break;
		}
	}
}

static bool
check_arguments(const HfCommand *command, char **arguments, GError **error)
{
	int given = (int)g_strv_length(arguments);

	if (given < command->arguments_min)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "an argument is missing: holdfast %s %s: see \"holdfast help %s\"",
				    command->name, command->arguments, command->name);
	if (given > command->arguments_max)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "\"%s\" is one argument too many: see \"holdfast help %s\"",
				    arguments[command->arguments_max], command->name);
	return true;
}

static bool
check_globals(const HfCommand *command, GError **error)
{
	if (global.is_quiet && global.is_verbose)
		return hf_error_set(error, HF_ERROR_USAGE, "--quiet and --verbose do not go together");
	if (command->is_raw && global.wants_json)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "\"holdfast %s\" writes the thing itself: leave --json out",
				    command->name);
	return true;
}

static bool
run_command(HfCli *cli, const HfCommand *command, char **arguments, GError **error)
{
	if (!check_arguments(command, arguments, error) || !check_globals(command, error))
		return false;
	hf_log_install(global.is_quiet ? HF_LOG_QUIET : global.is_verbose ? HF_LOG_VERBOSE : HF_LOG_NORMAL);
	hf_cancel_install();
	cli->is_quiet = global.is_quiet;
	hf_progress_bar_set_quiet(global.is_quiet);
	cli->settings = hf_settings_load(global.env_file, error);
	if (cli->settings)
		hf_host_set_name(hf_settings_text(cli->settings, HF_SET_HOLDFAST_HOST_NAME));
	return cli->settings && hf_cli_run(cli, command, arguments, error);
}

static bool
help_about(char **words, GError **error)
{
	const HfCommand *command;
	size_t used;

	if (!*words) {
		hf_help_print(global_options);
		return true;
	}
	command = hf_command_find(words, &used, error);
	if (command)
		hf_help_print_command(command, global_options);
	return command != NULL;
}

/* What needs no settings.  *done_out is false where there is nothing of the kind to do. */
static bool
run_informative(char **words, bool *done_out, GError **error)
{
	*done_out = true;
	if (global.wants_version)
		printf("holdfast %s\n", PACKAGE_VERSION);
	else if (global.wants_man)
		hf_help_print_man(global_options);
	else if (global.wants_completion)
		hf_help_print_completion(global_options);
	else if (words[1] && strcmp(words[1], "help") == 0)
		return help_about(words + 2, error);
	else if (global.wants_help)
		return help_about(words + 1, error);
	else
		*done_out = false;
	return true;
}

static bool
run(HfCli *cli, char ***words, GError **error)
{
	const HfCommand *command;
	size_t used;
	bool done;

	if (!parse_options(NULL, words, error))
		return false;
	if (!run_informative(*words, &done, error))
		return false;
	if (done) {
		cli->wants_json = false;
		return true;
	}
	if (!(*words)[1])
		return hf_error_set(error, HF_ERROR_USAGE, "a command is missing: see \"holdfast help\"");
	command = hf_command_find(*words + 1, &used, error);
	if (!command)
		return false;
	drop_words(*words, used);
	if (!parse_options(command, words, error))
		return false;
	if (global.wants_help) {
		hf_help_print_command(command, global_options);
		cli->wants_json = false;
		return true;
	}
	drop_words(*words, 0);
	return run_command(cli, command, *words + 1, error);
}

/* ---- the end of it ---- */

static void
print_reply(const HfCli *cli, const GError *error)
{
	hf_cli_complete_reply(cli, error);
	printf("%s\n",
	       json_object_to_json_string_ext(
		       cli->reply, (cli->is_streaming ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY) |
					   JSON_C_TO_STRING_NOSLASHESCAPE));
}

static HfExit
conclude(HfCli *cli, const GError *error)
{
	g_autoptr(GError) lost = NULL;

	if (error) {
		g_autofree char *message = hf_log_one_line(error->message);

		fprintf(stderr, "holdfast: %s\n", message);
		cli->exit = hf_cli_exit_of(error);
	}
	if (cli->wants_json)
		print_reply(cli, error);
	if (!hf_cli_flush(&lost) && !error) {
		fprintf(stderr, "holdfast: %s\n", lost->message);
		cli->exit = HF_EXIT_FAILED;
	}
	return cli->exit;
}

int
main(int argc, char **argv)
{
	g_auto(GStrv) words = g_strdupv(argv);
	g_autoptr(GError) error = NULL;
	HfCli cli = {.wants_json = asks_for_json(argv), .reply = json_object_new_object()};
	HfExit status;

	/* Names are UTF-8; numbers and messages stay those of the C locale. */
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	g_assert(argc > 0);
	(void)run(&cli, &words, &error);
	status = conclude(&cli, error);
	hf_settings_free(cli.settings);
	json_object_put(cli.reply);
	g_free(global.env_file);
	return (int)status;
}
