#include "config.h"

#include "backup/verify/drill.h"
#include "backup/catalog/names.h"
#include "backup/stage/sink.h"
#include "backup/verify/drill-impl.h"
#include "backup/verify/lacking.h"
#include "backup/verify/restored.h"
#include "backup/verify/scratch-folder.h"
#include "backup/verify/verify.h"
#include "common/child.h"
#include "common/clock.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

/* A file system's own needs, for many small files. */
#define IMAGES_SPACE_FACTOR 1.2
#define NOT_FETCHED "aws could not get it: "

typedef struct {
	HfStore *store;
	const HfSet *set;
	const HfDrillOptions *options;
	HfProof *proof;
	HfScratchFolder *folder;
	HfScratch *scratch;              /* NULL: no database, or no server for it */
	GPtrArray *tables;               /* of the index */
	bool does_database, does_images; /* what is drilled */
	uint64_t uncounted;
} Drill;

static void
say_phase(const Drill *drill, const char *phase)
{
	if (drill->options->progress)
		__atomic_store_n(&drill->options->progress->phase, phase, __ATOMIC_RELEASE);
}

static bool
is_bucket(const Drill *drill)
{
	return g_str_has_prefix(hf_store_location(drill->store), "s3://");
}

/* What this host lacks is noted, and the rest goes on; false for what somebody has to mend, or a stop. */
static bool
note_lack(Drill *drill, const char *what, GError *trouble, GError **error)
{
	if (hf_error_is(trouble, HF_ERROR_USAGE) || hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, trouble);
		return false;
	}
	hf_proof_add_unproved(drill->proof, "%s: %s", what, trouble->message);
	g_error_free(trouble);
	return true;
}

/* ---- what is needed ---- */

static int
major_of(const char *version)
{
	return version ? (int)g_ascii_strtoll(version, NULL, 10) : 0;
}

static bool
make_server(Drill *drill, GError **error)
{
	const HfDatabaseRecord *database = drill->set->manifest->database;
	GError *trouble = NULL;

	if (!database)
		return true;
	const HfScratchOptions options = {
		.bin_dir = drill->options->bin_dir,
		.folder = drill->options->scratch_dir,
		.user = drill->options->scratch_user,
		.major = MAX(major_of(database->server_version), major_of(database->dump_version)),
		.plain_bytes = database->archive->plain_bytes,
		.database = database->name,
	};
	say_phase(drill, "scratch server");
	drill->scratch = hf_scratch_new(&options, &trouble);
	if (!drill->scratch)
		return note_lack(drill, "the database", trouble, error);
	drill->proof->server_version = g_strdup(hf_scratch_version(drill->scratch));
	drill->does_database = true;
	return true;
}

static bool
make_room(Drill *drill, GError **error)
{
	const HfImagesRecord *images = drill->set->manifest->images;
	uint64_t bytes = 0;
	GError *trouble = NULL;

	drill->folder = hf_scratch_folder_new(drill->options->scratch_dir, drill->options->scratch_user,
					      error);
	if (!drill->folder)
		return false;
	if (!images)
		return true;
	for (guint i = 0; i < images->archives->len; i++)
		bytes += ((HfImageArchive *)images->archives->pdata[i])->archive->plain_bytes;
	drill->does_images = hf_scratch_folder_check_space(drill->options->scratch_dir,
							   (uint64_t)((double)bytes * IMAGES_SPACE_FACTOR),
							   "extracting the images", &trouble);
	return drill->does_images || note_lack(drill, "the images", trouble, error);
}

static void
note_compression(const HfArchive *archive, HfDrillNeeds *needs)
{
	needs->needs_gzip |= archive && archive->compression == HF_COMPRESSION_GZIP;
	needs->needs_zstd |= archive && archive->compression == HF_COMPRESSION_ZSTD;
	needs->needs_age |= archive && archive->is_encrypted;
}

static char *
path_in(const Drill *drill, const char *name)
{
	return g_build_filename(hf_scratch_folder_path(drill->folder), name, NULL);
}

