/* What a replica lacks: two listings, merged as they come.  What is kept of them is a row a set, and what is missing. */
#include "config.h"

#include "backup/catalog/replicate-impl.h"

#include <string.h>

static void
object_free(gpointer data)
{
	g_free(((HfReplicaObject *)data)->key);
	g_free(data);
}

void
hf_replica_look_free(HfReplicaLook *look)
{
	if (!look)
		return;
	g_hash_table_unref(look->sets);
	g_ptr_array_unref(look->files);
	g_ptr_array_unref(look->left_overs);
	g_free(look);
}

static HfReplicaSet *
set_of(HfReplicaLook *look, const HfName *name)
{
	HfReplicaSet *set = g_hash_table_lookup(look->sets, name->id);

	if (!set) {
		set = g_new0(HfReplicaSet, 1);
		g_strlcpy(set->id, name->id, sizeof set->id);
		set->time_s = name->time_s;
		g_hash_table_insert(look->sets, set->id, set);
	}
	return set;
}

static void
keep_object(GPtrArray *array, const HfName *name, const HfObject *object, bool is_there)
{
	HfReplicaObject *kept = g_new0(HfReplicaObject, 1);

	*kept = (HfReplicaObject){g_strdup(object->key), object->bytes, *name, is_there};
	g_ptr_array_add(array, kept);
}

/*
 * Of marks of one size an older one at the replica is an earlier one; where the store gives both one etag they are the same.  In the
 * same second it counts as earlier: bringing it once more makes it younger.
 */
static bool
is_stale(const HfObject *ours, const HfObject *its)
{
	if (ours->bytes != its->bytes)
		return true;
	if (ours->etag && g_strcmp0(ours->etag, its->etag) == 0)
		return false;
	return ours->modified_s >= its->modified_s;
}

/* A failed proof of level 2 is about the store's own bytes, and of no copy of them. */
#define OF_THE_BYTES 2

bool
hf_replica_mark_differs(const HfName *name, const HfObject *ours, const HfObject *its)
{
	switch (name->kind) {
	case HF_NAME_PROOF:
		return ours && (!its || is_stale(ours, its));
	case HF_NAME_SIGNATURE: /* one that the store lost is no worse at the replica */
		return ours && (!its || is_stale(ours, its));
	case HF_NAME_FAILED:
		return ours && name->level > OF_THE_BYTES && (!its || is_stale(ours, its));
	case HF_NAME_SUSPECT:
	case HF_NAME_ACCEPTED:
	case HF_NAME_HOLD:
		return !ours || !its || is_stale(ours, its);
	case HF_NAME_BESIDE: /* it says where the files are: the replica has one of its own */
		return !its;
	case HF_NAME_OTHER:
	case HF_NAME_MANIFEST:
	case HF_NAME_CLAIM:
	case HF_NAME_DELETION: /* of the store: a replica keeps sets by days of its own */
	case HF_NAME_DATABASE:
	case HF_NAME_IMAGES:
		return false;
	}
	return false;
}

/* Whether the store has it, and the replica has not, or of another size. */
static bool
lacks(const HfObject *ours, const HfObject *its)
{
	return ours && (!its || its->bytes != ours->bytes);
}

static void
note_archive(HfReplicaLook *look, HfReplicaSet *set, const HfName *name, const HfObject *ours,
	     const HfObject *its)
{
	set->has_later_part = set->has_later_part || (ours && name->is_later_part);
	if (!lacks(ours, its))
		return;
	set->differs = true;
	set->missing_bytes += ours->bytes;
	if (name->kind == HF_NAME_IMAGES)
		keep_object(look->left_overs, name, ours, its != NULL);
}

static void
note_beside(HfReplicaSet *set, const HfName *name, const HfObject *ours, const HfObject *its)
{
	if (name->kind == HF_NAME_CLAIM)
		set->has_claim = ours != NULL;
	if (name->kind == HF_NAME_MANIFEST) {
		set->in_store = ours != NULL;
		set->in_replica = its != NULL;
		set->differs = set->differs || lacks(ours, its);
	}
	if (name->kind == HF_NAME_FAILED && its && !ours)
		set->is_doubted = true;
	set->differs = set->differs || hf_replica_mark_differs(name, ours, its);
}

