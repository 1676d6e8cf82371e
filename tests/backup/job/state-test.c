#include "config.h"

#include "backup/job/audit.h"
#include "backup/job/cached-sets.h"
#include "backup/job/marks.h"
#include "backup/job/state-impl.h"
#include "common/error.h"
#include "tests/backup/job/state-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void
set_mark(StateFixture *fixture, int64_t slot_s)
{
	g_autoptr(GError) error = NULL;
	bool is_set = hf_marks_set(fixture->state, "daily", slot_s, &error);

	g_assert_no_error(error);
	g_assert_true(is_set);
}

static int64_t
get_mark(HfState *state)
{
	g_autoptr(GError) error = NULL;
	int64_t slot_s = -1;
	bool is_read = hf_marks_get(state, "daily", &slot_s, &error);

	g_assert_no_error(error);
	g_assert_true(is_read);
	return slot_s;
}

static void
expect_set_aside(void)
{
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*is damaged: it was set aside*");
}

/* ---- what is made ---- */

static void
test_the_file_is_for_its_owner_alone(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "state.lock"};

	set_mark(fixture, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = state_fixture_path(fixture, names[i]);
		struct stat file;

		g_assert_cmpint(stat(path, &file), ==, 0);
		g_assert_cmpint(file.st_mode & 0777, ==, 0600);
	}
}

static void
test_a_folder_that_cannot_be_made_is_named(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *folder = state_fixture_path(fixture, "state.db/below");
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_state_open(folder, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_FAILED));
	g_assert_nonnull(strstr(error->message, folder));
	g_assert_nonnull(strstr(error->message, "BACKUP_STATE_DIR"));
}

/* ---- what is lost ---- */

static void
unlink_in(const StateFixture *fixture, const char *name)
{
	g_autofree char *path = state_fixture_path(fixture, name);

	(void)unlink(path);
}

static const struct {
	const char *name;
	const char *files[4];
} losses[] = {
	{"/state/lost/the-file", {"state.db", NULL}},
	{"/state/lost/all-of-it", {"state.db", "state.db-wal", "state.db-shm", "state.lock"}},
	{"/state/lost/the-lock", {"state.lock", NULL}},
	{"/state/lost/the-file-and-its-wal", {"state.db", "state.db-wal", NULL}},
};

static void
test_a_lost_file_is_made_anew(const void *data)
{
	const char *const *files = losses[GPOINTER_TO_SIZE(data)].files;
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfState) other = hf_state_open(fixture->folder, &error);

	set_mark(fixture, 1);
	for (size_t i = 0; i < 4 && files[i]; i++)
		unlink_in(fixture, files[i]);
	set_mark(fixture, 2);
	/* Both see the one file that is there now. */
	g_assert_cmpint(get_mark(other), ==, 2);
	g_assert_cmpint(get_mark(fixture->state), ==, 2);
}

static void
test_a_lost_folder_is_made_anew(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *moved = g_strconcat(fixture->folder, ".moved", NULL);
	g_autofree char *inside = state_fixture_path(fixture, "moved");

	set_mark(fixture, 1);
	g_assert_cmpint(rename(fixture->folder, moved), ==, 0);
	g_assert_cmpint(get_mark(fixture->state), ==, 0);
	set_mark(fixture, 2);
	/* So that the fixture removes what was moved, too. */
	g_assert_cmpint(rename(moved, inside), ==, 0);
}

/* ---- what is damaged ---- */

static void
no_database(const char *path)
{
	g_assert_true(
		g_file_set_contents(path, "this is no database, however long it is looked at", -1, NULL));
}

static void
turned_bits(const char *path)
{
	g_autofree char *bytes = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
	/* All but the first page's header, which says that it is a database. */
	for (gsize i = 100; i < len; i++)
		bytes[i] ^= 0x55;
	g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static void
cut(const char *path)
{
	g_assert_cmpint(truncate(path, 5000), ==, 0);
}

static void
without_tables(const char *path)
{
	sqlite3 *db = NULL;

	g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_exec(db, "DROP TABLE jobs; DROP TABLE marks", NULL, NULL, NULL), ==,
			SQLITE_OK);
	sqlite3_close(db);
}

static const struct {
	const char *name;
	void (*damage)(const char *path);
} damages[] = {
	{"/state/damaged/no-database", no_database},
	{"/state/damaged/turned-bits", turned_bits},
	{"/state/damaged/cut", cut},
	{"/state/damaged/without-tables", without_tables},
};

