#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/chain.h"
#include "backup/catalog/fence.h"
#include "backup/catalog/index.h"
#include "backup/catalog/marks.h"
#include "backup/catalog/manifest-private.h"
#include "backup/catalog/names.h"
#include "backup/catalog/own-copy.h"
#include "backup/catalog/restore-txt.h"
#include "backup/catalog/stored-host.h"
#include "backup/store/store-impl.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>
#include <unistd.h>

/* Ids that are tried one after the other where hosts begin in the same second. */
#define ID_TRIES 60

/* A store in front of the store, which remembers what was put there, so that all of it can be taken back. */
typedef struct {
	HfStore base;
	HfStore *behind;
	GPtrArray *keys; /* of char * */
} Recorder;

struct HfSetWriter {
	HfStore *store;
	Recorder *recorder;
	char *id;
	bool is_fork; /* which does not commit */
	bool is_committed;
};

static HfListing *
recorder_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	return hf_store_list(((Recorder *)self)->behind, prefix, start_after, error);
}

static bool
recorder_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error)
{
	return hf_store_read(((Recorder *)self)->behind, key, range, into, error);
}

static HfStage *
recorder_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error)
{
	Recorder *recorder = (Recorder *)self;

	g_ptr_array_add(recorder->keys, g_strdup(key));
	return hf_store_write(recorder->behind, key, meta, error);
}

/* After any other failure the object may be there all the same: an answer was lost, perhaps. */
static bool
is_refusal(const GError *trouble)
{
	return hf_error_is(trouble, HF_ERROR_CONFLICT) || hf_error_is(trouble, HF_ERROR_USAGE) ||
	       hf_error_is(trouble, HF_ERROR_DENIED) || hf_error_is(trouble, HF_ERROR_NOT_FOUND);
}

static bool
recorder_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	Recorder *recorder = (Recorder *)self;
	GError *trouble = NULL;
	bool is_done = hf_store_create(recorder->behind, key, bytes, &trouble);

	if (is_done || !is_refusal(trouble))
		g_ptr_array_add(recorder->keys, g_strdup(key));
	if (trouble)
		g_propagate_error(error, trouble);
	return is_done;
}

static bool
recorder_replace(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error)
{
	return hf_store_replace(((Recorder *)self)->behind, key, bytes, etag, error);
}

static bool
recorder_remove(HfStore *self, const char *const *keys, GError **error)
{
	return hf_store_remove(((Recorder *)self)->behind, keys, error);
}

static void
recorder_clear(HfStore *self)
{
	g_ptr_array_unref(((Recorder *)self)->keys);
}

static const HfStoreOps recorder_ops = {
	.list = recorder_list,
	.read = recorder_read,
	.write = recorder_write,
	.create = recorder_create,
	.replace = recorder_replace,
	.remove = recorder_remove,
	.clear = recorder_clear,
};

static Recorder *
recorder_new(HfStore *behind)
{
	Recorder *recorder = g_new0(Recorder, 1);

	hf_store_init(&recorder->base, &recorder_ops, g_strdup(hf_store_location(behind)));
	recorder->base.endpoint = g_strdup(hf_store_endpoint(behind));
	recorder->base.keyring = hf_store_keyring(behind);
	recorder->base.copies = hf_store_copies(behind);
	recorder->base.borrows_keyring = true;
	recorder->behind = behind;
	recorder->keys = g_ptr_array_new_with_free_func(g_free);
	return recorder;
}

/* ---- the id ---- */

/* Whether anything but our claim carries the id. */
static bool
is_taken(HfStore *store, const char *id, bool *is_taken_out, GError **error)
{
	static const char *const prefixes[] = {HF_SET_PREFIX, HF_DATABASE_PREFIX, HF_IMAGES_PREFIX};
	g_autofree char *claim = hf_name_claim(id);

	*is_taken_out = false;
	for (size_t i = 0; i < G_N_ELEMENTS(prefixes) && !*is_taken_out; i++) {
		g_autofree char *stem = hf_name_stem(prefixes[i], id);
		g_autoptr(HfListing) listing = hf_store_list(store, stem, NULL, error);
		const HfObject *object;

		if (!listing)
			return false;
		do {
			if (!hf_listing_next(listing, &object, error))
				return false;
			*is_taken_out = *is_taken_out || (object && strcmp(object->key, claim) != 0);
		} while (object && !*is_taken_out);
	}
	return true;
}

/*
 * The claim comes first and the look after it: two hosts that begin in the same second then never both go on with one
 * id, and neither writes over the other's objects.
 */
