#include "config.h"

#include "backup/store/store-impl.h"
#include "backup/store/upkeep.h"
#include "common/clock.h"

void
hf_unfinished_free(HfUnfinished *unfinished)
{
	if (!unfinished)
		return;
	g_free(unfinished->key);
	g_free(unfinished->upload_id);
	g_free(unfinished);
}

GPtrArray *
hf_store_unfinished(HfStore *store, const char *prefix, int64_t before_s, GError **error)
{
	if (!store->ops->unfinished)
		return g_ptr_array_new();
	return store->ops->unfinished(store, prefix ? prefix : "", before_s, error);
}

bool
hf_store_abandon(HfStore *store, const HfUnfinished *unfinished, GError **error)
{
	g_assert(store->ops->abandon);
	return store->ops->abandon(store, unfinished, error);
}

bool
hf_store_upkeep(HfStore *store, HfUpkeep *upkeep_out, GError **error)
{
	*upkeep_out = (HfUpkeep){0};
	return !store->ops->upkeep || store->ops->upkeep(store, upkeep_out, error);
}

bool
hf_store_lock(HfStore *store, const char *key, HfObjectLock *lock_out, GError **error)
{
	*lock_out = (HfObjectLock){0};
	return hf_store_check_key(key, error) &&
	       (!store->ops->lock || store->ops->lock(store, key, lock_out, error));
}

char *
hf_object_lock_to_text(const HfObjectLock *lock, int64_t now_s)
{
	g_autofree char *until = hf_clock_rfc3339(lock->until_s);
	const char *hold = lock->has_legal_hold ? "under legal hold" : NULL;

	if (lock->until_s <= now_s)
		return g_strdup(hold);
	return g_strdup_printf("until %s (%s)%s%s", until, lock->is_compliance ? "compliance" : "governance",
			       hold ? ", and " : "", hold ? hold : "");
}