static void
test_a_damaged_file_is_set_aside(const void *data)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *path = state_fixture_path(fixture, "state.db");
	g_autofree char *aside = state_fixture_path(fixture, "state.db.damaged");
	g_autoptr(GError) error = NULL;

	set_mark(fixture, 1);
	g_clear_pointer(&fixture->state, hf_state_free);
	damages[GPOINTER_TO_SIZE(data)].damage(path);
	expect_set_aside();
	fixture->state = hf_state_open(fixture->folder, &error);
	g_assert_no_error(error);
	g_assert_cmpint(get_mark(fixture->state), ==, 0);
	set_mark(fixture, 2);
	g_assert_cmpint(get_mark(fixture->state), ==, 2);
	g_test_assert_expected_messages();
	g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
}

static void
test_damage_under_an_open_state_is_set_aside(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	sqlite3 *db = hf_state_handle(fixture->state);

	set_mark(fixture, 1);
	/* As if the page had gone bad: the table's root is no page of a table. */
	g_assert_cmpint(sqlite3_exec(db,
				     "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 9999"
				     " WHERE name = 'marks'",
				     NULL, NULL, NULL),
			==, SQLITE_OK);
	g_clear_pointer(&fixture->state, hf_state_free);
	expect_set_aside();
	fixture->state = hf_state_open(fixture->folder, NULL);
	set_mark(fixture, 2);
	g_assert_cmpint(get_mark(fixture->state), ==, 2);
	g_test_assert_expected_messages();
}

static void
test_only_one_damaged_file_is_kept(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *path = state_fixture_path(fixture, "state.db");
	unsigned files = 0;
	const char *name;

	for (int i = 0; i < 3; i++) {
		g_clear_pointer(&fixture->state, hf_state_free);
		no_database(path);
		expect_set_aside();
		fixture->state = hf_state_open(fixture->folder, NULL);
	}
	g_test_assert_expected_messages();
	{
		g_autoptr(GDir) entries = g_dir_open(fixture->folder, 0, NULL);

		while ((name = g_dir_read_name(entries)))
			files += strstr(name, ".damaged") != NULL;
	}
	g_assert_cmpuint(files, ==, 1);
}

static void
test_a_newer_schema_is_left_alone(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *path = state_fixture_path(fixture, "state.db");
	g_autofree char *aside = state_fixture_path(fixture, "state.db.damaged");
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(
		sqlite3_exec(hf_state_handle(fixture->state), "PRAGMA user_version = 99", NULL, NULL, NULL),
		==, SQLITE_OK);
	g_assert_null(hf_state_open(fixture->folder, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_FAILED));
	g_assert_nonnull(strstr(error->message, path));
	g_assert_nonnull(strstr(error->message, "newer holdfast"));
	g_assert_false(g_file_test(aside, G_FILE_TEST_EXISTS));
}

/* ---- what cannot be written ---- */

static void
test_a_full_disk_is_transient_and_breaks_nothing(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *path = state_fixture_path(fixture, "state.db");
	g_autofree char *large = g_strnfill(1000, 'x');
	const HfAuditEntry entry = {.at_s = 1, .who = large, .what = large};
	g_autoptr(GError) error = NULL;
	bool is_added = true;

	set_mark(fixture, 1);
	g_assert_cmpint(
		sqlite3_exec(hf_state_handle(fixture->state), "PRAGMA max_page_count = 50", NULL, NULL, NULL),
		==, SQLITE_OK);
	for (int i = 0; i < 200 && is_added; i++)
		is_added = hf_audit_add(fixture->state, &entry, &error);
	g_assert_false(is_added);
	g_assert_true(hf_error_is(error, HF_ERROR_TRANSIENT));
	g_assert_nonnull(strstr(error->message, path));
	g_assert_nonnull(strstr(error->message, "free some space"));
	g_assert_cmpint(get_mark(fixture->state), ==, 1);
}

