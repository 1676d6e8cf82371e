#include "config.h"

#include "backup/catalog/chain-impl.h"
#include "backup/catalog/manifest-impl.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host.h"

#include <string.h>

static HfChainNode *
find(const HfChain *chain, const char *id)
{
	return g_hash_table_lookup(chain->by_id, id);
}

/*
 * What a record is worth to a set that was signed: it must be signed as well.  To one of the time before signing, or where nothing
 * is checked, any is.
 */
static bool
has_record(const HfChain *chain, const HfChainNode *node, bool wants_signed)
{
	return node && node->deletion &&
	       (!chain->is_checked || !wants_signed || node->deletion->is_signed == HF_SIGNED_YES);
}

/* ---- walking ---- */

static void
push_links(GQueue *queue, const HfChain *chain, const GArray *links)
{
	for (guint i = 0; links && i < links->len; i++) {
		HfChainNode *node = find(chain, g_array_index(links, HfLink, i).id);

		if (node)
			g_queue_push_tail(queue, node);
	}
}

/* Adds all that is reached from node, without itself, through sets and records. */
static void
reach(const HfChain *chain, const HfChainNode *from, GHashTable *reached)
{
	g_autoptr(GQueue) queue = g_queue_new();
	HfChainNode *node;

	push_links(queue, chain, from->previous);
	if (from->deletion)
		push_links(queue, chain, from->deletion->previous);
	while ((node = g_queue_pop_head(queue))) {
		if (!g_hash_table_add(reached, node))
			continue;
		push_links(queue, chain, node->previous);
		if (node->deletion)
			push_links(queue, chain, node->deletion->previous);
	}
}

/* All that a set, or a record in the place of one, names. */
static GHashTable *
find_named(const HfChain *chain)
{
	GHashTable *named = g_hash_table_new(NULL, NULL);
	g_autoptr(GQueue) queue = g_queue_new();
	HfChainNode *node;

	for (guint i = 0; i < chain->nodes->len; i++) {
		const HfChainNode *by = chain->nodes->pdata[i];

		push_links(queue, chain, by->exists ? by->previous : NULL);
		push_links(queue, chain, !by->exists && by->deletion ? by->deletion->previous : NULL);
	}
	while ((node = g_queue_pop_head(queue)))
		g_hash_table_add(named, node);
	return named;
}

/*
 * The set whose word about what was before it can be taken: one that nobody names, since ids are not in order where a clock was
 * set back; of several the newest.
 */
static const HfChainNode *
find_witness(const HfChain *chain)
{
	g_autoptr(GHashTable) named = find_named(chain);

	for (guint i = 0; i < chain->nodes->len; i++) {
		const HfChainNode *node = chain->nodes->pdata[i];

		if (node->exists && node->previous && !g_hash_table_contains(named, node) &&
		    !has_record(chain, node, true) &&
		    (!chain->oldest_signed || node->is_signed == HF_SIGNED_YES))
			return node;
	}
	return NULL;
}

/* ---- gaps ---- */

/* Calls for each set that is named and is not as it was named. */
typedef void (*GapFunc)(const HfChain *chain, const HfChainNode *by, const HfLink *link, gpointer context);

static bool
is_whole(const HfChain *chain, const HfChainNode *by, const HfLink *link)
{
	const HfChainNode *node = find(chain, link->id);
	bool wants_signed = by->exists ? by->is_signed == HF_SIGNED_YES
				       : by->deletion->is_signed == HF_SIGNED_YES;
	bool is_recorded = has_record(chain, node, wants_signed) &&
			   strcmp(node->deletion->sha256, link->sha256) == 0;

	if (!node || !node->exists)
		return is_recorded;
	return node->is_bad || g_strcmp0(node->sha256, link->sha256) == 0;
}

static void
find_gaps_in(const HfChain *chain, const HfChainNode *by, const GArray *links, GapFunc call, gpointer context)
{
	for (guint i = 0; links && i < links->len; i++) {
		const HfLink *link = &g_array_index(links, HfLink, i);

		if (!is_whole(chain, by, link))
			call(chain, by, link, context);
	}
}

/* A record names what its set did. */
static void
find_gaps(const HfChain *chain, GapFunc call, gpointer context)
{
	for (guint i = 0; i < chain->nodes->len; i++) {
		const HfChainNode *by = chain->nodes->pdata[i];

		if (by->exists)
			find_gaps_in(chain, by, by->previous, call, context);
		else if (has_record(chain, by, true))
			find_gaps_in(chain, by, by->deletion->previous, call, context);
	}
}

