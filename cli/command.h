/*
 * cli/command.h -- the table of commands, and what a command is given.
 *
 * The parser, --help, the man page and shell completion are made from the table alone.  A command does its work through
 * the engine's interfaces and says what came of it twice: in words on stdout, and as members of cli->reply, which is
 * printed instead where --json was given.  Errors are returned; main.c prints them, once.
 */
#pragma once

#include "common/json.h"
#include "common/settings.h"

typedef enum {
	HF_EXIT_GOOD = 0,
	HF_EXIT_FAILED = 1,
	HF_EXIT_USAGE = 2,
	HF_EXIT_SUSPECT = 3, /* done, but suspect or partial */
} HfExit;

typedef struct {
	HfSettings *settings;
	char *env_file; /* NULL: not given */
	bool wants_json;
	bool is_quiet;
	bool is_streaming; /* the command prints JSON lines of its own: the reply is the last of them */
	HfJson *reply;     /* the members of the JSON document; "success" is main.c's */
	HfExit exit;       /* what to exit with where run gave no error */
} HfCli;

typedef struct {
	const char *name;      /* "backup database" */
	const char *arguments; /* "SET [WHAT]", or "" */
	int arguments_min, arguments_max;
	const char *summary;   /* one line, lower case, without a full stop */
	const char *help;      /* paragraphs for people, separated by an empty line */
	GOptionEntry *options; /* NULL or closed by a zero entry */
	bool is_raw;           /* writes bytes of its own to stdout: --json does not go with it */
	bool (*run)(HfCli *cli, char **arguments, GError **error);
} HfCommand;

/* Of the whole table but what is hidden, in the order of the help.  *count_out may be NULL. */
const HfCommand *const *hf_commands(size_t *count_out);

/*
 * The command whose name words begin with; *used_out says how many of them it took.  USAGE with what was probably meant.
 * words may hold less than a name: "backup" alone says what may follow it.
 */
const HfCommand *hf_command_find(char **words, size_t *used_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Prints to stdout, unless --json or --quiet was given. */
void hf_cli_say(const HfCli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Adds "duration", in seconds with three decimals, to the reply. */
void hf_cli_tell_duration(const HfCli *cli, double seconds);

/* Adds what every document has: "success", and "error" with its "code" where there is one. */
void hf_cli_complete_reply(const HfCli *cli, const GError *error);

/* The exit status that an error makes. */
HfExit hf_cli_exit_of(const GError *error);

/* Flushes stdout; what could not be written (a full disk, a closed pipe) is an error. */
bool hf_cli_flush(GError **error) G_GNUC_WARN_UNUSED_RESULT;
