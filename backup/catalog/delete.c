#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/sweep.h"
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

/* A complete set is as good as any; a partial one as any partial one. */
static bool
has_equal(const GPtrArray *sets, const HfSet *doomed, bool is_images)
{
	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = sets->pdata[i];

		if (set != doomed && has_half(set, is_images) &&
		    (set->status == HF_SET_COMPLETE || set->status == doomed->status))
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
static bool
write_claim(HfStore *store, const char *id, GError **error)
{
	g_autofree char *claim = hf_name_claim(id);
	g_autofree char *text = g_strdup_printf("deleted by %s\n", g_get_host_name());
	g_autoptr(HfStage) stage = hf_store_write(store, claim, NULL, error);

	return stage && hf_stage_write(stage, text, strlen(text), error) && hf_stage_finish(stage, error);
}

bool
hf_set_delete(HfStore *store, const char *id, bool is_forced, HfSweep **sweep_out, GError **error)
{
	g_autoptr(GPtrArray) sets = hf_catalog_list(store, error);
	g_autofree char *manifest = hf_name_manifest(id);
	const char *const keys[] = {manifest, NULL};
	g_autoptr(HfSweep) sweep = NULL;
	const HfSet *doomed;

	if (!sets)
		return false;
	doomed = find_own(sets, id);
	if (!doomed)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" holds no set \"%s\" of ours",
				    hf_store_location(store), id);
	if ((!is_forced && !check_others(sets, doomed, error)) || !write_claim(store, id, error) ||
	    !hf_store_remove(store, keys, error))
		return false;
	/* The look comes after the manifest has gone: a run that begins from here on cannot refer to the set. */
	sweep = hf_sweep_plan(store, id, hf_clock_now_s(), error);
	if (!sweep || !hf_sweep_run(store, sweep, error)) {
		g_prefix_error(error, "set \"%s\" is deleted, but not all of its objects are: ", id);
		return false;
	}
	*sweep_out = g_steal_pointer(&sweep);
	return true;
}