static void
note_gap(const HfChain *chain, const HfChainNode *by, const HfLink *link, gpointer context)
{
	bool *any = context;

	(void)chain;
	(void)by;
	(void)link;
	*any = true;
}

static bool
has_gap(const HfChain *chain)
{
	bool any = false;

	find_gaps(chain, note_gap, &any);
	for (guint i = 0; i < chain->nodes->len; i++)
		any = any || ((const HfChainNode *)chain->nodes->pdata[i])->is_bad;
	return any;
}

/*
 * The sets, of HfChainNode, that are there and should have been reached from the newest one.  Where there is a gap, what is not reached is not
 * known to be put back: what is missing may have led to it.
 */
static GHashTable *
find_strangers(const HfChain *chain)
{
	GHashTable *strangers = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) reached = g_hash_table_new(NULL, NULL);
	const HfChainNode *witness = find_witness(chain);

	if (!witness)
		return strangers;
	reach(chain, witness, reached);
	for (guint i = 0; i < chain->nodes->len; i++) {
		HfChainNode *node = chain->nodes->pdata[i];

		if (node->exists && node != witness && !g_hash_table_contains(reached, node) &&
		    node->finished_s < witness->started_s - HF_CHAIN_SLACK_S)
			g_hash_table_add(strangers, node);
	}
	return strangers;
}

/* ---- what a new set names ---- */

static bool
is_believed(const HfChain *chain, const HfChainNode *node, GHashTable *strangers)
{
	return node->exists && node->sha256 && !node->is_bad && !node->is_foreign &&
	       !has_record(chain, node, true) && !g_hash_table_contains(strangers, node);
}

GArray *
hf_chain_heads(const HfChain *chain)
{
	g_autoptr(GHashTable) strangers = find_strangers(chain);
	g_autoptr(GHashTable) named = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) reached = g_hash_table_new(NULL, NULL);
	GArray *heads = hf_links_new();

	for (guint i = 0; i < chain->nodes->len; i++) {
		const HfChainNode *node = chain->nodes->pdata[i];

		for (guint j = 0; node->exists && node->previous && j < node->previous->len; j++)
			g_hash_table_add(named, find(chain, g_array_index(node->previous, HfLink, j).id));
	}
	/* The newest first: one that only a record names is left out where a newer head leads to it. */
	for (guint i = 0; i < chain->nodes->len && heads->len < HF_LINKS_MAX; i++) {
		HfChainNode *node = chain->nodes->pdata[i];

		if (!is_believed(chain, node, strangers) || g_hash_table_contains(named, node) ||
		    g_hash_table_contains(reached, node))
			continue;
		hf_links_add(heads, node->id, node->sha256);
		reach(chain, node, reached);
	}
	return heads;
}

/* ---- what is wrong ---- */

static void
add_gap(const HfChain *chain, const HfChainNode *by, const HfLink *link, gpointer context)
{
	GPtrArray *troubles = context;
	const HfChainNode *node = find(chain, link->id);
	const char *hint =
		node && node->is_recorded
			? " by one who may (there is a record of it, and it is not signed as it should be)"
			: "";

	g_ptr_array_add(
		troubles,
		node && node->exists
			? g_strdup_printf(
				  "set \"%s\" is not the one that set \"%s\" was made after: its manifest "
				  "was changed, or another one put in its place",
				  link->id, by->id)
			: g_strdup_printf(
				  "set \"%s\" was taken away: set \"%s\" was made after it, and nothing "
				  "says that it was deleted%s; once you know why, \"holdfast delete "
				  "%s\" records that it is gone",
				  link->id, by->id, hint, link->id));
}

static void
add_own_trouble(const HfChain *chain, const HfChainNode *node, GHashTable *strangers, GPtrArray *troubles)
{
	if (node->is_bad) {
		g_ptr_array_add(troubles, g_strdup_printf("set \"%s\" has a wrong signature", node->id));
	} else if (node->is_foreign) {
		g_ptr_array_add(
			troubles,
			g_strdup_printf("set \"%s\" is not signed, though older sets are: it was changed, "
					"or is none of ours",
					node->id));
	} else if (node->exists && has_record(chain, node, true)) {
		g_autofree char *at = hf_clock_rfc3339(node->deletion->at_s);

		g_ptr_array_add(
			troubles,
			g_strdup_printf("set \"%s\" is there although it was deleted at %s: it was put back, "
					"or the deletion was cut short; \"holdfast delete %s\" removes it",
					node->id, at, node->id));
	} else if (g_hash_table_contains(strangers, node)) {
		g_ptr_array_add(troubles,
				g_strdup_printf("set \"%s\" was put back: newer sets were not made after it; "
						"\"holdfast delete %s\" removes it",
						node->id, node->id));
	}
}

