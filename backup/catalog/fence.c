#include "config.h"

#include "backup/catalog/fence.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

#define FORMAT_NAME "holdfast-fence"
#define BYTES_MAX ((size_t)4096) /* of a fence, and of a claim */

/* ---- a fence ---- */

static GBytes *
to_json(const char *id, const HfFence *fence)
{
	g_autoptr(HfJson) object = json_object_new_object();
	g_autofree char *at = hf_clock_rfc3339(fence->at_s);
	const char *text;

	hf_json_add_text(object, "format", FORMAT_NAME);
	hf_json_add_number(object, "version", 1);
	hf_json_add_text(object, "set", id);
	hf_json_add_text(object, "at", at);
	hf_json_add_text(object, "host", fence->host);
	hf_json_add_text(object, "owner", fence->owner_host);
	hf_json_add_text(object, "job", fence->owner_job);
	text = json_object_to_json_string_ext(object,
					      JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return g_bytes_new(text, strlen(text));
}

bool
hf_fence_is(GBytes *bytes, char **host_out)
{
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);
	g_autoptr(HfJson) object = len > 0 && len <= BYTES_MAX ? hf_json_parse(text, len, NULL) : NULL;
	const char *format = NULL, *host = NULL;

	if (host_out)
		*host_out = NULL;
	if (!object || !hf_json_get_text(object, "format", &format, NULL) || strcmp(format, FORMAT_NAME) != 0)
		return false;
	if (host_out && hf_json_find_text(object, "host", &host, NULL))
		*host_out = g_strdup(host);
	return true;
}

bool
hf_fence_find(HfStore *store, const char *id, bool *is_fence_out, char **host_out, GError **error)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autofree char *etag = NULL;
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GError) cause = NULL;

	*is_fence_out = false;
	if (hf_store_get(store, key, BYTES_MAX, &bytes, &etag, &cause)) {
		*is_fence_out = hf_fence_is(bytes, host_out);
		return true;
	}
	/* A manifest is larger, mostly. */
	if (hf_error_is(cause, HF_ERROR_NOT_FOUND) || hf_error_is(cause, HF_ERROR_CORRUPT))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/* ---- fencing ---- */

typedef struct {
	GHashTable *claims;    /* ids */
	GHashTable *manifests; /* ids: of manifests and of fences */
} Found;

static bool
look(HfStore *store, Found *found, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, HF_SET_PREFIX "_", NULL, error);
	const HfObject *object;

	if (!listing)
		return false;
	do {
		HfName name;

		if (!hf_listing_next(listing, &object, error))
			return false;
		name = object ? hf_name_read(object->key) : (HfName){0};
		if (name.kind == HF_NAME_CLAIM)
			g_hash_table_add(found->claims, g_strdup(name.id));
		if (name.kind == HF_NAME_MANIFEST)
			g_hash_table_add(found->manifests, g_strdup(name.id));
	} while (object);
	return true;
}

/* The third word of a claim. */
static bool
has_tag(GBytes *claim, const char *tag)
{
	gsize len;
	const char *data = g_bytes_get_data(claim, &len);
	g_autofree char *text = g_strndup(data, len);
	g_auto(GStrv) words = g_strsplit_set(text, " \n", 4);

	return g_strv_length(words) >= 3 && strcmp(words[2], tag) == 0;
}

/* CONFLICT: it committed, or somebody fenced it, since we looked. */
static bool
make_fence(HfStore *store, const char *id, const HfFence *fence, GError **error)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autoptr(GBytes) json = to_json(id, fence);
	g_autoptr(GError) cause = NULL;

	if (hf_store_create(store, key, json, &cause) || hf_error_is(cause, HF_ERROR_CONFLICT))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

static bool
fence_one(HfStore *store, const char *id, const char *tag, const HfFence *fence, GError **error)
{
	g_autofree char *key = hf_name_claim(id);
	g_autofree char *etag = NULL;
	g_autoptr(GBytes) claim = NULL;
	g_autoptr(GError) cause = NULL;

	if (hf_store_get(store, key, BYTES_MAX, &claim, &etag, &cause))
		return !has_tag(claim, tag) || make_fence(store, id, fence, error);
	/* Given up since it was listed, or none of ours. */
	if (hf_error_is(cause, HF_ERROR_NOT_FOUND) || hf_error_is(cause, HF_ERROR_CORRUPT))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

bool
hf_fence_runs(HfStore *store, const char *tag, const HfFence *fence, GError **error)
{
	g_autoptr(GHashTable) claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) manifests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	Found found = {claims, manifests};
	GHashTableIter iter;
	gpointer id;

	if (!look(store, &found, error))
		return false;
	g_hash_table_iter_init(&iter, claims);
	while (g_hash_table_iter_next(&iter, &id, NULL))
		if (!g_hash_table_contains(manifests, id) && !fence_one(store, id, tag, fence, error))
			return false;
	return true;
}

/* ---- the guard ---- */

/* Set before a job's threads are started, and taken away after they have ended. */
static struct {
	HfFenceGuard guard;
	void *data;
	char *tag;
} own;

void
hf_fence_set_guard(HfFenceGuard guard, void *data, const char *tag)
{
	own.guard = guard;
	own.data = data;
	g_free(own.tag);
	own.tag = g_strdup(tag);
}

bool
hf_fence_check(HfFenceCare care, GError **error)
{
	return !own.guard || own.guard(own.data, care, error);
}

const char *
hf_fence_tag(void)
{
	return own.tag;
}
