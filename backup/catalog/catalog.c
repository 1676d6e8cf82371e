#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/fence.h"
#include "backup/catalog/hold.h"
#include "backup/catalog/index.h"
#include "backup/catalog/marks.h"
#include "backup/catalog/names.h"
#include "backup/catalog/unsigned.h"
#include "backup/stage/sink.h"
#include "backup/store/expect.h"
#include "common/error.h"

#include <string.h>

void
hf_set_free(HfSet *set)
{
	if (!set)
		return;
	g_free(set->id);
	g_free(set->trouble);
	g_free(set->suspect_reason);
	g_free(set->hold_reason);
	g_free(set->file_key);
	hf_manifest_free(set->manifest);
	g_free(set);
}

/* ---- listing ---- */

/* What the listing says of one id. */
typedef struct {
	bool has_manifest, has_claim, has_later_part, has_database;
	bool is_held;
	bool has_suspect, has_accepted, has_signature;
	unsigned proofs, failed; /* bit N: level N */
	uint64_t bytes;
	int64_t time_s;
} Seen;

/* A file that is a set by itself, if nothing speaks against it. */
typedef struct {
	char *key;
	HfName name;
	uint64_t bytes;
	int64_t modified_s;
} Candidate;

typedef struct {
	GHashTable *seen;      /* id to Seen */
	GPtrArray *candidates; /* of Candidate */
} Listed;

static void
candidate_free(gpointer data)
{
	g_free(((Candidate *)data)->key);
	g_free(data);
}

static Seen *
seen_of(Listed *listed, const char *id)
{
	Seen *seen = g_hash_table_lookup(listed->seen, id);

	if (!seen) {
		seen = g_new0(Seen, 1);
		g_hash_table_insert(listed->seen, g_strdup(id), seen);
	}
	return seen;
}

static void
add_candidate(Listed *listed, const HfObject *object, const HfName *name)
{
	Candidate *candidate = g_new0(Candidate, 1);

	candidate->key = g_strdup(object->key);
	candidate->name = *name;
	candidate->bytes = object->bytes;
	candidate->modified_s = object->modified_s;
	g_ptr_array_add(listed->candidates, candidate);
}

/* What lies beside a manifest. */
static void
note_mark(Seen *seen, const HfName *name)
{
	seen->is_held = seen->is_held || name->kind == HF_NAME_HOLD;
	seen->has_suspect = seen->has_suspect || name->kind == HF_NAME_SUSPECT;
	seen->has_accepted = seen->has_accepted || name->kind == HF_NAME_ACCEPTED;
	seen->has_signature = seen->has_signature || name->kind == HF_NAME_SIGNATURE;
	if (name->kind == HF_NAME_PROOF)
		seen->proofs |= 1U << name->level;
	if (name->kind == HF_NAME_FAILED)
		seen->failed |= 1U << name->level;
}

static void
note_object(Listed *listed, const HfObject *object)
{
	HfName name = hf_name_read(object->key);
	bool is_archive = name.kind == HF_NAME_DATABASE || name.kind == HF_NAME_IMAGES;
	Seen *seen;

	if (is_archive && name.is_adoptable)
		add_candidate(listed, object, &name);
	if (name.kind == HF_NAME_OTHER || (is_archive && !name.has_own_form))
		return;
	seen = seen_of(listed, name.id);
	seen->time_s = name.time_s;
	seen->bytes += object->bytes;
	seen->has_manifest = seen->has_manifest || name.kind == HF_NAME_MANIFEST;
	seen->has_claim = seen->has_claim || name.kind == HF_NAME_CLAIM;
	seen->has_later_part = seen->has_later_part || name.is_later_part;
	seen->has_database = seen->has_database || name.kind == HF_NAME_DATABASE;
	note_mark(seen, &name);
}

/* Three listings instead of one of everything: the bucket may hold other things, too. */
static bool
list_objects(HfStore *store, Listed *listed, GError **error)
{
	static const char *const prefixes[] = {HF_SET_PREFIX "_", HF_DATABASE_PREFIX "_",
					       HF_IMAGES_PREFIX "_"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autoptr(HfListing) listing = hf_store_list(store, prefixes[i], NULL, error);
		const HfObject *object;

		if (!listing)
			return false;
		do {
			if (!hf_listing_next(listing, &object, error))
				return false;
			if (object) {
				note_object(listed, object);
				hf_catalog_expect(store, object);
			}
		} while (object);
	}
	return true;
}

