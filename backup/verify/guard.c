#include "config.h"

#include "backup/verify/guard.h"
#include "backup/catalog/names.h"
#include "backup/source/scan.h"
#include "backup/verify/shrink.h"
#include "common/error.h"

#include <string.h>

/* Manifests that are read: sets of the other half, and of other sources, may lie in front. */
#define LOOK_BACK_MAX 100

/* The newest sets before it whose halves can be compared with its own; one may be all of these. */
typedef struct {
	HfManifest *database, *images;
	HfManifest *references;   /* of images, and says what rows named: a run of images alone does not */
	const HfManifest *sealed; /* NULL, or the newest one of which it cannot be told */
} Before;

static bool
is_same_database(const HfManifest *now, const HfManifest *before)
{
	return now->database && before->database &&
	       g_strcmp0(now->database->name, before->database->name) == 0;
}

static bool
is_same_source(const HfManifest *now, const HfManifest *before)
{
	return now->images && before->images && !before->images->interrupted &&
	       g_strcmp0(now->images->source, before->images->source) == 0;
}

static bool
is_found(const HfManifest *now, const Before *before)
{
	return (!now->database || before->database) &&
	       (!now->images || (before->images && (!now->images->references || before->references)));
}

/* Takes manifest. */
static void
consider(const HfManifest *now, HfManifest *manifest, GPtrArray *owned, Before *before)
{
	bool is_database = !before->database && is_same_database(now, manifest);
	bool is_source = is_same_source(now, manifest);

	if (manifest->sealed && !before->sealed)
		before->sealed = manifest;
	if (is_database)
		before->database = manifest;
	if (is_source && !before->images)
		before->images = manifest;
	if (is_source && !before->references && manifest->images->references)
		before->references = manifest;
	g_ptr_array_add(owned, manifest);
}

/* A damaged manifest is passed over: an older set is as good to compare with. */
static bool
find_before(HfStore *store, const HfManifest *now, GPtrArray *owned, Before *before, GError **error)
{
	g_autoptr(GPtrArray) ids = hf_catalog_list_ids(store, error);
	guint oldest;

	if (!ids)
		return false;
	oldest = ids->len > LOOK_BACK_MAX ? ids->len - LOOK_BACK_MAX : 0;
	for (guint i = ids->len; i > oldest && !is_found(now, before); i--) {
		g_autoptr(GError) trouble = NULL;
		HfManifest *manifest = hf_catalog_read_known(store, ids->pdata[i - 1], &trouble);

		if (manifest) {
			consider(now, manifest, owned, before);
		} else if (!hf_error_is(trouble, HF_ERROR_CORRUPT) &&
			   !hf_error_is(trouble, HF_ERROR_NOT_FOUND) &&
			   !hf_error_is(trouble, HF_ERROR_USAGE)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
	}
	return true;
}

static bool
compare_tables(HfStore *store, HfManifest *now, HfManifest *before, unsigned percent, GPtrArray *alarms,
	       GError **error)
{
	g_autoptr(GPtrArray) old_tables = hf_catalog_read_tables(store, before, error);
	g_autoptr(GPtrArray) tables = NULL;

	if (!old_tables) {
		g_prefix_error(error, "set \"%s\": ", before->id);
		return false;
	}
	tables = hf_catalog_read_tables(store, now, error);
	if (tables)
		hf_shrink_tables(old_tables, tables, percent, alarms);
	return tables != NULL;
}

static void
compare_images(const HfManifest *now, const Before *before, unsigned percent, GPtrArray *alarms)
{
	if (before->images)
		hf_shrink_images(before->images->images, now->images, percent, alarms);
	if (now->images->references)
		hf_shrink_references(before->references ? before->references->images->references : NULL,
				     now->images->references, alarms);
}

static bool
compare_all(HfStore *store, HfManifest *now, const Before *before, unsigned percent, GError **error)
{
	if (now->images)
		compare_images(now, before, percent, now->alarms);
	if (before->database || before->images)
		now->alarms_against = g_strdup((before->database ? before->database : before->images)->id);
	return !before->database || compare_tables(store, now, before->database, percent, now->alarms, error);
}

/* Nothing to compare with, and that only because it cannot be read. */
static void
tell_sealed(const HfManifest *now, const Before *before)
{
	if (before->sealed && ((now->database && !before->database) || (now->images && !before->images)))
		g_warning("the set was not compared with the one before it: %s", before->sealed->sealed);
}

void
hf_guard(HfStore *store, HfManifest *manifest, unsigned percent)
{
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func((GDestroyNotify)hf_manifest_free);
	g_autoptr(GError) trouble = NULL;
	Before before = {0};

	g_assert(!manifest->alarms);
	manifest->alarms = g_ptr_array_new_with_free_func(g_free);
	if (!find_before(store, manifest, owned, &before, &trouble) ||
	    !compare_all(store, manifest, &before, percent ? percent : HF_SHRINK_PERCENT_DEFAULT, &trouble))
		g_warning("the set could not be compared with the one before it: %s", trouble->message);
	else
		tell_sealed(manifest, &before);
	if (manifest->alarms->len > 0)
		return;
	g_ptr_array_unref(g_steal_pointer(&manifest->alarms));
	g_clear_pointer(&manifest->alarms_against, g_free);
}
