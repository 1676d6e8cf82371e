#include "config.h"

#include "backup/catalog/chain.h"
#include "backup/catalog/names.h"
#include "backup/catalog/retention.h"
#include "backup/catalog/stored-host.h"
#include "backup/catalog/sweep.h"
#include "backup/sign/minisign.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* ---- the only good set stays ---- */

static bool
has_half(const HfSet *set, bool is_images)
{
	return !set->is_damaged && !set->is_adopted && set->manifest &&
	       (is_images ? set->manifest->images != NULL : set->manifest->database != NULL);
}

/* A good set is as good as any; one that is not, as any other that is not. */
static bool
has_equal(const GPtrArray *sets, const HfSet *doomed, bool is_images)
{
	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = sets->pdata[i];

		if (set != doomed && has_half(set, is_images) &&
		    (hf_set_is_good(set) || !hf_set_is_good(doomed)))
			return true;
	}
	return false;
}

static bool
check_others(const GPtrArray *sets, const HfSet *doomed, GError **error)
{
	static const char *const halves[] = {"the database", "the images"};

	for (int i = 0; i < 2; i++)
		if (has_half(doomed, i == 1) && !has_equal(sets, doomed, i == 1))
			return hf_error_set(
				error, HF_ERROR_CONFLICT,
				"set \"%s\" is the only good one of %s: make another first, or add "
				"--force",
				doomed->id, halves[i]);
	return true;
}

static bool
check_held(const HfSet *set, GError **error)
{
	return !set->is_held ||
	       hf_error_set(error, HF_ERROR_CONFLICT, "set \"%s\" is held%s%s: \"holdfast release %s\" first",
			    set->id, set->hold_reason ? ": " : "", set->hold_reason ? set->hold_reason : "",
			    set->id);
}

/* A set that could not be unmade although nothing failed. */
static bool
refuse(const HfSet *set, const GPtrArray *retained, GError **error)
{
	if (retained->len > 0)
		return hf_error_set(error, HF_ERROR_CONFLICT, "set \"%s\" is retained %s", set->id,
				    ((const HfRetained *)retained->pdata[0])->lock);
	return hf_error_set(error, HF_ERROR_CONFLICT,
			    "set \"%s\" was held, or deleted by somebody else, meanwhile", set->id);
}

static const HfSet *
find_own(const GPtrArray *sets, const char *id)
{
	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = sets->pdata[i];

		if (!set->is_adopted && strcmp(set->id, id) == 0)
			return set;
	}
	return NULL;
}

/* ---- deleting ---- */

/* Replaces a claim that a killed remover left after the commit: beside a manifest it means nothing. */
bool
hf_set_claim_deleted(HfStore *store, const char *id, GError **error)
{
	g_autofree char *claim = hf_name_claim(id);
	g_autofree char *host = hf_stored_host(store);
	g_autofree char *text = g_strdup_printf("deleted by %s\n", host);
	g_autoptr(HfStage) stage = hf_store_write(store, claim, NULL, error);

	return stage && hf_stage_write(stage, text, strlen(text), error) && hf_stage_finish(stage, error);
}

/*
 * Looked at once more, just before: whether the set is still there, and whether somebody held it since.  One listing of the
 * names that begin with "backup_T.".
 */
static bool
may_go(HfStore *store, const HfSet *set, bool *may_out, GError **error)
{
	g_autofree char *prefix = g_strdup_printf(HF_SET_PREFIX "_%s.", set->id);
	g_autoptr(HfListing) listing = hf_store_list(store, prefix, NULL, error);
	bool has_manifest = set->is_adopted, is_held = false;
	const HfObject *object;

	if (!listing)
		return false;
	do {
		HfNameKind kind;

		if (!hf_listing_next(listing, &object, error))
			return false;
		kind = object ? hf_name_read(object->key).kind : HF_NAME_OTHER;
		has_manifest = has_manifest || kind == HF_NAME_MANIFEST;
		is_held = is_held || kind == HF_NAME_HOLD;
	} while (object);
	*may_out = has_manifest && !is_held;
	return true;
}

static bool
remove_one(HfStore *store, const char *key, int64_t now_s, GPtrArray *retained, GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(keys, g_strdup(key));
	return hf_remove(store, keys, now_s, retained, error);
}

/* *is_there_out is false where somebody else has deleted it just now. */
static bool
announce(HfStore *store, const char *id, int64_t now_s, bool *is_there_out, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	*is_there_out = true;
	if (!hf_set_claim_deleted(store, id, error))
		return false;
	if (hf_deletion_record(store, id, now_s, &trouble))
		return true;
	*is_there_out = !hf_error_is(trouble, HF_ERROR_NOT_FOUND);
	if (*is_there_out)
		g_propagate_error(error, g_steal_pointer(&trouble));
	return !*is_there_out;
}

/* The set stays: beside a manifest a claim means nothing, but a record would say that the set was put back. */
static bool
take_back(HfStore *store, const char *id, int64_t now_s, GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) retained = g_ptr_array_new_with_free_func((GDestroyNotify)hf_retained_free);
	char *record = hf_name_deletion(id);

	g_ptr_array_add(keys, record);
	g_ptr_array_add(keys, g_strconcat(record, HF_MINISIGN_SUFFIX, NULL));
	g_ptr_array_add(keys, hf_name_claim(id));
	return hf_remove(store, keys, now_s, retained, error);
}

bool
hf_set_unmake(HfStore *store, const HfSet *set, int64_t now_s, GPtrArray *retained, bool *is_deleted_out,
	      GError **error)
{
	g_autofree char *manifest = hf_name_manifest(set->id);
	guint retained_before = retained->len;
	bool may;

	*is_deleted_out = false;
	if (!may_go(store, set, &may, error))
		return false;
	if (!may)
		return true;
	if (!set->is_adopted && !announce(store, set->id, now_s, &may, error))
		return false;
	if (!may)
		return true;
	if (!remove_one(store, set->is_adopted ? set->file_key : manifest, now_s, retained, error))
		return false;
	*is_deleted_out = retained->len == retained_before;
	return *is_deleted_out || set->is_adopted || take_back(store, set->id, now_s, error);
}

bool
hf_set_delete(HfStore *store, const char *id, bool is_forced, HfSweep **sweep_out, GError **error)
{
	g_autoptr(GPtrArray) sets = hf_catalog_list(store, error);
	g_autoptr(GPtrArray) retained = g_ptr_array_new_with_free_func((GDestroyNotify)hf_retained_free);
	const HfSweepOptions options = {.only_id = id};
	int64_t now_s = hf_clock_now_s();
	g_autoptr(HfSweep) sweep = NULL;
	const HfSet *doomed;
	bool is_deleted;

	if (!sets)
		return false;
	doomed = find_own(sets, id);
	if (!doomed)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" holds no set \"%s\" of ours",
				    hf_store_location(store), id);
	if (!check_held(doomed, error) || (!is_forced && !check_others(sets, doomed, error)) ||
	    !hf_set_unmake(store, doomed, now_s, retained, &is_deleted, error))
		return false;
	if (!is_deleted)
		return refuse(doomed, retained, error);
	/* The look comes after the manifest has gone: a run that begins from here on cannot refer to the set. */
	sweep = hf_sweep_plan(store, &options, now_s, error);
	if (!sweep || !hf_sweep_run(store, sweep, now_s, error)) {
		g_prefix_error(error, "set \"%s\" is deleted, but not all of its objects are: ", id);
		return false;
	}
	*sweep_out = g_steal_pointer(&sweep);
	return true;
}
