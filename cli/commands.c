#include "config.h"

#include "cli/commands.h"
#include "common/error.h"
#include "common/log.h"
#include "common/spelling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In the order of the help. */
static const HfCommand *const commands[] = {
	&hf_command_backup_database,
	&hf_command_backup_images,
	&hf_command_backup_full,
	&hf_command_list,
	&hf_command_show,
	&hf_command_restore_database,
	&hf_command_restore_images,
	&hf_command_cat,
	&hf_command_diff,
	&hf_command_verify,
	&hf_command_drill,
	&hf_command_chain,
	&hf_command_accept,
	&hf_command_delete,
	&hf_command_prune,
	&hf_command_replicate,
	&hf_command_jobs,
	&hf_command_audit,
	&hf_command_hold,
	&hf_command_release,
	&hf_command_schedule,
	&hf_command_notify,
	&hf_command_metrics,
	&hf_command_config,
	&hf_command_doctor,
	&hf_command_keygen,
	&hf_command_token,
};

/* What this program, the service and the timer start; nothing for people. */
static const HfCommand *const hidden[] = {
	&hf_command_run_job,
	&hf_command_refresh,
};

const HfCommand *const *
hf_commands(size_t *count_out)
{
	if (count_out)
		*count_out = G_N_ELEMENTS(commands);
	return commands;
}

/* How many of words the command's name takes; 0 where it is another command. */
static size_t
matching_words(const HfCommand *command, char **words)
{
	g_auto(GStrv) name = g_strsplit(command->name, " ", -1);
	size_t count = g_strv_length(name);

	for (size_t i = 0; i < count; i++)
		if (g_strcmp0(words[i], name[i]) != 0)
			return 0;
	return count;
}

static bool
unknown_command(char **words, GError **error)
{
	size_t length = strlen(words[0]);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_auto(GStrv) name = g_strsplit(commands[i]->name, " ", -1);

		if (name[1] && strncmp(commands[i]->name, words[0], length) == 0 && !name[0][length])
			return hf_error_set(error, HF_ERROR_USAGE,
					    "\"holdfast %s\" is not complete: \"holdfast %s\"?", words[0],
					    commands[i]->name);
		if (hf_spelling_distance(words[0], name[0], 2) <= 2)
			return hf_error_set(error, HF_ERROR_USAGE,
					    "unknown command \"%s\": did you mean \"holdfast %s\"?", words[0],
					    commands[i]->name);
	}
	return hf_error_set(error, HF_ERROR_USAGE, "unknown command \"%s\": see \"holdfast help\"", words[0]);
}

const HfCommand *
hf_command_find(char **words, size_t *used_out, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		*used_out = matching_words(commands[i], words);
		if (*used_out > 0)
			return commands[i];
	}
	for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++) {
		*used_out = matching_words(hidden[i], words);
		if (*used_out > 0)
			return hidden[i];
	}
	unknown_command(words, error);
	return NULL;
}

void
hf_cli_say(const HfCli *cli, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	hf_log_copy(text);
	if (!cli->wants_json && !cli->is_quiet)
		(void)fputs(text, stdout);
}

void
hf_cli_complete_reply(const HfCli *cli, const GError *error)
{
	hf_json_add_flag(cli->reply, "success",
			 !error && (cli->exit == HF_EXIT_GOOD || cli->exit == HF_EXIT_SUSPECT));
	if (error) {
		g_autofree char *message = hf_log_one_line(error->message);

		hf_json_add_text(cli->reply, "error", message);
		hf_json_add_text(cli->reply, "code", hf_error_word(error));
	}
}

HfExit
hf_cli_exit_of(const GError *error)
{
	return hf_error_is(error, HF_ERROR_USAGE) ? HF_EXIT_USAGE : HF_EXIT_FAILED;
}

void
hf_cli_tell_duration(const HfCli *cli, double seconds)
{
	g_autofree char *text = g_strdup_printf("%.3f", seconds);

	hf_json_add(cli->reply, "duration", json_object_new_double_s(seconds, text));
}

bool
hf_cli_flush(GError **error)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return hf_error_errno(error, "write to standard output");
	return true;
}