/* What the names beside the manifest say; why a set is suspect has to be read. */
static void
take_marks(HfStore *store, HfSet *set, const Seen *seen)
{
	/* Where there is nothing to check it with, whether there is one is all that is known. */
	set->is_signed = set->manifest->is_signed == HF_SIGNED_UNCHECKED && !seen->has_signature
				 ? HF_SIGNED_NO
				 : set->manifest->is_signed;
	set->proofs = seen->proofs;
	set->level = MAX(1, g_bit_nth_msf(seen->proofs, -1));
	set->failed_level = MAX(0, g_bit_nth_lsf(seen->failed, -1));
	set->is_accepted = seen->has_accepted;
	set->is_suspect = seen->has_suspect || seen->failed != 0;
	if (set->is_suspect)
		set->suspect_reason = hf_marks_reason(store, set->id, seen->has_suspect, set->failed_level);
}

/* Adds the set of a manifest.  One that cannot be read for what it holds is a row, too; a store that fails is not. */
static bool
add_own(HfStore *store, const char *id, const Seen *seen, GPtrArray *sets, GError **error)
{
	g_autoptr(HfSet) set = g_new0(HfSet, 1);
	g_autoptr(GError) trouble = NULL;

	set->manifest = hf_catalog_read_listed(store, id, &trouble);
	if (hf_error_is(trouble, HF_ERROR_NOT_FOUND))
		return true; /* removed since it was listed */
	if (trouble && !hf_error_is(trouble, HF_ERROR_CORRUPT) && !hf_error_is(trouble, HF_ERROR_USAGE)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	set->id = g_strdup(id);
	set->bytes = seen->bytes;
	if (set->manifest) {
		set->kind = hf_manifest_kind(set->manifest);
		take_marks(store, set, seen);
		set->status = set->manifest->status;
		set->started_s = set->manifest->started_s;
	} else {
		set->kind = seen->has_database ? "database" : "images";
		set->is_damaged = true;
		set->trouble = g_strdup(trouble->message);
		set->is_signed = hf_keyring_trusted(hf_store_keyring(store)) && seen->has_signature
					 ? HF_SIGNED_BAD
					 : HF_SIGNED_NO;
		set->started_s = seen->time_s;
	}
	g_ptr_array_add(sets, g_steal_pointer(&set));
	return true;
}

static HfDatabaseRecord *
adopted_database(const Candidate *candidate)
{
	HfDatabaseRecord *database = hf_database_record_new();

	database->archive = hf_archive_new(HF_COMPRESSION_GZIP);
	hf_archive_add_part(database->archive, candidate->key, candidate->bytes, "");
	database->globals_absent = g_strdup("made by the earlier implementation, which did not store them");
	return database;
}

static void
add_adopted(const Candidate *candidate, GPtrArray *sets)
{
	HfSet *set = g_new0(HfSet, 1);
	bool is_database = candidate->name.kind == HF_NAME_DATABASE;

	set->id = g_strdup(candidate->name.id[0] ? candidate->name.id : candidate->key);
	set->kind = is_database ? "database" : "images";
	set->is_adopted = true;
	set->file_key = g_strdup(candidate->key);
	set->started_s = candidate->name.id[0] ? candidate->name.time_s : candidate->modified_s;
	set->bytes = candidate->bytes;
	set->manifest = hf_manifest_new(set->id);
	set->manifest->started_s = set->started_s;
	set->manifest->finished_s = candidate->modified_s;
	if (is_database)
		set->manifest->database = adopted_database(candidate);
	g_ptr_array_add(sets, set);
}

/* An object of a set, or of a run that has not committed, is not a set of its own. */
static bool
is_own_object(Listed *listed, const Candidate *candidate)
{
	const Seen *seen = candidate->name.has_own_form
				   ? g_hash_table_lookup(listed->seen, candidate->name.id)
				   : NULL;

	return seen && (seen->has_manifest || seen->has_claim || seen->has_later_part);
}

static int
compare_sets(gconstpointer a, gconstpointer b)
{
	const HfSet *left = *(HfSet *const *)a, *right = *(HfSet *const *)b;

	if (left->started_s != right->started_s)
		return left->started_s < right->started_s ? -1 : 1;
	return strcmp(left->id, right->id);
}

/* An adopted file is held under the time in its name. */
static bool
note_hold(HfStore *store, Listed *listed, HfSet *set, GError **error)
{
	const Seen *seen = g_hash_table_lookup(listed->seen, set->id);

	set->is_held = seen && seen->is_held;
	return !set->is_held || hf_hold_read_reason(store, set->id, &set->hold_reason, error);
}

static bool
make_sets(HfStore *store, Listed *listed, GPtrArray *sets, GError **error)
{
	/* In the order in which they were listed, and so expected. */
	g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(listed->seen), (GCompareFunc)strcmp);

	for (const GList *id = ids; id; id = id->next) {
		const Seen *seen = g_hash_table_lookup(listed->seen, id->data);

		if (seen->has_manifest && !add_own(store, id->data, seen, sets, error))
			return false;
	}
	for (guint i = 0; i < listed->candidates->len; i++) {
		const Candidate *candidate = g_ptr_array_index(listed->candidates, i);

		if (!is_own_object(listed, candidate))
			add_adopted(candidate, sets);
	}
	for (guint i = 0; i < sets->len; i++)
		if (!note_hold(store, listed, sets->pdata[i], error))
			return false;
	g_ptr_array_sort(sets, compare_sets);
	if (hf_keyring_trusted(hf_store_keyring(store)))
		hf_unsigned_judge(sets, hf_keyring_bypasses_signatures(hf_store_keyring(store)));
	return true;
}

