/*
 * backup/restore/facts.h -- what a stored dump needs of the server that it is restored into, and whether its pieces may be
 * restored side by side: read from its statements alone, before anything is written.
 */
#pragma once

#include "backup/restore/walk.h"

/* The dump's SETs: the last one of each name, in the order in which the names came. */
typedef struct {
	GPtrArray *names, *statements; /* of char */
} HfDumpSets;

void hf_dump_sets_init(HfDumpSets *sets);
void hf_dump_sets_note(HfDumpSets *sets, const char *name, const char *statement);
/* One text of all of them; g_free() it. */
char *hf_dump_sets_text(const HfDumpSets *sets);
void hf_dump_sets_clear(HfDumpSets *sets);

typedef struct {
	GHashTable *owners; /* roles that something is given to by OWNER TO: sets of char */
	GHashTable *roles;  /* all roles that are named, owners too */
	GHashTable *extensions;
	GHashTable *tablespaces;
	GHashTable *languages; /* of functions */
	HfDumpSets sets;       /* in front of the first rows */
	uint64_t first_line;   /* of the first rows' COPY */
	bool has_restrict;     /* psql must know \restrict */
	bool makes_schemas;
	bool has_event_triggers, has_c_functions, has_subscriptions, has_large_objects;
	bool has_transactions; /* BEGIN and COMMIT of its own */
	char *serial_reason;   /* NULL, or why psql alone must restore it */
	uint64_t statements, tables;
	uint64_t read_bytes; /* plain bytes that this took */
} HfDumpFacts;

/* Reads it; archive needs its members unless it is not compressed. */
HfDumpFacts *hf_dump_facts_read(HfStore *store, const HfArchive *archive, const GPtrArray *tables,
				GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_dump_facts_free(HfDumpFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDumpFacts, hf_dump_facts_free)

/* Whether the statements of the archive can be read alone: it has members, or is not compressed. */
bool hf_dump_facts_can_read(const HfArchive *archive, const GPtrArray *tables);
