#include "config.h"

#include "backup/verify/scratch.h"
#include "backup/restore/database-target.h"
#include "backup/source/postgres-connection.h"
#include "backup/verify/scratch-database.h"
#include "backup/verify/scratch-folder.h"
#include "common/cancel.h"
#include "common/error.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>

#define SUPERUSER "holdfast_scratch"
#define PORT "5432" /* a part of the socket's name, nothing else */
#define SOCKET_NAME "/.s.PGSQL." PORT
/* A server of nothing but template databases answers within a second; a loaded machine is given more. */
#define START_SECONDS 120
#define START_LOOK_MS 25
/*
 * Tables take about what their text does, a row's header for its separators; indexes up to as much again; and a copy of a
 * table is sorted once for each of them.
 */
#define SPACE_FACTOR 2.5
/* Template databases, and the WAL that max_wal_size below allows. */
#define CLUSTER_BYTES ((uint64_t)400 << 20)

struct HfScratch {
	HfScratchFolder *folder;        /* NULL: another's server */
	HfScratchFolder *socket_folder; /* NULL: the socket is in folder */
	char *socket_dir, *data, *bin_dir, *version;
	HfChild *server;
	HfScratchDatabase *database; /* on another's server */
	HfPgTarget *target;
};

uint64_t
hf_scratch_bytes(uint64_t plain_bytes)
{
	return (uint64_t)((double)plain_bytes * SPACE_FACTOR) + CLUSTER_BYTES;
}

/* ---- a cluster of its own ---- */

/* The original's name, unless every cluster has such a database already. */
static const char *
name_for(const HfScratchOptions *options)
{
	static const char *const taken[] = {"postgres", "template0", "template1"};

	for (size_t i = 0; i < G_N_ELEMENTS(taken); i++)
		if (g_strcmp0(options->database, taken[i]) == 0)
			return "restored";
	return options->database ? options->database : "restored";
}

static bool
find_programs(HfScratch *self, const HfScratchOptions *options, GError **error)
{
	g_autoptr(GError) missing = NULL;
	g_autofree char *initdb = hf_pg_program("initdb", options->major, options->bin_dir, &self->version,
						&missing);
	g_autofree char *server = NULL;

	if (initdb) {
		self->bin_dir = g_path_get_dirname(initdb);
		server = g_build_filename(self->bin_dir, "postgres", NULL);
	}
	if (server && g_file_test(server, G_FILE_TEST_IS_EXECUTABLE))
		return true;
	return hf_error_set(
		error, HF_ERROR_NOT_FOUND,
		"no PostgreSQL server program (initdb, postgres) of version %d or newer was found%s%s%s: "
		"install postgresql-%d",
		options->major, options->bin_dir ? " in DB_BIN_DIR \"" : "",
		options->bin_dir ? options->bin_dir : "", options->bin_dir ? "\"" : "", options->major);
}

/*
 * In front of a program of the cluster: in a folder that its user may enter, as that user, and ended at once when we are,
 * since a change of user makes the kernel forget what child.c asked for.
 */
static GPtrArray *
begin_command(const HfScratch *self)
{
	const char *user = hf_scratch_folder_user(self->folder);
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(argv, g_strdup("env"));
	g_ptr_array_add(argv, g_strdup("-C"));
	g_ptr_array_add(argv, g_strdup("/"));
	g_ptr_array_add(argv, g_strdup("setpriv"));
	if (user) {
		g_ptr_array_add(argv, g_strdup_printf("--reuid=%s", user));
		g_ptr_array_add(argv, g_strdup("--regid"));
		g_ptr_array_add(argv, g_strdup_printf("%ld", (long)hf_scratch_folder_gid(self->folder)));
		g_ptr_array_add(argv, g_strdup("--clear-groups"));
	}
	g_ptr_array_add(argv, g_strdup("--pdeathsig=QUIT"));
	g_ptr_array_add(argv, g_strdup("--"));
	return argv;
}

static HfChild *
start(GPtrArray *argv, GError **error)
{
	static const char *const env[] = {"LC_ALL=C", "LANGUAGE=C", NULL};
	HfChildOptions options = {.env = env};

	g_ptr_array_add(argv, NULL);
	options.argv = (const char *const *)argv->pdata;
	return hf_child_spawn(&options, error);
}

