/*
 * backup/catalog/chain.h -- the sets as links of a chain, so that one that was taken away, or put back, is noticed.
 *
 * Each manifest names the sets that nothing named before it, with the digest of their manifests: usually one, the newest; more
 * where runs went on side by side.  What is deleted by us leaves a record (deletion.h) that leads on in its place.  So from the
 * newest set everything that belongs to the store is reached: what is named and is neither there nor recorded was taken away, and
 * what is there and is not reached was put there by somebody else.  docs/design.md, section 4, says what this does not notice.
 */
#pragma once

#include "backup/catalog/deletion.h"

/*
 * A set that ended so long before another one began must be reached from that one.  Clocks of two hosts may be apart, and an
 * hour is common (a wrong time zone); a day is not.
 */
#define HF_CHAIN_SLACK_S (24 * 3600)

typedef struct HfChain HfChain;

/* Reads all manifests and records. */
HfChain *hf_chain_read(HfStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_chain_free(HfChain *chain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfChain, hf_chain_free)

/* Of HfLink: what a set that is made now is to name.  g_array_unref() it. */
GArray *hf_chain_heads(const HfChain *chain);

/*
 * What is wrong, of char *, each a line that names the set; empty where nothing is.  lost_s is the id, as a time, of a set that
 * this host saw and misses (backup/job/seen.h); 0: none.
 */
GPtrArray *hf_chain_troubles(const HfChain *chain, int64_t lost_s);

/* The ids of the sets that are there, of char *, oldest first. */
GPtrArray *hf_chain_ids(const HfChain *chain);

typedef struct {
	unsigned sets, is_signed, deletions;
} HfChainCounts;
HfChainCounts hf_chain_counts(const HfChain *chain);

/*
 * Records that set id, which is missing, is known to be gone; sets that nothing leads to now are led to by the record, and named in
 * the log.  NOT_FOUND where no
 * set names it.
 */
bool hf_chain_acknowledge(HfStore *store, const char *id, int64_t now_s,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;