static bool
gather_tools(Drill *drill, GError **error)
{
	const HfManifest *manifest = drill->set->manifest;
	g_autofree char *folder = path_in(drill, "tools");
	HfDrillNeeds needs = {
		.has_database = drill->does_database,
		.has_images = drill->does_images,
		.is_bucket = is_bucket(drill),
		.bin_dir = drill->scratch ? hf_scratch_bin_dir(drill->scratch) : NULL,
	};
	GError *trouble = NULL;

	if (manifest->database) {
		note_compression(manifest->database->archive, &needs);
		note_compression(manifest->database->globals, &needs);
	}
	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++)
		note_compression(((HfImageArchive *)manifest->images->archives->pdata[i])->archive, &needs);
	if (manifest->images)
		note_compression(manifest->images->dead, &needs);
	if (needs.needs_age && !drill->options->identity_file)
		hf_error_set(&trouble, HF_ERROR_NOT_FOUND,
			     "the set is encrypted: name the file with the secret key in "
			     "BACKUP_IDENTITY_FILE (age asks for "
			     "a passphrase on a terminal alone, so such a set is drilled by hand)");
	else if (hf_drill_tools(folder, &needs, &trouble))
		return true;
	drill->does_database = drill->does_images = false;
	return note_lack(drill, "the commands", trouble, error);
}

/* ---- the commands ---- */

static void
pass_on(GPtrArray *env, const char *name)
{
	const char *value = g_getenv(name);

	if (value)
		g_ptr_array_add(env, g_strdup_printf("%s=%s", name, value));
}

static void
add_setting(GPtrArray *env, const char *name, const char *value)
{
	if (value)
		g_ptr_array_add(env, g_strdup_printf("%s=%s", name, value));
}

static void
add_aws(const Drill *drill, GPtrArray *env)
{
	/* How awscli finds the credentials of a container. */
	static const char *const names[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};
	const HfDrillOptions *options = drill->options;
	const char *region = options->aws_region;

	g_ptr_array_add(env, g_strdup_printf("AWS_DEFAULT_REGION=%s", region ? region : "us-east-1"));
	add_setting(env, "AWS_CA_BUNDLE", options->aws_ca_bundle);
	add_setting(env, "AWS_ROLE_ARN", options->role_arn);
	add_setting(env, "AWS_WEB_IDENTITY_TOKEN_FILE", options->role_token_file);
	add_setting(env, "AWS_ROLE_SESSION_NAME", options->role_session);
	add_setting(env, "AWS_ENDPOINT_URL_STS", options->sts_url);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		pass_on(env, names[i]);
}

static void
add_database(const Drill *drill, GPtrArray *env)
{
	const char *name = hf_scratch_target(drill->scratch)->database;

	g_ptr_array_add(env, g_strdup_printf("PGHOST=%s", hf_scratch_socket_dir(drill->scratch)));
	g_ptr_array_add(env, g_strdup_printf("PGUSER=%s", hf_scratch_superuser()));
	/* A database called "postgres" is in every cluster already. */
	if (g_strcmp0(name, drill->set->manifest->database->name) != 0)
		g_ptr_array_add(env, g_strdup_printf("RESTORE_DATABASE=%s", name));
}

static GPtrArray *
environment(const Drill *drill)
{
	const HfManifest *manifest = drill->set->manifest;
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
	const char *path = hf_scratch_folder_path(drill->folder);

	g_ptr_array_add(env, g_strdup_printf("PATH=%s/tools", path));
	g_ptr_array_add(env, g_strdup_printf("HOME=%s", path));
	g_ptr_array_add(env, g_strdup_printf("TMPDIR=%s", path));
	g_ptr_array_add(env, g_strdup("LC_ALL=C.UTF-8"));
	if (is_bucket(drill))
		add_aws(drill, env);
	if (drill->options->identity_file)
		g_ptr_array_add(env, g_strdup_printf("RESTORE_IDENTITY=%s", drill->options->identity_file));
	if (drill->does_database)
		add_database(drill, env);
	if (manifest->database && manifest->images && drill->does_database != drill->does_images)
		g_ptr_array_add(env, g_strdup_printf("RESTORE_ONLY=%s",
						     drill->does_database ? "database" : "images"));
	g_ptr_array_add(env, NULL);
	return env;
}