static char *
last_line(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	const char *line;

	g_strchomp(valid);
	line = strrchr(valid, '\n');
	return g_strdup(line ? line + 1 : valid);
}

/* In words of the program's own, which says on its last line why. */
static bool
explain(const char *program, HfChild *child, GError *failure, GError **error)
{
	g_autofree char *line = NULL;

	if (hf_error_is(failure, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, failure);
		return false;
	}
	line = last_line(hf_child_stderr(child));
	hf_error_set(error, HF_ERROR_FAILED, "scratch cluster: %s: %s%s", program,
		     *line ? line : failure->message,
		     strstr(hf_child_stderr(child), "No space left")
			     ? ": free some space, or set SCRATCH_DIR to a folder with more"
			     : "");
	g_error_free(failure);
	return false;
}

static bool
make_cluster(HfScratch *self, GError **error)
{
	g_autoptr(GPtrArray) argv = begin_command(self);
	g_autoptr(HfChild) child = NULL;
	GError *failure = NULL;

	g_ptr_array_add(argv, g_build_filename(self->bin_dir, "initdb", NULL));
	g_ptr_array_add(argv, g_strdup_printf("--pgdata=%s", self->data));
	g_ptr_array_add(argv, g_strdup("--username=" SUPERUSER));
	/* Who can enter the folder of the socket is root, or the server's own user. */
	g_ptr_array_add(argv, g_strdup("--auth=trust"));
	g_ptr_array_add(argv, g_strdup("--encoding=UTF8"));
	g_ptr_array_add(argv, g_strdup("--locale=C"));
	g_ptr_array_add(argv, g_strdup("--no-sync"));
	g_ptr_array_add(argv, g_strdup("--no-instructions"));
	child = start(argv, error);
	if (!child)
		return false;
	return hf_child_wait(child, &failure) || explain("initdb", child, failure, error);
}

/* Nothing of it has to survive anything. */
static const char *const server_settings[] = {
	"listen_addresses=",
	"unix_socket_permissions=0700",
	"fsync=off",
	"full_page_writes=off",
	"synchronous_commit=off",
	"wal_level=minimal",
	"max_wal_senders=0",
	"archive_mode=off",
	"autovacuum=off",
	"max_connections=20",
	"shared_buffers=256MB",
	"maintenance_work_mem=256MB",
	"min_wal_size=32MB",
	"max_wal_size=256MB",
	"checkpoint_timeout=1h",
	/* pg_dump locks every table, and a dump of ten thousand tables is one transaction. */
	"max_locks_per_transaction=1024",
	"logging_collector=off",
	"log_destination=stderr",
	"log_min_messages=fatal",
	"log_min_error_statement=panic",
};

static bool
start_server(HfScratch *self, GError **error)
{
	g_autoptr(GPtrArray) argv = begin_command(self);

	g_ptr_array_add(argv, g_build_filename(self->bin_dir, "postgres", NULL));
	g_ptr_array_add(argv, g_strdup("-D"));
	g_ptr_array_add(argv, g_strdup(self->data));
	g_ptr_array_add(argv, g_strdup("-p"));
	g_ptr_array_add(argv, g_strdup(PORT));
	g_ptr_array_add(argv, g_strdup("-k"));
	g_ptr_array_add(argv, g_strdup(self->socket_dir));
	for (size_t i = 0; i < G_N_ELEMENTS(server_settings); i++) {
		g_ptr_array_add(argv, g_strdup("-c"));
		g_ptr_array_add(argv, g_strdup(server_settings[i]));
	}
	self->server = start(argv, error);
	return self->server != NULL;
}

static bool
has_answered(const HfScratch *self)
{
	const char *const keywords[] = {"host", "port", "user", "dbname", NULL};
	const char *const values[] = {self->socket_dir, PORT, SUPERUSER, "template1", NULL};

	return PQpingParams(keywords, values, 0) == PQPING_OK;
}

static bool
wait_for_server(HfScratch *self, GError **error)
{
	struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};

	for (int ms = 0; ms < START_SECONDS * 1000; ms += START_LOOK_MS) {
		GError *failure = NULL;

		if (has_answered(self))
			return true;
		if (hf_child_has_ended(self->server) && !hf_child_wait(self->server, &failure))
			return explain("postgres", self->server, failure, error);
		(void)poll(&stop, 1, START_LOOK_MS);
		if (!hf_cancel_check(error))
			return false;
	}
	return hf_error_set(error, HF_ERROR_FAILED,
			    "scratch cluster: the server did not answer within %d seconds", START_SECONDS);
}