GPtrArray *
hf_catalog_list(HfStore *store, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(candidate_free);
	g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func((GDestroyNotify)hf_set_free);
	Listed listed = {seen, candidates};
	bool is_whole = list_objects(store, &listed, error) && make_sets(store, &listed, sets, error);

	hf_store_expect_nothing(store);
	return is_whole ? g_steal_pointer(&sets) : NULL;
}

GPtrArray *
hf_catalog_list_ids(HfStore *store, GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(HfListing) listing = hf_store_list(store, HF_SET_PREFIX "_", NULL, error);
	const HfObject *object;

	if (!listing)
		return NULL;
	for (;;) {
		HfName name;

		if (!hf_listing_next(listing, &object, error))
			return NULL;
		if (!object)
			return g_steal_pointer(&ids);
		name = hf_name_read(object->key);
		if (name.kind == HF_NAME_MANIFEST)
			g_ptr_array_add(ids, g_strdup(name.id));
	}
}

/* ---- finding ---- */

/* The key of an adopted file finds it, too: two files may hold the same time. */
static const char *
adopted_key(const HfSet *set)
{
	return set->file_key ? set->file_key : set->id;
}

static bool
is_exact(const HfSet *set, const char *id)
{
	return strcmp(set->id, id) == 0 || strcmp(adopted_key(set), id) == 0;
}

bool
hf_set_is_good(const HfSet *set)
{
	return !set->is_damaged && (set->status == HF_SET_COMPLETE || set->is_accepted) &&
	       (!set->is_suspect || set->is_accepted);
}

/* Of two sets that "latest" may name, the later one in the list being newer. */
static int
preference(const HfSet *set)
{
	return set->is_adopted ? 0 : hf_set_is_good(set) ? 2 : 1;
}

/*
 * The newest good one of our own that holds a database, or else images; one that is suspect where there is no other;
 * else the newest adopted one.
 */
static guint
find_latest_of(const GPtrArray *sets, bool wants_database)
{
	guint found = sets->len;

	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = g_ptr_array_index(sets, i);
		const HfSet *best = found < sets->len ? g_ptr_array_index(sets, found) : NULL;

		if (set->is_damaged || (set->status != HF_SET_COMPLETE && !set->is_accepted) ||
		    (wants_database ? !set->manifest->database : !set->manifest->images))
			continue;
		if (!best || preference(set) >= preference(best))
			found = i;
	}
	return found;
}

static guint
find_latest(const GPtrArray *sets)
{
	guint found = find_latest_of(sets, true);

	return found < sets->len ? found : find_latest_of(sets, false);
}

static guint
find_exact(const GPtrArray *sets, const char *id)
{
	guint found = sets->len;

	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = g_ptr_array_index(sets, i);

		if (!is_exact(set, id))
			continue;
		if (!set->is_adopted)
			return i;
		if (found < sets->len)
			return sets->len; /* two adopted files of one time: the caller names both */
		found = i;
	}
	return found;
}

/* The places of those that id is a beginning of. */
static GArray *
find_beginnings(const GPtrArray *sets, const char *id)
{
	GArray *places = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = g_ptr_array_index(sets, i);

		if (g_str_has_prefix(set->id, id) || g_str_has_prefix(adopted_key(set), id))
			g_array_append_val(places, i);
	}
	return places;
}

