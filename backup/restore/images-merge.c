#include "config.h"

#include "backup/restore/images-merge.h"
#include "common/error.h"

#include <fnmatch.h>
#include <string.h>

struct HfImagesMerge {
	HfImagesMergeOptions options;
	HfImageView *view;
	HfListing *listing; /* NULL: none, or at its end */
	const HfImage *image;
	const HfObject *object;
	char *last_object; /* key */
	bool is_view_at_end;
};

bool
hf_images_glob_matches(const char *glob, const char *key)
{
	return !glob || fnmatch(glob, key, 0) == 0;
}

/* What all keys that match begin with: nothing else has to be listed or looked up. */
static char *
literal_prefix(const char *glob)
{
	return g_strndup(glob ? glob : "", glob ? strcspn(glob, "*?[\\") : 0);
}

HfImagesMerge *
hf_images_merge_new(const HfImagesMergeOptions *options, GError **error)
{
	g_autoptr(HfImagesMerge) merge = g_new0(HfImagesMerge, 1);
	g_autofree char *prefix = literal_prefix(options->only);

	merge->options = *options;
	merge->view = hf_image_view_new(options->store, options->manifest, prefix);
	if (options->target) {
		merge->listing = hf_store_list(options->target, prefix, NULL, error);
		if (!merge->listing)
			return NULL;
	}
	return g_steal_pointer(&merge);
}

bool
hf_images_merge_is_past_objects(const HfImagesMerge *merge)
{
	return !merge->listing && !merge->object;
}

void
hf_images_merge_free(HfImagesMerge *merge)
{
	if (!merge)
		return;
	hf_image_view_free(merge->view);
	hf_listing_free(merge->listing);
	g_free(merge->last_object);
	g_free(merge);
}

static bool
is_skipped(const HfImagesMerge *merge, const char *key)
{
	const char *skip = merge->options.skip_prefix;

	return (skip && g_str_has_prefix(key, skip)) || !hf_images_glob_matches(merge->options.only, key);
}

static bool
check_order(HfImagesMerge *merge, GError **error)
{
	if (merge->last_object && strcmp(merge->last_object, merge->object->key) >= 0)
		return hf_error_set(
			error, HF_ERROR_FAILED,
			"\"%s\" does not list its objects in byte order, so they cannot be compared with "
			"the set: restore into an empty place",
			hf_store_location(merge->options.target));
	g_free(merge->last_object);
	merge->last_object = g_strdup(merge->object->key);
	return true;
}

static bool
next_object(HfImagesMerge *merge, GError **error)
{
	merge->object = NULL;
	while (merge->listing && !merge->object) {
		if (!hf_listing_next(merge->listing, &merge->object, error))
			return false;
		if (!merge->object)
			g_clear_pointer(&merge->listing, hf_listing_free);
		else if (!check_order(merge, error))
			return false;
		else if (is_skipped(merge, merge->object->key))
			merge->object = NULL;
	}
	return true;
}

static bool
next_image(HfImagesMerge *merge, const char **damage_out, GError **error)
{
	merge->image = NULL;
	*damage_out = NULL;
	while (!merge->is_view_at_end && !merge->image && !*damage_out) {
		if (!hf_image_view_next(merge->view, &merge->image, damage_out, error))
			return false;
		merge->is_view_at_end = !merge->image && !*damage_out;
		if (merge->image && !hf_images_glob_matches(merge->options.only, merge->image->key))
			merge->image = NULL;
	}
	return true;
}

bool
hf_images_merge_next(HfImagesMerge *merge, HfImagesStep *step_out, GError **error)
{
	int order;

	*step_out = (HfImagesStep){0};
	if (!merge->image && !next_image(merge, &step_out->damage, error))
		return false;
	if (step_out->damage)
		return true;
	if (!merge->object && !next_object(merge, error))
		return false;
	order = !merge->object ? -1 : !merge->image ? 1 : strcmp(merge->image->key, merge->object->key);
	if (order <= 0)
		step_out->image = g_steal_pointer(&merge->image);
	if (order >= 0)
		step_out->object = g_steal_pointer(&merge->object);
	return true;
}
