/* The marks of a set at a replica: they follow the store's. */
#include "config.h"

#include "backup/catalog/replicate-impl.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	char *key;
	HfName name;
	HfObject ours, its; /* their keys are not set */
	char *our_etag, *its_etag;
	bool is_ours, is_its; /* which of the two there is */
} Mark;

static void
mark_free(gpointer data)
{
	Mark *mark = data;

	g_free(mark->key);
	g_free(mark->our_etag);
	g_free(mark->its_etag);
	g_free(mark);
}

static bool
is_mark(HfNameKind kind)
{
	return kind == HF_NAME_PROOF || kind == HF_NAME_FAILED || kind == HF_NAME_SUSPECT ||
	       kind == HF_NAME_ACCEPTED || kind == HF_NAME_HOLD || kind == HF_NAME_SIGNATURE;
}

static Mark *
mark_of(GHashTable *marks, const HfObject *object, const HfName *name)
{
	Mark *mark = g_hash_table_lookup(marks, object->key);

	if (!mark) {
		mark = g_new0(Mark, 1);
		mark->key = g_strdup(object->key);
		mark->name = *name;
		g_hash_table_insert(marks, mark->key, mark);
	}
	return mark;
}

static bool
list(HfStore *store, const char *id, bool is_replica, GHashTable *marks, GError **error)
{
	g_autofree char *prefix = g_strdup_printf(HF_SET_PREFIX "_%s.", id);
	g_autoptr(HfListing) listing = hf_store_list(store, prefix, NULL, error);
	const HfObject *object = NULL;

	if (!listing)
		return false;
	for (;;) {
		HfName name;
		Mark *mark;

		if (!hf_listing_next(listing, &object, error))
			return false;
		if (!object)
			return true;
		name = hf_name_read(object->key);
		if (!is_mark(name.kind))
			continue;
		mark = mark_of(marks, object, &name);
		*(is_replica ? &mark->its : &mark->ours) = *object;
		*(is_replica ? &mark->its_etag : &mark->our_etag) = g_strdup(object->etag);
		*(is_replica ? &mark->is_its : &mark->is_ours) = true;
	}
}

static bool
follow(const HfReplicating *work, const HfReplicaSet *set, Mark *mark, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	bool differs, is_refuted;

	mark->ours.etag = mark->our_etag;
	mark->its.etag = mark->its_etag;
	differs = hf_replica_mark_differs(&mark->name, mark->is_ours ? &mark->ours : NULL,
					  mark->is_its ? &mark->its : NULL);
	/* All of the set was read by now, and what was damaged is mended. */
	is_refuted = set->is_doubted && mark->name.kind == HF_NAME_FAILED && !mark->is_ours;
	if (!differs && !is_refuted)
		return true;
	if (!mark->is_ours)
		return hf_store_remove(work->replica, (const char *const[]){mark->key, NULL}, error);
	bytes = hf_replicate_read(work->store, mark->key, error);
	return bytes && hf_replicate_put(work, mark->key, bytes, error);
}

bool
hf_replicate_marks(const HfReplicating *work, const HfReplicaSet *set, GError **error)
{
	g_autoptr(GHashTable) marks = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, mark_free);
	GHashTableIter iter;
	gpointer value;

	if (!list(work->store, set->id, false, marks, error) ||
	    !list(work->replica, set->id, true, marks, error))
		return false;
	g_hash_table_iter_init(&iter, marks);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (!follow(work, set, value, error))
			return false;
	return true;
}