/* A write that is refused by the system itself, as a quota would. */
static int
write_beyond_the_limit(HfState *state, const char *folder)
{
	const struct rlimit limit = {65536, 65536};
	g_autofree char *large = g_strnfill(1000, 'x');
	const HfAuditEntry entry = {.at_s = 1, .who = large, .what = large};
	g_autoptr(GError) error = NULL;

	(void)folder;
	(void)signal(SIGXFSZ, SIG_IGN);
	if (!state || setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 2;
	for (int i = 0; i < 200; i++)
		if (!hf_audit_add(state, &entry, &error))
			return strstr(error->message, "state.db") ? 0 : 3;
	return 4;
}

static void
test_a_write_that_is_refused_is_an_error(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();

	set_mark(fixture, 1);
	g_assert_cmpint(state_fixture_in_child(fixture, false, write_beyond_the_limit), ==, 0);
	g_assert_cmpint(get_mark(fixture->state), ==, 1);
}

static int
write_read_only(HfState *state, const char *folder)
{
	g_autoptr(GError) error = NULL;

	if (!state) {
		state = hf_state_open(folder, &error);
		return error && strstr(error->message, "BACKUP_STATE_DIR") &&
				       hf_error_is(error, HF_ERROR_FAILED)
			       ? 0
			       : 2;
	}
	if (hf_marks_set(state, "daily", 7, &error))
		return 3;
	return hf_error_is(error, HF_ERROR_FAILED) && strstr(error->message, "BACKUP_STATE_DIR") ? 0 : 4;
}

static void
test_a_read_only_state_says_so(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "state.lock"};

	set_mark(fixture, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = state_fixture_path(fixture, names[i]);

		g_assert_cmpint(chmod(path, 0444), ==, 0);
	}
	g_assert_cmpint(chmod(fixture->folder, 0555), ==, 0);
	g_assert_cmpint(state_fixture_in_child(fixture, true, write_read_only), ==, 0);
	g_assert_cmpint(chmod(fixture->folder, 0700), ==, 0);
}

/* ---- several at once ---- */

#define WRITERS 6
#define WRITES 50

static int
count_up(HfState *state, const char *folder)
{
	const HfAuditEntry entry = {.at_s = 1, .who = "somebody"};

	(void)folder;
	for (int i = 0; i < WRITES; i++)
		if (!state || !hf_audit_add(state, &entry, NULL))
			return 1;
	return 0;
}

static void
test_several_processes_write_at_once(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) entries = NULL;
	pid_t children[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		children[i] = state_fixture_fork(fixture, false, count_up);
	for (int i = 0; i < WRITERS; i++)
		g_assert_cmpint(state_fixture_wait(children[i]), ==, 0);
	entries = hf_audit_list(fixture->state, HF_AUDIT_ALL, 0, 2 * WRITERS * WRITES, NULL);
	g_assert_cmpuint(entries->len, ==, WRITERS * WRITES);
}

static void
test_the_version_changes_when_somebody_wrote(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfState) other = hf_state_open(fixture->folder, NULL);
	uint64_t before = hf_state_version(fixture->state);
	uint64_t after;

	g_assert_cmpuint(hf_state_version(fixture->state), ==, before);
	g_assert_true(hf_marks_set(other, "daily", 1, NULL));
	after = hf_state_version(fixture->state);
	g_assert_cmpuint(after, !=, before);
	g_assert_cmpuint(hf_state_version(fixture->state), ==, after);
	set_mark(fixture, 2);
	g_assert_cmpuint(hf_state_version(fixture->state), !=, after);
	after = hf_state_version(fixture->state);
	unlink_in(fixture, "state.db");
	g_assert_cmpuint(hf_state_version(fixture->state), !=, after);
}

static void
test_the_audit_trail_leaves_the_version(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfState) other = hf_state_open(fixture->folder, NULL);
	const HfAuditEntry entry = {.at_s = 1};
	uint64_t before = hf_state_version(fixture->state);

	g_assert_true(hf_audit_add(other, &entry, NULL));
	g_assert_true(hf_audit_add(fixture->state, &entry, NULL));
	g_assert_cmpuint(hf_state_version(fixture->state), ==, before);
	set_mark(fixture, 1);
	g_assert_cmpuint(hf_state_version(fixture->state), !=, before);
}

/* ---- audit ---- */