static bool
claim_id(HfSetWriter *writer, const char *id, bool *is_ours_out, GError **error)
{
	g_autofree char *claim = hf_name_claim(id);
	g_autofree char *host = hf_stored_host(writer->store);
	const char *tag = hf_fence_tag();
	g_autofree char *text = g_strdup_printf("%s %ld%s%s\n", host, (long)getpid(), tag ? " " : "",
						tag ? tag : "");
	g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
	const char *const keys[] = {claim, NULL};
	g_autoptr(GError) trouble = NULL;
	bool taken;

	*is_ours_out = false;
	if (!hf_store_create(&writer->recorder->base, claim, bytes, &trouble)) {
		if (hf_error_is(trouble, HF_ERROR_CONFLICT))
			return true;
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	if (!is_taken(writer->store, id, &taken, error))
		return false;
	*is_ours_out = !taken;
	if (!taken)
		return true;
	g_ptr_array_set_size(writer->recorder->keys, 0);
	return hf_store_remove(writer->store, keys, error);
}

/* Here rather than when hours of work are to be committed. */
static bool
check_signing(const HfStore *store, GError **error)
{
	const HfKeyring *keyring = hf_store_keyring(store);

	return !hf_keyring_trusted(keyring) || hf_keyring_signing_key(keyring) ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "SIGNING_PUBLIC_KEYS is set and SIGNING_KEY_FILE is not: a set without a "
			    "signature would be "
			    "taken for a forged one, so set it, or make backups where it is set");
}

HfSetWriter *
hf_set_writer_new(HfStore *store, int64_t now_s, GError **error)
{
	g_autoptr(HfSetWriter) writer = NULL;

	if (!check_signing(store, error))
		return NULL;
	writer = g_new0(HfSetWriter, 1);
	writer->store = store;
	writer->recorder = recorder_new(store);
	for (int i = 0; i < ID_TRIES; i++) {
		g_autofree char *id = hf_clock_set_id(now_s + i);
		bool is_ours;

		if (!claim_id(writer, id, &is_ours, error))
			return NULL;
		if (is_ours) {
			writer->id = g_steal_pointer(&id);
			return g_steal_pointer(&writer);
		}
	}
	hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" has a set for each of the next %d seconds",
		     hf_store_location(store), ID_TRIES);
	return NULL;
}

HfSetWriter *
hf_set_writer_fork(const HfSetWriter *writer, HfStore *store)
{
	HfSetWriter *fork = g_new0(HfSetWriter, 1);

	fork->store = store;
	fork->recorder = recorder_new(store);
	fork->id = g_strdup(writer->id);
	fork->is_fork = true;
	return fork;
}

void
hf_set_writer_join(HfSetWriter *writer, HfSetWriter *fork)
{
	g_assert(fork->is_fork);
	g_ptr_array_extend_and_steal(writer->recorder->keys, g_steal_pointer(&fork->recorder->keys));
	fork->recorder->keys = g_ptr_array_new_with_free_func(g_free);
	hf_set_writer_free(fork);
}

const char *
hf_set_writer_id(const HfSetWriter *writer)
{
	return writer->id;
}

HfStore *
hf_set_writer_store(const HfSetWriter *writer)
{
	return writer->store;
}

/* ---- what is stored ---- */

HfStage *
hf_set_writer_archive(HfSetWriter *writer, const char *prefix, const HfArchiveOptions *options,
		      HfArchive *record, GError **error)
{
	g_autofree char *stem = hf_name_stem(prefix, writer->id);
	HfArchiveOptions own = *options;

	own.stem = stem;
	return hf_archive_write(&writer->recorder->base, &own, record, error);
}

bool
hf_set_writer_index(HfSetWriter *writer, HfDatabaseRecord *record, const GPtrArray *tables, GError **error)
{
	const HfArchiveOptions options = {.extension = HF_EXT_INDEX,
					  .is_metadata = true,
					  .compression = {.kind = record->archive->compression}};
	g_autoptr(HfArchive) index = hf_archive_new(options.compression.kind);
	g_autoptr(HfStage) stage = hf_set_writer_archive(writer, HF_DATABASE_PREFIX, &options, index, error);

	if (!stage || !hf_index_write(stage, writer->id, tables, record->archive->members, error) ||
	    !hf_stage_finish(stage, error))
		return false;
	record->index = g_steal_pointer(&index);
	return true;
}

static bool
store_bytes(HfStore *store, const char *key, GBytes *bytes, GError **error)
{
	const HfObjectMeta meta = {.content_type = "text/plain; charset=utf-8"};
	g_autoptr(HfStage) stage = hf_store_write(store, key, &meta, error);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	return stage && hf_stage_write(stage, data, len, error) && hf_stage_finish(stage, error);
}

/* In front of the manifest: of a set that exists it is known whether it is suspect. */
static bool
store_alarms(HfSetWriter *writer, const HfManifest *manifest, GError **error)
{
	if (!manifest->alarms || manifest->alarms->len == 0)
		return true;
	return hf_marks_write_suspect(&writer->recorder->base, manifest, error);
}