/* "env -C FOLDER WORDS": in the empty folder.  The words of a failure are what it said last. */
static bool
run_command(const Drill *drill, const char *const *words, GError **error)
{
	g_autoptr(GPtrArray) env = environment(drill);
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *folder = path_in(drill, "empty");
	g_autoptr(HfChild) child = NULL;
	HfChildOptions options = {.file = drill->options->aws_credentials,
				  .file_env = "AWS_SHARED_CREDENTIALS_FILE"};

	g_ptr_array_add(argv, g_strdup("env"));
	g_ptr_array_add(argv, g_strdup("-C"));
	g_ptr_array_add(argv, g_strdup(folder));
	for (; *words; words++)
		g_ptr_array_add(argv, g_strdup(*words));
	g_ptr_array_add(argv, NULL);
	options.argv = (const char *const *)argv->pdata;
	options.env = (const char *const *)env->pdata;
	child = hf_child_spawn(&options, error);
	if (!child)
		return false;
	if (hf_child_wait(child, error))
		return true;
	if (!hf_error_is(*error, HF_ERROR_CANCELLED) && *hf_child_stderr(child)) {
		g_autofree char *said = g_utf8_make_valid(hf_child_stderr(child), -1);

		g_clear_error(error);
		hf_error_set(error, HF_ERROR_FAILED, "RESTORE.txt: %s",
			     g_strdelimit(g_strchomp(said), "\n", '|'));
	}
	return false;
}

/* So that a text that is not there can be told from an aws that does not work. */
static bool
check_text(const Drill *drill, const char *name, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_null_new();

	return hf_store_read(drill->store, name, HF_WHOLE, sink, error) && hf_stage_finish(sink, error);
}

/* Beside the set's files in a folder; out of a bucket by the means that the text itself uses. */
static char *
get_text(const Drill *drill, GError **error)
{
	g_autofree char *name = hf_name_restore(drill->set->id);
	g_autofree char *from = g_strdup_printf("%s/%s", hf_store_location(drill->store), name);
	const char *endpoint = hf_store_endpoint(drill->store);
	const char *words[] = {"aws", "s3", "cp", "--only-show-errors", from, name, NULL, NULL, NULL};

	if (!check_text(drill, name, error))
		return NULL;
	if (!is_bucket(drill)) {
		char *real, *copy;

		real = realpath(from, NULL);
		copy = g_strdup(real);
		free(real);
		if (!copy)
			hf_error_errno(error, "\"%s\"", from);
		return copy;
	}
	if (endpoint) {
		words[6] = "--endpoint-url";
		words[7] = endpoint;
	}
	if (run_command(drill, words, error))
		return g_steal_pointer(&name);
	g_prefix_error(error, NOT_FETCHED);
	return NULL;
}

static bool
run_text(Drill *drill, GError **error)
{
	double started_s = hf_clock_monotonic_s();
	g_autofree char *empty = hf_scratch_folder_make(drill->folder, "empty", error);
	g_autofree char *text = empty ? get_text(drill, error) : NULL;
	const char *words[] = {"sh", text, NULL};

	if (!text || !run_command(drill, words, error))
		return false;
	drill->proof->recover_s = hf_clock_monotonic_s() - started_s;
	return true;
}

/* ---- what came back ---- */

static bool
compare(Drill *drill, GError **error)
{
	HfProgress *progress = drill->options->progress;
	HfManifest *manifest = drill->set->manifest;
	/* Stock tools alone brought it back, and pg_dump alone says what came. */
	const HfProveOptions how = {.bin_dir = drill->options->bin_dir};
	const HfRestored restored = {
		.store = drill->store,
		.manifest = manifest,
		.tables = drill->tables,
		.scratch = drill->scratch,
		.options = &how,
		.progress = progress,
		.bytes = progress ? &progress->bytes : &drill->uncounted,
	};
	g_autofree char *images = path_in(drill, "empty/images");

	if (drill->does_database && !hf_restored_dump(&restored, drill->proof, error))
		return false;
	say_phase(drill, "comparing");
	if (drill->does_images &&
	    !hf_drill_compare_images(drill->store, manifest, images, drill->proof, error))
		return false;
	if (drill->proof->difference_count == 0)
		return true;
	drill->proof->has_failed = true;
	return hf_error_set(error, HF_ERROR_CORRUPT,
			    "what came back differs in %" G_GUINT64_FORMAT " place(s): %s",
			    drill->proof->difference_count, (char *)drill->proof->differences->pdata[0]);
}

