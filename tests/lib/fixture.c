#include "config.h"

#include "tests/lib/fixture.h"
#include "backup/catalog/names.h"
#include "backup/source/scan.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <dirent.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

Fixture *
fixture_new(void)
{
	Fixture *fixture = g_new0(Fixture, 1);
	GError *error = NULL;

	fixture->folder = g_dir_make_tmp("holdfast-test-XXXXXX", &error);
	g_assert_no_error(error);
	fixture->store = hf_dir_open(fixture->folder, &error);
	g_assert_no_error(error);
	return fixture;
}

/* Removes what is in path, or only counts it. */
static unsigned
walk(const char *path, bool is_removing)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	if (!folder)
		return 0;
	while ((entry = readdir(folder))) {
		g_autofree char *below = g_build_filename(path, entry->d_name, NULL);
		struct stat info;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (lstat(below, &info) == 0 && S_ISDIR(info.st_mode))
			count += walk(below, is_removing);
		else
			count += strstr(entry->d_name, ".deleted.json") == NULL;
		if (is_removing)
			(void)g_remove(below);
	}
	closedir(folder);
	return count;
}

void
fixture_free(Fixture *fixture)
{
	if (!fixture)
		return;
	hf_store_free(fixture->store);
	walk(fixture->folder, true);
	(void)g_rmdir(fixture->folder);
	g_free(fixture->folder);
	g_free(fixture);
}

unsigned
fixture_files(const Fixture *fixture)
{
	return walk(fixture->folder, false);
}

char *
fixture_path(const Fixture *fixture, const char *key)
{
	return g_build_filename(fixture->folder, key, NULL);
}

void
fixture_put(const Fixture *fixture, const char *key, const char *bytes, size_t len)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStage) stage = hf_store_write(fixture->store, key, NULL, &error);

	g_assert_no_error(error);
	g_assert_true(hf_stage_write(stage, bytes, len, &error));
	g_assert_true(hf_stage_finish(stage, &error));
}

GBytes *
fixture_get(const Fixture *fixture, const char *key)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStage) sink = hf_sink_bytes_new((size_t)64 << 20);

	(void)!hf_store_read(fixture->store, key, HF_WHOLE, sink, &error);
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(sink, &error));
	return hf_sink_bytes_get(sink);
}

/* ---- the failing store ---- */

typedef struct {
	HfStore base;
	HfStore *behind;
	uint64_t left_bytes;
} Failing;

typedef struct {
	HfStage base;
	Failing *store;
} Fuse;

static bool
fuse_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Failing *store = ((Fuse *)self)->store;

	if (len > store->left_bytes)
		return hf_error_set(error, HF_ERROR_FAILED, "the store failed on purpose");
	store->left_bytes -= len;
	return hf_stage_emit(self, buf, len, error);
}

static const HfStageOps fuse_ops = {.name = "fuse", .write = fuse_write};

static HfStage *
failing_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error)
{
	Failing *store = (Failing *)self;
	HfStage *stage = hf_store_write(store->behind, key, meta, error);
	Fuse *fuse;

	if (!stage)
		return NULL;
	fuse = g_new0(Fuse, 1);
	hf_stage_init(&fuse->base, &fuse_ops, stage);
	fuse->store = store;
	return &fuse->base;
}

static bool
failing_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	Failing *store = (Failing *)self;

	if (g_bytes_get_size(bytes) > store->left_bytes)
		return hf_error_set(error, HF_ERROR_FAILED, "the store failed on purpose");
	store->left_bytes -= g_bytes_get_size(bytes);
	return hf_store_create(store->behind, key, bytes, error);
}

static HfListing *
failing_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	return hf_store_list(((Failing *)self)->behind, prefix, start_after, error);
}

static bool
failing_remove(HfStore *self, const char *const *keys, GError **error)
{
	return hf_store_remove(((Failing *)self)->behind, keys, error);
}

static bool
failing_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error)
{
	return hf_store_read(((Failing *)self)->behind, key, range, into, error);
}

static const HfStoreOps failing_ops = {.list = failing_list,
				       .read = failing_read,
				       .write = failing_write,
				       .create = failing_create,
				       .remove = failing_remove};

HfStore *
failing_store_new(HfStore *behind, uint64_t after_bytes)
{
	Failing *store = g_new0(Failing, 1);

	hf_store_init(&store->base, &failing_ops, g_strdup(hf_store_location(behind)));
	store->behind = behind;
	store->left_bytes = after_bytes;
	return &store->base;
}

/* ---- sets ---- */

char *
fixture_dump(unsigned tables, unsigned rows)
{
	GString *dump = g_string_new("--\n-- PostgreSQL database dump\n--\n\n");

	for (unsigned t = 0; t < tables; t++)
		g_string_append_printf(dump, "CREATE TABLE public.t%u (id integer, note text);\n\n", t);
	for (unsigned t = 0; t < tables; t++) {
		g_string_append_printf(dump, "COPY public.t%u (id, note) FROM stdin;\n", t);
		for (unsigned r = 0; r < rows; r++)
			g_string_append_printf(dump, "%u\trow %08x of %u\n", r, r * 2654435761u, t);
		g_string_append(dump, "\\.\n\n\n");
	}
	g_string_append(dump, "--\n-- PostgreSQL database dump complete\n--\n\n");
	return g_string_free(dump, FALSE);
}

static HfDatabaseRecord *
describe(HfCompressionKind kind)
{
	HfDatabaseRecord *database = hf_database_record_new();

	database->name = g_strdup("shop");
	database->server_version = g_strdup("15.1");
	database->dump_version = g_strdup("15.1");
	database->encoding = g_strdup("UTF8");
	database->collate = g_strdup("C.UTF-8");
	database->ctype = g_strdup("C.UTF-8");
	database->globals_absent = g_strdup("the login may not read roles");
	database->archive = hf_archive_new(kind);
	return database;
}

HfManifest *
fixture_set(HfStore *store, const HfArchiveOptions *options, const char *dump, int64_t now_s, GError **error)
{
	g_autoptr(HfSetWriter) writer = hf_set_writer_new(store, now_s, error);
	g_autoptr(HfManifest) manifest = NULL;
	g_autoptr(HfStage) chain = NULL;
	HfArchiveOptions own = *options;
	HfStage *archive;

	if (!writer)
		return NULL;
	own.extension = HF_EXT_DUMP;
	manifest = hf_manifest_new(hf_set_writer_id(writer));
	manifest->started_s = manifest->finished_s = now_s;
	manifest->database = describe(own.compression.kind);
	archive = hf_set_writer_archive(writer, HF_DATABASE_PREFIX, &own, manifest->database->archive, error);
	if (!archive)
		return NULL;
	chain = hf_scan_new(archive, HF_SCAN_DATABASE);
	if (!hf_stage_write(chain, dump, strlen(dump), error) || !hf_stage_finish(chain, error))
		return NULL;
	manifest->database->tables = hf_scan_tables(chain)->len;
	manifest->database->rows = hf_scan_rows(chain);
	if (!hf_set_writer_index(writer, manifest->database, hf_scan_tables(chain), error) ||
	    !hf_set_writer_commit(writer, manifest, error))
		return NULL;
	return g_steal_pointer(&manifest);
}
