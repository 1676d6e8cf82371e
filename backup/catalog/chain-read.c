#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/chain-impl.h"
#include "backup/catalog/names.h"
#include "backup/store/expect.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

static void
node_free(gpointer data)
{
	HfChainNode *node = data;

	g_free(node->id);
	g_free(node->sha256);
	g_clear_pointer(&node->previous, g_array_unref);
	hf_deletion_free(node->deletion);
	g_free(node);
}

void
hf_chain_free(HfChain *chain)
{
	if (!chain)
		return;
	g_hash_table_unref(chain->by_id);
	g_ptr_array_unref(chain->nodes);
	g_free(chain);
}

static HfChainNode *
node_of(HfChain *chain, const HfName *name)
{
	HfChainNode *node = g_hash_table_lookup(chain->by_id, name->id);

	if (node)
		return node;
	node = g_new0(HfChainNode, 1);
	node->id = g_strdup(name->id);
	node->started_s = name->time_s;
	node->finished_s = name->time_s;
	g_hash_table_insert(chain->by_id, node->id, node);
	g_ptr_array_add(chain->nodes, node);
	return node;
}

static bool
list_nodes(HfChain *chain, HfStore *store, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, HF_SET_PREFIX "_", NULL, error);
	const HfObject *object;

	if (!listing)
		return false;
	do {
		HfName name = {0};
		HfChainNode *node;

		if (!hf_listing_next(listing, &object, error))
			return false;
		if (object) {
			name = hf_name_read(object->key);
			hf_catalog_expect(store, object);
		}
		if (name.kind != HF_NAME_MANIFEST && name.kind != HF_NAME_DELETION)
			continue;
		if (name.kind == HF_NAME_DELETION)
			hf_store_expect(store, object);
		node = node_of(chain, &name);
		node->exists = node->exists || name.kind == HF_NAME_MANIFEST;
		node->is_recorded = node->is_recorded || name.kind == HF_NAME_DELETION;
	} while (object);
	return true;
}

/* What can be gone on without: it is gone meanwhile, or is not what it should be. */
static bool
is_known(GError *trouble, GError **error)
{
	if (!trouble || hf_error_is(trouble, HF_ERROR_NOT_FOUND) || hf_error_is(trouble, HF_ERROR_CORRUPT) ||
	    hf_error_is(trouble, HF_ERROR_USAGE))
		return true;
	g_propagate_error(error, g_error_copy(trouble));
	return false;
}

static void
take_manifest(HfChainNode *node, GBytes *json)
{
	g_autoptr(HfManifest) manifest = hf_manifest_parse(json, node->id, NULL, NULL);

	if (!manifest)
		return;
	node->started_s = manifest->started_s;
	node->finished_s = manifest->finished_s;
	node->previous = g_steal_pointer(&manifest->previous);
}

static bool
read_manifest(HfStore *store, HfChainNode *node, GError **error)
{
	g_autofree char *key = hf_name_manifest(node->id);
	g_autoptr(GError) trouble = NULL;
	g_autoptr(GBytes) json = hf_catalog_read_manifest_bytes(store, node->id, &trouble);

	if (!json) {
		node->exists = !hf_error_is(trouble, HF_ERROR_NOT_FOUND);
		return is_known(trouble, error);
	}
	node->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, json);
	node->is_bad = !hf_signed_check(store, key, json, &node->is_signed, &trouble);
	if (node->is_bad)
		return is_known(trouble, error);
	take_manifest(node, json);
	return true;
}

static bool
read_deletion(HfStore *store, HfChainNode *node, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	node->deletion = hf_deletion_read(store, node->id, &trouble);
	return is_known(trouble, error);
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
	const HfChainNode *left = *(HfChainNode *const *)a, *right = *(HfChainNode *const *)b;

	return strcmp(right->id, left->id);
}

/* As hf_unsigned_judge() has it. */
static void
find_foreign(HfChain *chain)
{
	g_autoptr(GHashTable) vouched = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < chain->nodes->len; i++) {
		const HfChainNode *node = chain->nodes->pdata[i];

		if (!node->exists || node->is_signed != HF_SIGNED_YES)
			continue;
		chain->oldest_signed = node->id;
		for (guint j = 0; node->previous && j < node->previous->len; j++) {
			HfLink *link = &g_array_index(node->previous, HfLink, j);

			g_hash_table_insert(vouched, link->id, link->sha256);
		}
	}
	for (guint i = 0; chain->oldest_signed && i < chain->nodes->len; i++) {
		HfChainNode *node = chain->nodes->pdata[i];

		node->is_foreign = node->exists && node->is_signed == HF_SIGNED_NO &&
				   strcmp(node->id, chain->oldest_signed) > 0 &&
				   g_strcmp0(g_hash_table_lookup(vouched, node->id), node->sha256) != 0;
		if (node->is_foreign)
			g_clear_pointer(&node->previous, g_array_unref);
	}
}

static bool
read_nodes(HfChain *chain, HfStore *store, GError **error)
{
	for (guint i = 0; i < chain->nodes->len; i++) {
		HfChainNode *node = chain->nodes->pdata[i];

		if (!hf_cancel_check(error) || (node->exists && !read_manifest(store, node, error)) ||
		    (node->is_recorded && !read_deletion(store, node, error)))
			return false;
	}
	return true;
}

HfChain *
hf_chain_read(HfStore *store, GError **error)
{
	g_autoptr(HfChain) chain = g_new0(HfChain, 1);
	bool is_read;

	chain->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, node_free);
	chain->nodes = g_ptr_array_new();
	chain->is_checked = hf_keyring_trusted(hf_store_keyring(store)) != NULL;
	is_read = list_nodes(chain, store, error) && read_nodes(chain, store, error);
	hf_store_expect_nothing(store);
	if (!is_read)
		return NULL;
	g_ptr_array_sort(chain->nodes, newest_first);
	find_foreign(chain);
	return g_steal_pointer(&chain);
}
