#include "config.h"

#include "backup/catalog/remove.h"
#include "backup/catalog/fence.h"
#include "common/error.h"

void
hf_retained_free(HfRetained *retained)
{
	if (!retained)
		return;
	g_free(retained->key);
	g_free(retained->lock);
	g_free(retained);
}

static bool
remove_all(HfStore *store, const GPtrArray *keys, GError **error)
{
	g_autoptr(GPtrArray) closed = g_ptr_array_new();

	for (guint i = 0; i < keys->len; i++)
		g_ptr_array_add(closed, keys->pdata[i]);
	g_ptr_array_add(closed, NULL);
	return keys->len == 0 || hf_store_remove(store, (const char *const *)closed->pdata, error);
}

/* A refusal counts as one where no lock explains it. */
static bool
remove_one(HfStore *store, const char *key, int64_t now_s, GPtrArray *retained, GError **error)
{
	const char *const keys[] = {key, NULL};
	g_autoptr(GError) refusal = NULL;
	g_autofree char *text = NULL;
	HfRetained *stays;
	HfObjectLock lock;

	if (hf_store_remove(store, keys, &refusal))
		return true;
	if (hf_error_is(refusal, HF_ERROR_DENIED) && !hf_store_lock(store, key, &lock, error))
		return false;
	if (hf_error_is(refusal, HF_ERROR_DENIED))
		text = hf_object_lock_to_text(&lock, now_s);
	if (!text) {
		g_propagate_error(error, g_steal_pointer(&refusal));
		return false;
	}
	stays = g_new0(HfRetained, 1);
	stays->key = g_strdup(key);
	stays->lock = g_steal_pointer(&text);
	g_ptr_array_add(retained, stays);
	return true;
}

bool
hf_remove(HfStore *store, const GPtrArray *keys, int64_t now_s, GPtrArray *retained, GError **error)
{
	g_autoptr(GError) refusal = NULL;

	if (keys->len > 0 && !hf_fence_check(HF_FENCE_LOOK, error))
		return false;
	if (remove_all(store, keys, &refusal))
		return true;
	if (!hf_error_is(refusal, HF_ERROR_DENIED)) {
		g_propagate_error(error, g_steal_pointer(&refusal));
		return false;
	}
	/* One by one: most may go, and each that may not has a reason of its own. */
	for (guint i = 0; i < keys->len; i++)
		if (!hf_fence_check(HF_FENCE_LOOK, error) ||
		    !remove_one(store, keys->pdata[i], now_s, retained, error))
			return false;
	return true;
}