/* Names of up to ten sets, the newest first, for a message. */
static char *
name_sets(const GPtrArray *sets, const GArray *places)
{
	GString *names = g_string_new(NULL);
	guint count = places ? places->len : sets->len;

	for (guint i = 0; i < count && i < 10; i++) {
		guint place = places ? g_array_index(places, guint, count - 1 - i) : count - 1 - i;

		g_string_append_printf(names, "%s%s", i ? ", " : "",
				       adopted_key(g_ptr_array_index(sets, place)));
	}
	if (count > 10)
		g_string_append_printf(names, " and %u more", count - 10);
	return g_string_free(names, FALSE);
}

static guint
find_place(const GPtrArray *sets, const char *id, const char *location, GError **error)
{
	bool is_latest = strcmp(id, "latest") == 0;
	guint place = is_latest ? find_latest(sets) : find_exact(sets, id);
	g_autoptr(GArray) places = NULL;
	g_autofree char *names = NULL;

	if (place < sets->len)
		return place;
	if (sets->len == 0) {
		hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" holds no backups", location);
		return place;
	}
	places = find_beginnings(sets, id);
	if (*id && places->len == 1)
		return g_array_index(places, guint, 0);
	names = name_sets(sets, *id && places->len > 1 ? places : NULL);
	if (*id && places->len > 1)
		hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is the beginning of %u sets: name one of %s", id,
			     places->len, names);
	else
		hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" holds no %s\"%s\": there is %s", location,
			     is_latest ? "complete set for " : "set ", id, names);
	return place;
}

bool
hf_catalog_open_names(HfStore *store, HfSet *set, GError **error)
{
	HfManifest *opened;

	if (!set->manifest || !set->manifest->sealed || !hf_keyring_can_read(hf_store_keyring(store)) ||
	    hf_keyring_is_quick(hf_store_keyring(store)))
		return true;
	opened = hf_catalog_read_manifest(store, set->id, error);
	if (!opened)
		return false;
	hf_manifest_free(set->manifest);
	set->manifest = opened;
	return true;
}

HfSet *
hf_catalog_find(HfStore *store, const char *id, GError **error)
{
	g_autoptr(GPtrArray) sets = hf_catalog_list(store, error);
	g_autoptr(HfSet) set = NULL;
	guint place;

	if (!sets)
		return NULL;
	place = find_place(sets, id, hf_store_location(store), error);
	if (place >= sets->len)
		return NULL;
	set = g_ptr_array_steal_index(sets, place);
	return hf_catalog_open_names(store, set, error) ? g_steal_pointer(&set) : NULL;
}

/* ---- the index ---- */

static bool
check_index(const HfIndex *index, const HfDatabaseRecord *database, GError **error)
{
	const HfArchive *archive = database->archive;
	bool has_members = archive->compression != HF_COMPRESSION_NONE;

	if (index->tables->len != database->tables || index->rows != database->rows)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "it counts other tables or rows than the manifest");
	for (guint i = 0; i < index->tables->len; i++) {
		const HfTable *table = g_ptr_array_index(index->tables, i);

		if (table->offset > table->data_offset || table->data_offset > archive->plain_bytes ||
		    table->bytes > archive->plain_bytes - table->data_offset)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "table \"%s\" lies behind the archive's end", table->name);
	}
	return !has_members ||
	       (hf_members_plain_bytes(index->members) == archive->plain_bytes &&
		hf_members_packed_bytes(index->members) == archive->packed_bytes) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "its member table is of another archive");
}

static bool
check_length(const HfArchive *index, uint64_t bytes, GError **error)
{
	return bytes == index->plain_bytes ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "it unpacks to %" G_GUINT64_FORMAT " bytes, the manifest says %" G_GUINT64_FORMAT,
			    bytes, index->plain_bytes);
}

GPtrArray *
hf_catalog_read_tables(HfStore *store, HfManifest *manifest, GError **error)
{
	HfDatabaseRecord *database = manifest->database;
	g_autoptr(HfIndex) index = hf_index_new();
	g_autoptr(HfStage) reader = NULL;
	uint64_t bytes = 0;

	if (!database || !database->index) {
		hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" has no index of tables", manifest->id);
		return NULL;
	}
	reader = hf_meter_new(hf_index_reader_new(manifest->id, index), &bytes);
	if (!hf_archive_read(store, database->index, reader, error))
		return NULL;
	if (!hf_stage_finish(reader, error) || !check_index(index, database, error) ||
	    !check_length(database->index, bytes, error)) {
		const HfPart *part = g_ptr_array_index(database->index->parts, 0);

		g_prefix_error(error, "\"%s\": ", part->key);
		return NULL;
	}
	hf_members_free(database->archive->members);
	database->archive->members = g_steal_pointer(&index->members);
	return g_steal_pointer(&index->tables);
}
