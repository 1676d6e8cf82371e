/*
 * backup/restore/swap-impl.h -- the parts of a swap among themselves.
 */
#pragma once

#include "backup/source/postgres-connection.h"

/* The name with the suffix, at most 63 bytes, cut between two characters; g_free() all of these. */
char *hf_swap_name(const char *name, const char *suffix);
char *hf_swap_literal(PGconn *connection, const char *text);
char *hf_swap_identifier(PGconn *connection, const char *name);

/* Owner, privileges, settings, limit and comment of one database for another, inside a transaction of the caller's. */
bool hf_swap_carry_over(PGconn *connection, const char *from, const char *to,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