static void
test_audit_is_read_newest_first_and_bounded(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) many = g_ptr_array_new();
	g_autoptr(GPtrArray) read = NULL;
	g_autoptr(GPtrArray) next = NULL;
	HfAuditEntry entry = {1,   100,   "anna\nbeate", "POST", "/api/backup/trigger",
			      202, "r-1", "192.0.2.7",   "job"};
	const HfAuditEntry *first;

	for (int i = 0; i < HF_AUDIT_KEPT + 10; i++)
		g_ptr_array_add(many, &entry);
	g_assert_true(hf_audit_add_all(fixture->state, many, NULL));
	entry.status = 401;
	entry.who = NULL;
	g_assert_true(hf_audit_add(fixture->state, &entry, NULL));
	read = hf_audit_list(fixture->state, HF_AUDIT_ALL, 0, 2 * HF_AUDIT_KEPT, NULL);
	g_assert_cmpuint(read->len, ==, HF_AUDIT_KEPT + 1);
	first = read->pdata[0];
	g_assert_cmpint(first->status, ==, 401);
	g_assert_null(first->who);
	next = hf_audit_list(fixture->state, HF_AUDIT_ALL, first->seq, 1, NULL);
	first = next->pdata[0];
	g_assert_cmpint(first->status, ==, 202);
	g_assert_cmpstr(first->who, ==, "anna beate");
	g_assert_cmpstr(first->peer, ==, "192.0.2.7");
}

static void
add_calls(StateFixture *fixture, const char *method, int status, int count)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new();
	HfAuditEntry entry = {.at_s = 1, .method = method, .status = status, .path = "/api/backup/trigger"};
	g_autoptr(GError) error = NULL;

	for (int i = 0; i < count; i++)
		g_ptr_array_add(entries, &entry);
	g_assert_true(hf_audit_add_all(fixture->state, entries, &error));
	g_assert_no_error(error);
}

static guint
count_calls(StateFixture *fixture, HfAuditKind kind)
{
	g_autoptr(GPtrArray) entries = hf_audit_list(fixture->state, kind, 0, 10 * HF_AUDIT_KEPT, NULL);

	g_assert_nonnull(entries);
	return entries->len;
}

/* One call that changed something, then more of each kind than are kept in all. */
static void
test_audit_of_changes_is_not_pushed_out(void)
{
	static const struct {
		const char *method;
		int status;
	} others[] = {{"GET", 200}, {"POST", 401}, {"DELETE", 403}, {"POST", 404}, {"HEAD", 200}};
	g_autoptr(StateFixture) fixture = state_fixture_new();

	add_calls(fixture, "POST", 202, 1);
	add_calls(fixture, NULL, 400, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		add_calls(fixture, others[i].method, others[i].status, HF_AUDIT_KEPT + 1100);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_CHANGES), ==, 1);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_ALL), >=, HF_AUDIT_KEPT + 1);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_ALL), <=, HF_AUDIT_KEPT + 1 + 1024);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_REFUSED), ==, 0);
	add_calls(fixture, "DELETE", 200, HF_AUDIT_KEPT + 1100);
	add_calls(fixture, "POST", 403, 3);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_CHANGES), >=, HF_AUDIT_KEPT);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_CHANGES), <=, HF_AUDIT_KEPT + 1024);
	g_assert_cmpuint(count_calls(fixture, HF_AUDIT_REFUSED), ==, 3);
}

/* ---- sets ---- */

static void
free_set(gpointer set)
{
	hf_cached_set_free(set);
}