/* Where names are encrypted there are two: the commands, which tell names, and how to come by them. */
static bool
store_restore_txt(HfSetWriter *writer, const HfManifest *manifest, GError **error)
{
	const HfKeyring *keyring = hf_store_keyring(writer->store);
	g_autofree char *key = hf_name_restore(writer->id);
	g_autofree char *sealed_key = hf_name_restore_sealed(writer->id);
	g_autoptr(GBytes) text = hf_restore_txt(writer->store, manifest);
	g_autoptr(GBytes) sealed = NULL;
	g_autoptr(GBytes) readable = NULL;

	if (!hf_keyring_hides_names(keyring))
		return store_bytes(&writer->recorder->base, key, text, error);
	sealed = hf_keyring_seal(keyring, text, error);
	if (!sealed || !store_bytes(&writer->recorder->base, sealed_key, sealed, error))
		return false;
	readable = hf_restore_txt_sealed(writer->store, writer->id, sealed);
	return store_bytes(&writer->recorder->base, key, readable, error);
}

/* A set is worth more than its place in the chain: what cannot be read now is only told. */
static bool
link_to_others(HfSetWriter *writer, HfManifest *manifest, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfChain) chain = hf_chain_read(writer->store, &trouble);

	g_clear_pointer(&manifest->previous, g_array_unref);
	if (chain) {
		manifest->previous = hf_chain_heads(chain);
		return true;
	}
	if (hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	g_warning("the set will not name the sets before it, since they could not be read: %s",
		  trouble->message);
	return true;
}

/* In whose favour the store decided: a fence in the manifest's place, or a set that nobody expected. */
static bool
explain_conflict(HfSetWriter *writer, GError *cause, GError **error)
{
	g_autofree char *host = NULL;
	bool is_fence = false;

	if (!hf_error_is(cause, HF_ERROR_CONFLICT) ||
	    !hf_fence_find(writer->store, writer->id, &is_fence, &host, NULL) || !is_fence) {
		g_propagate_error(error, cause);
		return false;
	}
	g_error_free(cause);
	return hf_error_set(
		error, HF_ERROR_CONFLICT,
		"host \"%s\" took this run's lease over and keeps set %s from being committed: was this "
		"host asleep, or cut off from the store?  Nothing was stored",
		host ? host : "?", writer->id);
}

/* The signature first: a set that exists is never without it. */
static bool
store_manifest(HfSetWriter *writer, const HfManifest *manifest, GError **error)
{
	g_autofree char *key = hf_name_manifest(writer->id);
	g_autoptr(GBytes) json = hf_manifest_to_json(manifest);
	g_autoptr(GBytes) stored = hf_manifest_hide(json, hf_store_keyring(writer->store), error);
	GError *cause = NULL;

	if (!stored)
		return false;
	hf_own_copy_keep(writer->store, manifest, json, stored);
	if (!hf_signed_write(&writer->recorder->base, key, stored, manifest->finished_s, error) ||
	    !hf_fence_check(HF_FENCE_ASK, error))
		return false;
	return hf_store_create(&writer->recorder->base, key, stored, &cause) ||
	       explain_conflict(writer, cause, error);
}

bool
hf_set_writer_commit(HfSetWriter *writer, HfManifest *manifest, GError **error)
{
	g_autofree char *claim = hf_name_claim(writer->id);
	const char *const claims[] = {claim, NULL};

	g_assert(strcmp(manifest->id, writer->id) == 0 && !writer->is_fork);
	if (!link_to_others(writer, manifest, error) || !store_restore_txt(writer, manifest, error) ||
	    !store_alarms(writer, manifest, error) || !store_manifest(writer, manifest, error))
		return false;
	writer->is_committed = true;
	hf_own_copy_tidy(writer->store, manifest, manifest->finished_s);
	/* The set is good from here on; a claim that stays is ignored beside a manifest. */
	(void)!hf_store_remove(writer->store, claims, NULL);
	return true;
}

/*
 * The newest object first and alone: where the manifest may be there and cannot be removed, the set is whole, and must
 * stay so.
 */
static void
take_back(HfSetWriter *writer)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *keys = writer->recorder->keys;
	g_autofree char *newest = NULL;

	if (keys->len == 0)
		return;
	newest = g_ptr_array_steal_index(keys, keys->len - 1);
	g_ptr_array_add(keys, NULL);
	if (!hf_store_remove(writer->store, (const char *const[]){newest, NULL}, &error) ||
	    !hf_store_remove(writer->store, (const char *const *)keys->pdata, &error))
		g_warning("what the failed backup had stored could not be taken back (without a manifest it "
			  "is no backup): %s",
			  error->message);
}

void
hf_set_writer_free(HfSetWriter *writer)
{
	if (!writer)
		return;
	if (!writer->is_committed)
		take_back(writer);
	if (!writer->is_committed && !writer->is_fork && writer->id)
		hf_own_copy_forget(writer->store, writer->id);
	hf_store_free(&writer->recorder->base);
	g_free(writer->id);
	g_free(writer);
}
