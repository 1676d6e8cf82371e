#include "config.h"

#include "backup/verify/prove.h"
#include "backup/verify/restored.h"
#include "backup/verify/verify.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

#define LEVEL_MAX 4

typedef struct {
	HfStore *store;
	const HfSet *set;
	const HfProveOptions *options;
	HfProof *proof;
	HfScratch *scratch; /* NULL: none is needed, or there is none to be had */
	GPtrArray *tables;  /* NULL: not known */
	uint64_t uncounted;
} Run;

uint64_t
hf_prove_estimate(const HfManifest *manifest, int level)
{
	uint64_t dump = manifest->database ? manifest->database->archive->plain_bytes : 0;
	uint64_t images = manifest->images ? manifest->images->bytes : 0;

	if (level < 2)
		return 0;
	/* Images are read twice at level 2: as they are stored, and one by one. */
	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++)
		images += ((HfImageArchive *)manifest->images->archives->pdata[i])->archive->plain_bytes;
	return images + dump * (uint64_t)(level - 1);
}

static void
say_phase(const Run *run, const char *phase)
{
	if (run->options->progress)
		__atomic_store_n(&run->options->progress->phase, phase, __ATOMIC_RELEASE);
}

/* Something was seen to be wrong with the set; what only may be so is not recorded. */
static bool
is_verdict(const GError *trouble)
{
	return hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND);
}

/* ---- levels 1 and 2 ---- */