static void
test_sets_are_read_as_they_were_written(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(free_set);
	g_autoptr(GPtrArray) read = NULL;
	g_autoptr(HfCachedSet) found = NULL;
	HfCachedSet *set = hf_cached_set_new("2024-01-15_02-00-00");
	g_autoptr(GError) error = NULL;
	const HfCachedFile *file;
	int64_t as_of_s = -1;

	read = hf_cached_sets_list(fixture->state, &as_of_s, &error);
	g_assert_cmpuint(read->len, ==, 0);
	g_assert_cmpint(as_of_s, ==, 0);
	g_clear_pointer(&read, g_ptr_array_unref);
	set->kind = g_strdup("full");
	set->status = g_strdup("complete");
	set->level = 2;
	set->is_held = set->is_suspect = true;
	set->suspect_reason = g_strdup("half of table \"users\" is gone");
	set->manifest = g_strdup("{\"format\":\"x\"}");
	hf_cached_set_add_file(set, "database_backup_\xff.sql.gz", 77, 1705284000, "database");
	g_ptr_array_add(sets, set);
	g_assert_true(hf_cached_sets_replace(fixture->state, sets, 12345, &error));
	read = hf_cached_sets_list(fixture->state, &as_of_s, &error);
	g_assert_cmpint(as_of_s, ==, 12345);
	g_assert_cmpuint(read->len, ==, 1);
	set = read->pdata[0];
	g_assert_true(set->is_held && set->is_suspect && !set->is_accepted && !set->is_adopted);
	g_assert_cmpstr(set->suspect_reason, ==, "half of table \"users\" is gone");
	g_assert_null(set->manifest);
	file = set->files->pdata[0];
	g_assert_cmpstr(file->key, ==, "database_backup_\xff.sql.gz");
	g_assert_cmpuint(file->bytes, ==, 77);
	found = hf_cached_sets_find(fixture->state, "2024-01-15_02-00-00", &error);
	g_assert_cmpstr(found->manifest, ==, "{\"format\":\"x\"}");
	g_assert_null(hf_cached_sets_find(fixture->state, "nonesuch", &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
}

/* As the first version left it: without what later steps add, and with what was noted. */
static void
test_an_older_schema_is_brought_up(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GString) sql = g_string_new(
		"DROP INDEX audit_by_change; ALTER TABLE audit DROP COLUMN is_change;"
		"DROP TABLE replicas; DROP TABLE changes; DROP TABLE standings; DROP TABLE messages;"
		"DROP TABLE deliveries; PRAGMA user_version = 1;");
	static const char *const tables[] = {"jobs", "sets", "sets_seen", "marks"};
	uint64_t before;

	set_mark(fixture, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		g_string_append_printf(
			sql, "DROP TRIGGER %s_insert; DROP TRIGGER %s_update; DROP TRIGGER %s_delete;",
			tables[i], tables[i], tables[i]);
	g_assert_cmpint(sqlite3_exec(hf_state_handle(fixture->state), sql->str, NULL, NULL, NULL), ==,
			SQLITE_OK);
	g_clear_pointer(&fixture->state, hf_state_free);
	fixture->state = hf_state_open(fixture->folder, NULL);
	g_assert_cmpint(get_mark(fixture->state), ==, 1);
	before = hf_state_version(fixture->state);
	set_mark(fixture, 2);
	g_assert_cmpuint(hf_state_version(fixture->state), !=, before);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/state/the-file-is-for-its-owner-alone", test_the_file_is_for_its_owner_alone);
	g_test_add_func("/state/a-folder-that-cannot-be-made-is-named",
			test_a_folder_that_cannot_be_made_is_named);
	for (size_t i = 0; i < G_N_ELEMENTS(losses); i++)
		g_test_add_data_func(losses[i].name, GSIZE_TO_POINTER(i), test_a_lost_file_is_made_anew);
	g_test_add_func("/state/lost/the-folder", test_a_lost_folder_is_made_anew);
	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++)
		g_test_add_data_func(damages[i].name, GSIZE_TO_POINTER(i), test_a_damaged_file_is_set_aside);
	g_test_add_func("/state/damaged/a-table-of-an-open-state",
			test_damage_under_an_open_state_is_set_aside);
	g_test_add_func("/state/damaged/only-one-file-is-kept", test_only_one_damaged_file_is_kept);
	g_test_add_func("/state/a-newer-schema-is-left-alone", test_a_newer_schema_is_left_alone);
	g_test_add_func("/state/an-older-schema-is-brought-up", test_an_older_schema_is_brought_up);
	g_test_add_func("/state/a-full-disk-is-transient-and-breaks-nothing",
			test_a_full_disk_is_transient_and_breaks_nothing);
	g_test_add_func("/state/a-write-that-is-refused-is-an-error",
			test_a_write_that_is_refused_is_an_error);
	g_test_add_func("/state/a-read-only-state-says-so", test_a_read_only_state_says_so);
	g_test_add_func("/state/several-processes-write-at-once", test_several_processes_write_at_once);
	g_test_add_func("/state/the-version-changes-when-somebody-wrote",
			test_the_version_changes_when_somebody_wrote);
	g_test_add_func("/state/the-audit-trail-leaves-the-version", test_the_audit_trail_leaves_the_version);
	g_test_add_func("/audit/is-read-newest-first-and-bounded",
			test_audit_is_read_newest_first_and_bounded);
	g_test_add_func("/audit/of-changes-is-not-pushed-out", test_audit_of_changes_is_not_pushed_out);
	g_test_add_func("/sets/are-read-as-they-were-written", test_sets_are_read_as_they_were_written);
	return g_test_run();
}
