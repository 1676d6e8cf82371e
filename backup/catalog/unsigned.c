#include "config.h"

#include "backup/catalog/unsigned.h"
#include "backup/catalog/manifest-impl.h"

#include <string.h>

/* The digests that somebody whom we believe names: id to sha256, both borrowed from the manifests. */
static void
note_links(GHashTable *vouched, const HfManifest *manifest)
{
	for (guint i = 0; manifest->previous && i < manifest->previous->len; i++) {
		HfLink *link = &g_array_index(manifest->previous, HfLink, i);

		g_hash_table_insert(vouched, link->id, link->sha256);
	}
}

/* Whoever is vouched for vouches for others, so this is done until nothing is new. */
static bool
vouch_for_more(const GPtrArray *sets, GHashTable *vouched, GHashTable *believed)
{
	bool is_new = false;

	for (guint i = 0; i < sets->len; i++) {
		HfSet *set = sets->pdata[i];
		const char *sha256 = g_hash_table_lookup(vouched, set->id);

		if (set->is_adopted || set->is_damaged || set->is_signed == HF_SIGNED_YES || !sha256 ||
		    strcmp(sha256, set->manifest->sha256) != 0 || !g_hash_table_add(believed, set))
			continue;
		note_links(vouched, set->manifest);
		is_new = true;
	}
	return is_new;
}

static void
condemn(HfSet *set)
{
	set->is_damaged = true;
	set->is_signed = HF_SIGNED_BAD;
	set->trouble = g_strdup_printf(
		"manifest of set \"%s\": it is not signed, though older sets are: it was changed, or is "
		"none of ours",
		set->id);
	g_clear_pointer(&set->manifest, hf_manifest_free);
}

/* What the signed sets vouch for; the oldest one's id, or NULL. */
static const char *
note_signed(const GPtrArray *sets, GHashTable *vouched)
{
	const char *oldest = NULL;

	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = sets->pdata[i];

		if (set->is_adopted || set->is_damaged || set->is_signed != HF_SIGNED_YES)
			continue;
		note_links(vouched, set->manifest);
		oldest = oldest && strcmp(oldest, set->id) < 0 ? oldest : set->id;
	}
	return oldest;
}

void
hf_unsigned_judge(const GPtrArray *sets, bool is_bypassed)
{
	g_autoptr(GHashTable) vouched = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) believed = g_hash_table_new(NULL, NULL);
	const char *oldest = note_signed(sets, vouched);

	if (!oldest || is_bypassed)
		return;
	while (vouch_for_more(sets, vouched, believed))
		;
	for (guint i = 0; i < sets->len; i++) {
		HfSet *set = sets->pdata[i];

		if (!set->is_adopted && !set->is_damaged && set->is_signed == HF_SIGNED_NO &&
		    !g_hash_table_contains(believed, set) && strcmp(set->id, oldest) > 0)
			condemn(set);
	}
}