static bool
prove_lower(Run *run, int level, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	if (hf_verify(run->store, run->set, level, run->options->progress, &trouble)) {
		run->proof->level = level;
		return true;
	}
	run->proof->has_failed = is_verdict(trouble);
	run->proof->level = level;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

/* ---- a scratch server ---- */

static int
major_of(const char *version)
{
	return version ? (int)g_ascii_strtoll(version, NULL, 10) : 0;
}

/* A file of the earlier implementation has no recorded size: text packs to a fifth or so. */
static uint64_t
plain_bytes(const HfDatabaseRecord *database)
{
	return database->archive->plain_bytes ? database->archive->plain_bytes
					      : database->archive->packed_bytes * 6;
}

/* In front of the reading, which may take hours; false only for what the caller has to mend. */
static bool
make_scratch(Run *run, GError **error)
{
	const HfDatabaseRecord *database = run->set->manifest->database;
	const HfScratchOptions options = {
		.bin_dir = run->options->bin_dir,
		.folder = run->options->scratch_dir,
		.user = run->options->scratch_user,
		.server = run->options->server,
		.major = MAX(major_of(database->server_version), major_of(database->dump_version)),
		.plain_bytes = plain_bytes(database),
		.database = database->name,
	};
	g_autoptr(GError) trouble = NULL;

	say_phase(run, "scratch server");
	run->scratch = hf_scratch_new(&options, &trouble);
	if (run->scratch) {
		run->proof->server_version = g_strdup(hf_scratch_version(run->scratch));
		return true;
	}
	if (hf_error_is(trouble, HF_ERROR_USAGE) || hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	hf_proof_add_unproved(run->proof, "the restore: %s%s", trouble->message,
			      options.server ? "" : "; or set VERIFY_DATABASE_URL to a server for proofs");
	return true;
}

/* ---- levels 3 and 4 ---- */

/* Differences are the verdict; the first one is the error. */
static bool
judge(Run *run, int level, GError **error)
{
	HfProof *proof = run->proof;

	if (proof->difference_count == 0) {
		proof->level = level;
		return true;
	}
	proof->level = level;
	proof->has_failed = true;
	return hf_error_set(error, HF_ERROR_CORRUPT,
			    "the restored database differs in %" G_GUINT64_FORMAT " table(s): %s",
			    proof->difference_count, (char *)proof->differences->pdata[0]);
}

static bool
count_rows(Run *run, const HfRestored *restored, GError **error)
{
	return hf_restored_count(restored, run->proof, error) && judge(run, 3, error);
}

/* Where it cannot be dumped, for what is not the set's fault, level 3 is what there is. */
static bool
dump_again(Run *run, const HfRestored *restored, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	if (hf_restored_dump(restored, run->proof, &trouble))
		return judge(run, 4, error);
	if (hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	hf_proof_add_unproved(run->proof, "the comparison: %s", trouble->message);
	return count_rows(run, restored, error);
}

static bool
compare(Run *run, const HfRestored *restored, GError **error)
{
	if (!restored->tables) {
		hf_proof_add_unproved(run->proof,
				      "the rows: the set was made by another program, which counted none");
		run->proof->level = 3;
		return true;
	}
	return run->options->level == 4 ? dump_again(run, restored, error) : count_rows(run, restored, error);
}

static bool
restore(Run *run, GError **error)
{
	HfProgress *progress = run->options->progress;
	const HfRestored restored = {
		.store = run->store,
		.manifest = run->set->manifest,
		.tables = run->tables,
		.scratch = run->scratch,
		.options = run->options,
		.progress = progress,
		.bytes = progress ? &progress->bytes : &run->uncounted,
	};
	g_autoptr(GError) trouble = NULL;
	bool is_unproved;

	if (hf_restored_fill(&restored, run->proof, &is_unproved, &trouble))
		return compare(run, &restored, error);
	if (is_unproved)
		return true;
	run->proof->level = 3;
	run->proof->has_failed = !hf_error_is(trouble, HF_ERROR_CANCELLED);
	g_propagate_prefixed_error(error, g_steal_pointer(&trouble), "%s",
				   run->proof->has_failed ? "it cannot be restored: " : "");
	return false;
}

/* ---- all of it ---- */

static bool
check_wanted(const HfSet *set, int level, GError **error)
{
	if (level < 1 || level > LEVEL_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "level %d: 1 to %d is wanted", level, LEVEL_MAX);
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "%s", set->trouble);
	return level < 4 || !set->manifest->database || set->manifest->database->index ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "set \"%s\" was made by another program, which recorded nothing that a restored "
			    "database could be compared with: level 3 is the highest",
			    set->id);
}

static bool
read_tables(Run *run, GError **error)
{
	HfManifest *manifest = run->set->manifest;

	if (!manifest->database || !manifest->database->index)
		return true;
	run->tables = hf_catalog_read_tables(run->store, manifest, error);
	return run->tables != NULL;
}

static bool
prove_all(Run *run, GError **error)
{
	const HfManifest *manifest = run->set->manifest;
	int level = run->options->level;

	if (!prove_lower(run, 1, error))
		return false;
	if (level == 1)
		return true;
	if (level > 2 && manifest->database && !hf_verify_is_sealed(run->store, manifest) &&
	    !make_scratch(run, error))
		return false;
	if (!prove_lower(run, 2, error))
		return false;
	if (hf_verify_is_sealed(run->store, manifest)) {
		hf_proof_add_unproved(
			run->proof,
			"what is inside: the set is encrypted and this host has no key to it; "
			"what is stored has the recorded digests (BACKUP_IDENTITY_FILE, where there is one)");
		return true;
	}
	if (manifest->images)
		run->proof->objects = manifest->images->objects;
	if (level == 2)
		return true;
	/* Every image's SHA-256 was compared at level 2: there is no more to restore. */
	if (!manifest->database) {
		run->proof->level = level;
		return true;
	}
	return !run->scratch || (read_tables(run, error) && restore(run, error));
}

/* Level 2 was recorded when it was seen. */
static bool
record(const Run *run, GError **error)
{
	return run->set->is_adopted ||
	       (!run->proof->has_failed && run->proof->level <= 2 && run->proof->unproved->len == 0) ||
	       hf_catalog_record_proof(run->store, run->set->id, run->proof, error);
}

/* The verdict is what is reported; that it could not be recorded is said beside it. */
static void
record_failure(const Run *run, const GError *trouble)
{
	g_autoptr(GError) unwritten = NULL;

	if (!run->proof->has_failed)
		return;
	run->proof->error = g_strdup(trouble->message);
	if (!record(run, &unwritten))
		g_warning("that the proof failed could not be recorded: %s", unwritten->message);
}

bool
hf_prove(HfStore *store, const HfSet *set, const HfProveOptions *options, HfProof **proof_out, GError **error)
{
	double started_s = hf_clock_monotonic_s();
	Run run = {.store = store, .set = set, .options = options};
	g_autoptr(GError) trouble = NULL;
	bool is_good;

	*proof_out = NULL;
	if (!check_wanted(set, options->level, error))
		return false;
	*proof_out = run.proof = hf_proof_new(0);
	is_good = prove_all(&run, &trouble);
	hf_scratch_free(run.scratch);
	if (run.tables)
		g_ptr_array_unref(run.tables);
	run.proof->at_s = hf_clock_now_s();
	run.proof->duration_s = hf_clock_monotonic_s() - started_s;
	if (is_good)
		return record(&run, error);
	record_failure(&run, trouble);
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}
