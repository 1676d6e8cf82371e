/*
 * backup/job/lease-table.h -- the object in the store that says which jobs run on which hosts (docs/format.md, "Leases").
 *
 * One object for all: whoever changes it reads it, and replaces it only if it is unchanged, so that two jobs that exclude
 * each other never both come in, and a schedule's slot is taken together with the lease.
 */
#pragma once

#include "common/json.h"

#define HF_LEASE_KEY "holdfast_leases.json"
#define HF_LEASE_BYTES_MAX ((size_t)128 << 10)
#define HF_LEASES_MAX 64

typedef struct {
	char *nonce; /* 32 hexadecimal digits, drawn for this job: also the tag of its claims (backup/catalog/fence.h) */
	char *host;
	char *machine; /* which start of which kernel, and which of its process numbers: see lease-process.h; "": not known */
	int64_t pid;
	uint64_t ticks;   /* when that process began */
	char *job;        /* its id on its host; "" where the run is not recorded */
	char *kind;       /* see kind.h */
	char *by;         /* "schedule:daily", "api", "cli" */
	int64_t since_s;  /* Unix time by its host's clock: for people */
	unsigned seconds; /* after so long without a beat it may be taken over */
	uint64_t beat;
	bool is_removing; /* it has begun to prune, besides */
	char *lost_to;    /* NULL, or the host that is taking over: it is not the owner's any more */
	char *phase;      /* NULL, or how far it is, with the numbers that follow (backup/job/progress.h) */
	uint64_t bytes, estimated_bytes, objects, estimated_objects;
} HfLeaseEntry;

/* The last slot of a schedule that was started on any host. */
typedef struct {
	char *schedule;
	int64_t slot_s;
	char *host;
	char *job;
} HfLeaseSlot;

/* A lease that was taken over, so that its owner learns by whom. */
typedef struct {
	char *nonce;
	char *host; /* which took it over */
} HfLeaseLost;

typedef struct {
	uint64_t writes;    /* counts up, so that no two versions of the object are alike */
	GPtrArray *entries; /* of HfLeaseEntry */
	GPtrArray *slots;   /* of HfLeaseSlot */
	GPtrArray *lost;    /* of HfLeaseLost, the newest last, 16 at most */
} HfLeaseTable;

HfLeaseTable *hf_lease_table_new(void);
void hf_lease_table_free(HfLeaseTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfLeaseTable, hf_lease_table_free)

/* CORRUPT where it is none, or of a version that we do not know. */
HfLeaseTable *hf_lease_table_parse(const char *text, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfLeaseTable *hf_lease_table_from_json(HfJson *object, GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfJson *hf_lease_table_to_json(const HfLeaseTable *table);
GBytes *hf_lease_table_to_bytes(const HfLeaseTable *table);

/* Borrowed, or NULL. */
HfLeaseEntry *hf_lease_table_find(const HfLeaseTable *table, const char *nonce);
HfLeaseSlot *hf_lease_table_slot(const HfLeaseTable *table, const char *schedule);

/* Sets the last slot of a schedule. */
void hf_lease_table_set_slot(HfLeaseTable *table, const HfLeaseSlot *slot);

/* Notes that host took the lease over; and who did, borrowed, or NULL where it is not known (any more). */
void hf_lease_table_add_lost(HfLeaseTable *table, const char *nonce, const char *host);
const char *hf_lease_table_taker(const HfLeaseTable *table, const char *nonce);

HfLeaseEntry *hf_lease_entry_copy(const HfLeaseEntry *entry);
void hf_lease_entry_free(HfLeaseEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfLeaseEntry, hf_lease_entry_free)

/* Whether the two may not run at once (kind.h); a kind that we do not know excludes all. */
bool hf_lease_entries_conflict(const HfLeaseEntry *one, const HfLeaseEntry *other);

/*
 * The entry as GET /status tells a job: "id", "kind", "status", "host", "requestedBy", "created", "started", "duration" and
 * "progress".  The caller owns it.
 */
HfJson *hf_lease_entry_to_job(const HfLeaseEntry *entry, int64_t now_s);
