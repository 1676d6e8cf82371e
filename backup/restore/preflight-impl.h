/*
 * backup/restore/preflight-impl.h -- the parts of the preflight among themselves.
 */
#pragma once

#include "backup/restore/preflight.h"
#include "backup/source/postgres-connection.h"

typedef struct {
	const HfPreflightOptions *options;
	PGconn *connection; /* to target, or where it is to be made to another database of the server */
	bool is_superuser;
	GPtrArray *findings;
} HfPreflight;

/* remedy may be NULL. */
void hf_preflight_add(HfPreflight *preflight, bool is_error, char *what, const char *remedy);

/* The names that a query with %s for "(VALUES ('a'), ...) AS wanted (name)" gives, as "a", "b"; NULL where none. */
bool hf_preflight_names(HfPreflight *preflight, GHashTable *names, const char *query, char **list_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* roles, extensions, tablespaces, rights that statements want */
bool hf_preflight_check_names(HfPreflight *preflight, GError **error) G_GNUC_WARN_UNUSED_RESULT;