static void
add_lost(const HfChain *chain, int64_t lost_s, GPtrArray *troubles)
{
	g_autofree char *id = hf_clock_set_id(lost_s);
	const HfChainNode *node = find(chain, id);

	if ((node && node->exists) || has_record(chain, node, true))
		return;
	g_ptr_array_add(
		troubles,
		g_strdup_printf("set \"%s\" was taken away: it was the newest that this host saw, and "
				"nothing says that it was deleted; once you know why, \"holdfast delete "
				"%s\" takes note of it",
				id, id));
}

/* One line a set, although several sets may name it. */
static void
drop_repeated(GPtrArray *troubles)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < troubles->len;) {
		const char *line = troubles->pdata[i];
		const char *colon = strchr(line, ':');
		char *begin = g_strndup(line, colon ? MIN((size_t)(colon - line), 60) : strlen(line));

		if (g_hash_table_add(seen, begin))
			i++;
		else
			g_ptr_array_remove_index(troubles, i);
	}
}

GPtrArray *
hf_chain_troubles(const HfChain *chain, int64_t lost_s)
{
	GPtrArray *troubles = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) strangers = has_gap(chain) ? g_hash_table_new(NULL, NULL)
							 : find_strangers(chain);

	find_gaps(chain, add_gap, troubles);
	for (guint i = 0; i < chain->nodes->len; i++)
		add_own_trouble(chain, chain->nodes->pdata[i], strangers, troubles);
	if (lost_s > 0)
		add_lost(chain, lost_s, troubles);
	drop_repeated(troubles);
	return troubles;
}

/* ---- what else is asked ---- */

GPtrArray *
hf_chain_ids(const HfChain *chain)
{
	GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);

	for (guint i = chain->nodes->len; i > 0; i--) {
		const HfChainNode *node = chain->nodes->pdata[i - 1];

		if (node->exists)
			g_ptr_array_add(ids, g_strdup(node->id));
	}
	return ids;
}

HfChainCounts
hf_chain_counts(const HfChain *chain)
{
	HfChainCounts counts = {0};

	for (guint i = 0; i < chain->nodes->len; i++) {
		const HfChainNode *node = chain->nodes->pdata[i];

		counts.sets += node->exists;
		counts.is_signed += node->exists && node->is_signed == HF_SIGNED_YES;
		counts.deletions += node->deletion != NULL;
	}
	return counts;
}

/* ---- a set that is known to be gone ---- */

typedef struct {
	const char *id;
	const HfLink *link;
} Sought;

static void
take_link(const HfChain *chain, const HfChainNode *by, const HfLink *link, gpointer context)
{
	Sought *sought = context;

	(void)chain;
	(void)by;
	if (strcmp(link->id, sought->id) == 0)
		sought->link = link;
}

bool
hf_chain_acknowledge(HfStore *store, const char *id, int64_t now_s, GError **error)
{
	g_autoptr(HfChain) chain = hf_chain_read(store, error);
	g_autoptr(HfDeletion) deletion = NULL;
	g_autoptr(GHashTable) behind = NULL;
	Sought sought = {.id = id};
	GHashTableIter iter;
	gpointer key;

	if (!chain)
		return false;
	find_gaps(chain, take_link, &sought);
	if (!sought.link || (find(chain, id) && find(chain, id)->exists))
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "no set names \"%s\"", id);
	deletion = g_new0(HfDeletion, 1);
	deletion->id = g_strdup(id);
	deletion->sha256 = g_strdup(sought.link->sha256);
	deletion->at_s = now_s;
	deletion->host = g_strdup(hf_host_name());
	deletion->previous = hf_links_new();
	behind = find_strangers(chain);
	g_hash_table_iter_init(&iter, behind);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		const HfChainNode *node = key;

		if (!node->sha256 || node->is_bad || node->is_foreign)
			continue;
		hf_links_add(deletion->previous, node->id, node->sha256);
		g_message("set %s is taken to have come before it", node->id);
	}
	return hf_deletion_write(store, deletion, error);
}