/* ours and its are of one key; one of them may be NULL. */
static void
note(HfReplicaLook *look, const HfObject *ours, const HfObject *its)
{
	const HfName name = hf_name_read(ours ? ours->key : its->key);
	bool is_archive = name.kind == HF_NAME_DATABASE || name.kind == HF_NAME_IMAGES;

	if (is_archive && name.is_adoptable && lacks(ours, its))
		keep_object(look->files, &name, ours, its != NULL);
	if (name.is_own && is_archive)
		note_archive(look, set_of(look, &name), &name, ours, its);
	else if (name.is_own)
		note_beside(set_of(look, &name), &name, ours, its);
}

static bool
merge(HfReplicaLook *look, HfListing *ours, HfListing *its, GError **error)
{
	const HfObject *a, *b;

	if (!hf_listing_next(ours, &a, error) || !hf_listing_next(its, &b, error))
		return false;
	while (a || b) {
		int order = !a ? 1 : !b ? -1 : strcmp(a->key, b->key);

		note(look, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
		if ((order <= 0 && !hf_listing_next(ours, &a, error)) ||
		    (order >= 0 && !hf_listing_next(its, &b, error)))
			return false;
	}
	return true;
}

/* The same three prefixes as in catalog.c: bucket and folder may hold other things, too. */
static bool
merge_all(HfReplicaLook *look, HfStore *store, HfStore *replica, GError **error)
{
	static const char *const prefixes[] = {HF_SET_PREFIX "_", HF_DATABASE_PREFIX "_",
					       HF_IMAGES_PREFIX "_"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autoptr(HfListing) ours = hf_store_list(store, prefixes[i], NULL, error);
		g_autoptr(HfListing) its = ours ? hf_store_list(replica, prefixes[i], NULL, error) : NULL;

		if (!its || !merge(look, ours, its, error))
			return false;
	}
	return true;
}

/* A file of the earlier implementation stands for itself: no manifest, no run and no further parts beside it (catalog.c). */
static bool
is_file(HfReplicaLook *look, const HfReplicaObject *object)
{
	const HfReplicaSet *set = object->name.has_own_form ? g_hash_table_lookup(look->sets, object->name.id)
							    : NULL;

	return !set || (!set->in_store && !set->has_claim && !set->has_later_part);
}

static bool
is_left_over(HfReplicaLook *look, const HfReplicaObject *object)
{
	return !((const HfReplicaSet *)g_hash_table_lookup(look->sets, object->name.id))->in_store;
}

static void
drop_others(HfReplicaLook *look)
{
	GHashTableIter iter;
	gpointer value;

	for (guint i = look->files->len; i > 0; i--)
		if (!is_file(look, look->files->pdata[i - 1]))
			g_ptr_array_remove_index(look->files, i - 1);
	for (guint i = look->left_overs->len; i > 0; i--)
		if (!is_left_over(look, look->left_overs->pdata[i - 1]))
			g_ptr_array_remove_index(look->left_overs, i - 1);
	g_hash_table_iter_init(&iter, look->sets);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const HfReplicaSet *set = value;

		if (set->in_replica && !set->in_store)
			look->oldest_only_s = MIN(look->oldest_only_s, set->time_s);
	}
}

HfReplicaLook *
hf_replica_look(HfStore *store, HfStore *replica, GError **error)
{
	g_autoptr(HfReplicaLook) look = g_new0(HfReplicaLook, 1);

	look->sets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	look->files = g_ptr_array_new_with_free_func(object_free);
	look->left_overs = g_ptr_array_new_with_free_func(object_free);
	look->oldest_only_s = G_MAXINT64;
	if (!merge_all(look, store, replica, error))
		return NULL;
	drop_others(look);
	return g_steal_pointer(&look);
}
