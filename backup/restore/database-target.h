/*
 * backup/restore/database-target.h -- the database that a dump goes into: made, looked at, counted, dropped.
 */
#pragma once

#include "backup/restore/database.h"
#include "backup/source/postgres-connection.h"

/* To a database of the target's server other than the target, to give orders about the target from. */
PGconn *hf_restore_connect_for_orders(const HfPgTarget *target, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes the database from template0; CONFLICT where it exists, DENIED where the login may not. */
bool hf_restore_create(const HfRestoreDatabase *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Drops what hf_restore_create() made; false where it could not.  Also works once a stop was asked for. */
bool hf_restore_drop(const HfPgTarget *target);

/* CONFLICT, naming one of them, where the database holds anything that a dump could meet. */
bool hf_restore_check_empty(const HfPgTarget *target, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The query that counts a table's rows as a dump holds them; g_free() it. */
char *hf_restore_count_sql(PGconn *connection, const char *name);

/* Counts every table's rows and compares; CORRUPT names the first that differs. */
bool hf_restore_compare(const HfPgTarget *target, const GPtrArray *tables, HfRestoreResult *result_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