/* A socket's path has to fit into sun_path; where the folder's is too long, /tmp has one that fits. */
static bool
make_socket_dir(HfScratch *self, const HfScratchOptions *options, GError **error)
{
	HfScratchFolder *folder = self->folder;
	const size_t longest = sizeof((struct sockaddr_un *)0)->sun_path - 1;

	if (strlen(hf_scratch_folder_path(folder)) + strlen("/s" SOCKET_NAME) > longest) {
		self->socket_folder = hf_scratch_folder_new("/tmp", options->user, error);
		folder = self->socket_folder;
	}
	self->socket_dir = folder ? hf_scratch_folder_make(folder, "s", error) : NULL;
	return self->socket_dir != NULL;
}

static bool
open_own(HfScratch *self, const HfScratchOptions *options, GError **error)
{
	const HfPgParts parts = {
		.host = self->socket_dir, .port = PORT, .user = SUPERUSER, .database = name_for(options)};

	self->target = hf_pg_target_new(&parts, error);
	return self->target && make_cluster(self, error) && start_server(self, error) &&
	       wait_for_server(self, error);
}

static bool
make_own(HfScratch *self, const HfScratchOptions *options, GError **error)
{
	if (!find_programs(self, options, error) ||
	    !hf_scratch_folder_check_space(options->folder, hf_scratch_bytes(options->plain_bytes),
					   "restoring the database", error))
		return false;
	self->folder = hf_scratch_folder_new(options->folder, options->user, error);
	if (!self->folder)
		return false;
	self->data = hf_scratch_folder_make(self->folder, "data", error);
	return self->data && make_socket_dir(self, options, error) && open_own(self, options, error);
}

/* ---- either ---- */

static bool
use_server(HfScratch *self, const HfScratchOptions *options, GError **error)
{
	self->database = hf_scratch_database_new(options->server, options->major, error);
	if (!self->database)
		return false;
	self->target = hf_pg_target_with_database(options->server, hf_scratch_database_name(self->database));
	self->version = g_strdup(hf_scratch_database_version(self->database));
	return true;
}

HfScratch *
hf_scratch_new(const HfScratchOptions *options, GError **error)
{
	g_autoptr(HfScratch) self = g_new0(HfScratch, 1);
	bool is_made = options->server ? use_server(self, options, error) : make_own(self, options, error);

	return is_made ? g_steal_pointer(&self) : NULL;
}

const HfPgTarget *
hf_scratch_target(const HfScratch *scratch)
{
	return scratch->target;
}

bool
hf_scratch_is_own(const HfScratch *scratch)
{
	return scratch->folder != NULL;
}

const char *
hf_scratch_version(const HfScratch *scratch)
{
	return scratch->version;
}

int
hf_scratch_major(const HfScratch *scratch)
{
	return (int)g_ascii_strtoll(scratch->version, NULL, 10);
}

const char *
hf_scratch_bin_dir(const HfScratch *scratch)
{
	return scratch->bin_dir;
}

const char *
hf_scratch_socket_dir(const HfScratch *scratch)
{
	return scratch->socket_dir;
}

const char *
hf_scratch_superuser(void)
{
	return SUPERUSER;
}

char *
hf_scratch_make_folder(const HfScratch *scratch, const char *name, GError **error)
{
	return hf_scratch_folder_make(scratch->folder, name, error);
}

void
hf_scratch_free(HfScratch *scratch)
{
	if (!scratch)
		return;
	/* "Immediate": what it would write before it ends is thrown away. */
	if (scratch->server)
		hf_child_end(scratch->server, SIGQUIT);
	hf_child_free(scratch->server);
	hf_scratch_database_free(scratch->database);
	hf_scratch_folder_free(scratch->socket_folder);
	hf_scratch_folder_free(scratch->folder);
	hf_pg_target_free(scratch->target);
	g_free(scratch->socket_dir);
	g_free(scratch->data);
	g_free(scratch->bin_dir);
	g_free(scratch->version);
	g_free(scratch);
}