static bool
is_missing(const GError *trouble)
{
	return hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND);
}

/* A failure of the commands is the set's, unless it is plainly this host's. */
static bool
judge_failure(Drill *drill, GError *trouble, GError **error)
{
	static const char *const ours[] = {NOT_FETCHED,
					   "No space left",
					   "is not available",
					   "could not extend file",
					   "Could not connect to the endpoint",
					   "Unable to locate credentials",
					   "extension control file"};

	for (size_t i = 0; i < G_N_ELEMENTS(ours); i++) {
		if (!strstr(trouble->message, ours[i]))
			continue;
		drill->does_database = drill->does_images = false;
		return note_lack(drill, "the restore", trouble, error);
	}
	drill->proof->has_failed = hf_error_is(trouble, HF_ERROR_FAILED) || is_missing(trouble);
	g_propagate_error(error, trouble);
	return false;
}

static bool
drill_it(Drill *drill, GError **error)
{
	GError *trouble = NULL;

	if (!drill->does_database && !drill->does_images)
		return true;
	if (drill->does_database) {
		drill->tables = hf_catalog_read_tables(drill->store, drill->set->manifest, error);
		if (!drill->tables)
			return false;
	}
	say_phase(drill, "RESTORE.txt");
	if (!run_text(drill, &trouble))
		return judge_failure(drill, trouble, error);
	return compare(drill, error);
}

/* What could not be drilled is read at least. */
static bool
conclude(Drill *drill, GError **error)
{
	if (drill->proof->unproved->len == 0) {
		drill->proof->level = 4;
		return hf_catalog_record_proof(drill->store, drill->set->id, drill->proof, error);
	}
	drill->proof->level = 2;
	if (hf_verify(drill->store, drill->set, 2, drill->options->progress, error))
		return true;
	drill->proof->has_failed = hf_error_is(*error, HF_ERROR_CORRUPT) ||
				   hf_error_is(*error, HF_ERROR_NOT_FOUND);
	return false;
}

static bool
check_wanted(const HfSet *set, GError **error)
{
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "%s", set->trouble);
	return !set->is_adopted ||
	       hf_error_set(
		       error, HF_ERROR_USAGE,
		       "set \"%s\" was made by another program and has no RESTORE.txt: \"holdfast verify "
		       "--level 3\" restores it",
		       set->id);
}

static void
drill_clear(Drill *drill)
{
	hf_scratch_free(drill->scratch);
	hf_scratch_folder_free(drill->folder);
	if (drill->tables)
		g_ptr_array_unref(drill->tables);
}

bool
hf_drill(HfStore *store, const HfSet *set, const HfDrillOptions *options, HfProof **proof_out, GError **error)
{
	double started_s = hf_clock_monotonic_s();
	Drill drill = {.store = store, .set = set, .options = options};
	g_autoptr(GError) trouble = NULL;
	bool is_good;

	*proof_out = NULL;
	if (!check_wanted(set, error))
		return false;
	*proof_out = drill.proof = hf_proof_new(4);
	drill.proof->is_drill = true;
	is_good = make_server(&drill, &trouble) && make_room(&drill, &trouble) &&
		  gather_tools(&drill, &trouble) && drill_it(&drill, &trouble);
	drill_clear(&drill);
	drill.proof->at_s = hf_clock_now_s();
	drill.proof->duration_s = hf_clock_monotonic_s() - started_s;
	if (is_good && conclude(&drill, &trouble))
		return true;
	if (drill.proof->has_failed) {
		g_autoptr(GError) unwritten = NULL;

		drill.proof->error = g_strdup(trouble->message);
		if (!hf_catalog_record_proof(store, set->id, drill.proof, &unwritten))
			g_warning("that the drill failed could not be recorded: %s", unwritten->message);
	}
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}
