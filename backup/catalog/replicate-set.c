/* One set of a replica, brought or mended. */
#include "config.h"

#include "backup/catalog/replicate-impl.h"
#include "backup/catalog/restore-txt.h"
#include "backup/catalog/stored-host.h"
#include "backup/catalog/sweep.h"
#include "backup/sign/minisign.h"
#include "common/error.h"

#include <string.h>
#include <unistd.h>

typedef struct {
	const HfReplicating *work;
	HfReplicaSet *set;
	HfManifest *manifest;
	GBytes *json;           /* the manifest's own bytes */
	bool replaces_manifest; /* there is one at the replica, which is damaged */
} Bringing;

static void
bringing_clear(Bringing *bringing)
{
	hf_manifest_free(bringing->manifest);
	g_clear_pointer(&bringing->json, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bringing, bringing_clear)

G_GNUC_PRINTF(2, 3)
static void
note_mended(const Bringing *bringing, const char *format, ...)
{
	const HfReplicating *work = bringing->work;
	va_list args;
	char *line;

	va_start(args, format);
	line = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(work->result->mended, line);
	if (!work->options->is_dry)
		g_warning("%s: %s: mended", hf_store_location(work->replica), line);
}

/* ---- the manifest ---- */

/* What is not a manifest is of this set alone, also one of a newer version. */
static HfManifest *
parse(GBytes *json, const char *id, const char *where, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	HfManifest *manifest = hf_manifest_parse(json, id, NULL, &trouble);

	if (!manifest)
		hf_error_set(error, HF_ERROR_CORRUPT, "its manifest in %s cannot be read: %s", where,
			     trouble->message);
	return manifest;
}

/* A set of the same id and another content is somebody else's, and stays as it is. */
static bool
compare_manifests(Bringing *bringing, const char *key, GError **error)
{
	HfStore *replica = bringing->work->replica;
	g_autoptr(GError) trouble = NULL;
	g_autoptr(GBytes) its = hf_replicate_read(replica, key, &trouble);
	g_autoptr(HfManifest) other = NULL;

	if (!its && !hf_error_is(trouble, HF_ERROR_CORRUPT)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	if (its && g_bytes_equal(its, bringing->json))
		return true;
	other = its ? hf_manifest_parse(its, bringing->set->id, NULL, NULL) : NULL;
	if (other)
		return hf_error_set(error, HF_ERROR_CONFLICT,
				    "%s holds another set of this id, of host \"%s\": name another prefix or "
				    "folder for the replica",
				    hf_store_location(replica), other->host ? other->host : "unknown");
	bringing->replaces_manifest = true;
	note_mended(bringing, "%s was damaged", key);
	return true;
}

static bool
read_manifest(Bringing *bringing, GError **error)
{
	HfReplicaSet *set = bringing->set;
	g_autofree char *key = hf_name_manifest(set->id);

	bringing->json = hf_replicate_read(bringing->work->store, key, error);
	bringing->manifest = bringing->json ? parse(bringing->json, set->id,
						    hf_store_location(bringing->work->store), error)
					    : NULL;
	return bringing->manifest && (!set->in_replica || compare_manifests(bringing, key, error));
}

static bool
store_manifest(Bringing *bringing, GError **error)
{
	const HfReplicating *work = bringing->work;
	g_autofree char *key = hf_name_manifest(bringing->set->id);
	g_autoptr(GError) trouble = NULL;

	if (bringing->replaces_manifest)
		return hf_replicate_put(work, key, bringing->json, error);
	if (bringing->set->in_replica || hf_store_create(work->replica, key, bringing->json, &trouble))
		return true;
	/* Another host may have brought the same set meanwhile. */
	if (hf_error_is(trouble, HF_ERROR_CONFLICT))
		return compare_manifests(bringing, key, error);
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

/* ---- claims ---- */

/* Until the manifest is there, what lies at the replica is seen to be of a set that is not whole. */
static bool
claim(const Bringing *bringing, GError **error)
{
	g_autofree char *key = hf_name_claim(bringing->set->id);
	g_autofree char *host = hf_stored_host(bringing->work->replica);
	g_autofree char *text = g_strdup_printf("copied by %s %ld\n", host, (long)getpid());
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	return hf_replicate_put(bringing->work, key, bytes, error);
}

/* Beside a manifest a claim means nothing; where this host may not delete there, it stays. */
static void
unclaim(const Bringing *bringing)
{
	g_autofree char *key = hf_name_claim(bringing->set->id);

	(void)!hf_store_remove(bringing->work->replica, (const char *const[]){key, NULL}, NULL);
}

/*
 * A tarball of another set that the replica does not have, or not yet.  Without a claim beside it, it would look like a file of
 * the earlier implementation; with one it goes when nobody refers to it any more.
 */
static bool
claim_other(const Bringing *bringing, const char *id, GError **error)
{
	const HfReplicating *work = bringing->work;
	const HfReplicaSet *other = g_hash_table_lookup(work->look->sets, id);
	g_autofree char *key = hf_name_claim(id);
	bool is_there;
	uint64_t bytes;

	if (strcmp(id, bringing->set->id) == 0 || (other && other->in_replica))
		return true;
	return hf_replicate_size(work->replica, key, &is_there, &bytes, error) &&
	       (is_there || hf_set_claim_deleted(work->replica, id, error));
}

/* ---- archives ---- */

/* Whether the object that is there is what it is to be; a set that is doubted is read. */
static bool
is_whole(const Bringing *bringing, const HfReplicaPart *part, bool *is_whole_out, GError **error)
{
	const HfReplicating *work = bringing->work;
	bool is_there;
	uint64_t bytes;

	if (!hf_replicate_size(work->replica, part->key, &is_there, &bytes, error))
		return false;
	*is_whole_out = is_there && bytes == part->bytes;
	if (*is_whole_out && bringing->set->is_doubted &&
	    !hf_replicate_check(work, part, is_whole_out, error))
		return false;
	if (*is_whole_out || (!is_there && !bringing->set->in_replica))
		return true;
	if (!is_there)
		note_mended(bringing, "%s was missing", part->key);
	else if (bytes != part->bytes)
		note_mended(bringing, "%s had %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT,
			    part->key, bytes, part->bytes);
	else
		note_mended(bringing, "%s was damaged", part->key);
	return true;
}

static bool
bring_part(const Bringing *bringing, const char *id, const HfPart *stored, GError **error)
{
	/* What was there and went wrong is not left to a server that may copy what went wrong. */
	const HfReplicaPart part = {stored->key, stored->bytes, stored->sha256, bringing->set->in_replica};
	bool is_good;

	if (!is_whole(bringing, &part, &is_good, error))
		return false;
	if (is_good || bringing->work->options->is_dry)
		return true;
	return claim_other(bringing, id, error) && hf_replicate_copy(bringing->work, &part, error);
}

static bool
bring_archive(const Bringing *bringing, const char *id, const HfArchive *archive, GError **error)
{
	for (guint i = 0; archive && i < archive->parts->len; i++)
		if (!bring_part(bringing, id, archive->parts->pdata[i], error))
			return false;
	return true;
}

static bool
bring_database(const Bringing *bringing, GError **error)
{
	const HfDatabaseRecord *database = bringing->manifest->database;
	const char *id = bringing->set->id;

	return !database || (bring_archive(bringing, id, database->archive, error) &&
			     bring_archive(bringing, id, database->globals, error) &&
			     bring_archive(bringing, id, database->index, error));
}

static bool
bring_images(const Bringing *bringing, GError **error)
{
	const HfImagesRecord *images = bringing->manifest->images;
	const char *id = bringing->set->id;

	for (guint i = 0; images && i < images->archives->len; i++) {
		const HfImageArchive *archive = images->archives->pdata[i];

		if (!bring_archive(bringing, archive->set_id, archive->archive, error))
			return false;
	}
	return !images ||
	       (bring_archive(bringing, id, images->index, error) &&
		bring_archive(bringing, id, images->top, error) &&
		bring_archive(bringing, id, images->parity, error) &&
		bring_archive(bringing, id, images->dead, error) &&
		(!images->references || bring_archive(bringing, id, images->references->list, error)));
}

/* ---- the whole set ---- */

/* Where names are encrypted: the commands as they are, and how to come by them at the replica; *text_out is the latter. */
static bool
bring_sealed_text(const Bringing *bringing, GBytes **text_out, GError **error)
{
	const HfReplicating *work = bringing->work;
	g_autofree char *key = hf_name_restore_sealed(bringing->set->id);
	g_autoptr(GBytes) sealed = hf_replicate_read(work->store, key, error);

	if (!sealed || !hf_replicate_put(work, key, sealed, error))
		return false;
	*text_out = hf_restore_txt_sealed(work->replica, bringing->set->id, sealed);
	return true;
}

/* It says where the files are, so the replica has one of its own. */
static bool
bring_restore_txt(const Bringing *bringing, GError **error)
{
	const HfReplicating *work = bringing->work;
	g_autofree char *key = hf_name_restore(bringing->set->id);
	g_autoptr(GBytes) text = NULL;
	bool is_there;
	uint64_t bytes;

	if (!hf_replicate_size(work->replica, key, &is_there, &bytes, error))
		return false;
	if (is_there)
		return true;
	if (!bringing->manifest->hides_names)
		text = hf_restore_txt(work->replica, bringing->manifest);
	else if (!bring_sealed_text(bringing, &text, error))
		return false;
	return hf_replicate_put(work, key, text, error);
}

static bool
bring_object(const Bringing *bringing, const char *key, GError **error)
{
	const HfReplicating *work = bringing->work;
	g_autoptr(GBytes) text = NULL;
	bool is_there;
	uint64_t bytes;

	if (!hf_replicate_size(work->store, key, &is_there, &bytes, error))
		return false;
	if (!is_there)
		return true;
	text = hf_replicate_read(work->store, key, error);
	return text && hf_replicate_put(work, key, text, error);
}

/* In front of the manifest, as in the store: of a set that exists it is known whether it is suspect, and signed. */
static bool
bring_what_comes_before(const Bringing *bringing, GError **error)
{
	g_autofree char *suspect = hf_name_suspect(bringing->set->id);
	g_autofree char *manifest = hf_name_manifest(bringing->set->id);
	g_autofree char *signature = g_strconcat(manifest, HF_MINISIGN_SUFFIX, NULL);

	return bring_object(bringing, suspect, error) && bring_object(bringing, signature, error);
}

static bool
bring(Bringing *bringing, GError **error)
{
	const bool is_new = !bringing->set->in_replica;

	if (bringing->work->options->is_dry)
		return bring_database(bringing, error) && bring_images(bringing, error);
	if (is_new && !claim(bringing, error))
		return false;
	if (!bring_database(bringing, error) || !bring_images(bringing, error) ||
	    !bring_restore_txt(bringing, error) || (is_new && !bring_what_comes_before(bringing, error)) ||
	    !store_manifest(bringing, error))
		return false;
	bringing->set->in_replica = true;
	if (is_new)
		unclaim(bringing);
	return hf_replicate_marks(bringing->work, bringing->set, error);
}

bool
hf_replicate_set(const HfReplicating *work, HfReplicaSet *set, GError **error)
{
	g_auto(Bringing) bringing = {.work = work, .set = set};
	const bool is_new = !set->in_replica;

	if (!read_manifest(&bringing, error) || !bring(&bringing, error))
		return false;
	if (is_new)
		g_ptr_array_add(work->result->copied, g_strdup(set->id));
	return true;
}
