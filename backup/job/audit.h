/*
 * backup/job/audit.h -- who asked the API for what, and what was answered.
 *
 * Kept are the newest 10,000 calls that asked for a change and were let in, and the newest 10,000 of all others: neither a page
 * that polls nor a stranger who is refused over and over pushes the first out.
 */
#pragma once

#include "backup/job/state.h"

#define HF_AUDIT_KEPT 10000 /* of each; up to 1,024 more, since they are not counted at each call */

/* Text members may be NULL where not known; each is cut after 1 KiB, and control characters in it become blanks. */
typedef struct {
	int64_t seq; /* when read: the entry's number, which only grows */
	int64_t at_s;
	const char *who; /* the token's subject */
	const char *method, *path;
	int status; /* the HTTP status that was answered */
	const char *request_id;
	const char *peer; /* the client's address */
	const char *what; /* what came of it: a job's id, why it was refused */
} HfAuditEntry;

bool hf_audit_add(HfState *state, const HfAuditEntry *entry, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Several in one transaction, of HfAuditEntry *: all or none.  A busy worker gathers them. */
bool hf_audit_add_all(HfState *state, const GPtrArray *entries, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
	HF_AUDIT_ALL,
	HF_AUDIT_CHANGES, /* of a method that changes something, and let in: 4xx that speak of the caller's rights are not */
	HF_AUDIT_REFUSED, /* 401, 403, 429 */
} HfAuditKind;

/* Of HfAuditEntry *, the newest first, at most limit; before_seq 0, or those that are older than that one. */
GPtrArray *hf_audit_list(HfState *state, HfAuditKind kind, int64_t before_seq, unsigned limit,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;
