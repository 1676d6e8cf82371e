#include "config.h"

#include "backup/source/postgres.h"
#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"

#include <string.h>

#define VERSIONED_DIR "/usr/lib/postgresql" /* Debian's and Ubuntu's, also of apt.postgresql.org */

/* The version that "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" says, or NULL. */
static char *
ask_version(const char *program, int *major_out)
{
	const char *argv[] = {program, "--version", NULL};
	g_autofree char *output = NULL;
	const char *version;

	if (!hf_child_output(argv, 4096, &output, NULL))
		return NULL;
	version = strstr(output, ") ");
	if (!version || !g_ascii_isdigit(version[2]))
		return NULL;
	version += 2;
	*major_out = (int)g_ascii_strtoll(version, NULL, 10);
	return g_strndup(version, strcspn(version, " \n"));
}

typedef struct {
	char *path, *version;
	int major;
} Candidate;

static void
candidate_clear(Candidate *candidate)
{
	g_free(candidate->path);
	g_free(candidate->version);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Candidate, candidate_clear)

/* Keeps the program at path where it is new enough and of a lower version than what was found before; takes path. */
static void
consider(Candidate *best, char *path, int server_major, int *newest_seen)
{
	g_auto(Candidate) other = {.path = path};

	if (!g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
		return;
	other.version = ask_version(path, &other.major);
	if (!other.version)
		return;
	*newest_seen = MAX(*newest_seen, other.major);
	if (other.major >= server_major && (!best->path || other.major < best->major)) {
		Candidate previous = *best;

		*best = other;
		other = previous;
	}
}

static void
consider_debian(Candidate *best, const char *name, int server_major, int *newest_seen)
{
	g_autoptr(GDir) dir = g_dir_open(VERSIONED_DIR, 0, NULL);
	const char *entry;

	while (dir && (entry = g_dir_read_name(dir))) {
		/* What is too old is still run: the message names what there is. */
		if (g_ascii_isdigit(*entry))
			consider(best, g_build_filename(VERSIONED_DIR, entry, "bin", name, NULL),
				 server_major, newest_seen);
	}
}

char *
hf_pg_program(const char *name, int server_major, const char *bin_dir, char **found_version_out,
	      GError **error)
{
	g_auto(Candidate) best = {0};
	int newest_seen = 0;

	if (bin_dir) {
		consider(&best, g_build_filename(bin_dir, name, NULL), server_major, &newest_seen);
	} else {
		char *in_path;

		consider_debian(&best, name, server_major, &newest_seen);
		in_path = best.path ? NULL : g_find_program_in_path(name);
		if (in_path)
			consider(&best, in_path, server_major, &newest_seen);
	}
	if (best.path) {
		if (found_version_out)
			*found_version_out = g_steal_pointer(&best.version);
		return g_steal_pointer(&best.path);
	}
	/* Whoever was asked to stop while a program told its version has not looked at all of them. */
	if (!hf_cancel_check(error))
		return NULL;
	if (newest_seen > 0)
		hf_error_set(
			error, HF_ERROR_NOT_FOUND,
			"%s %d is older than version %d, which is needed: install postgresql-client-%d%s",
			name, newest_seen, server_major, server_major,
			bin_dir ? ", or set DB_BIN_DIR to where it is" : "");
	else
		hf_error_set(error, HF_ERROR_NOT_FOUND,
			     "%s was not found in \"%s\": install postgresql-client-%d, or set DB_BIN_DIR to "
			     "where it is",
			     name, bin_dir ? bin_dir : VERSIONED_DIR "\" and in \"PATH", server_major);
	return NULL;
}
