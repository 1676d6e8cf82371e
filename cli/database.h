/*
 * cli/database.h -- which database the settings, or --to, name.
 */
#pragma once

#include "backup/source/postgres.h"
#include "common/settings.h"

/*
 * From DATABASE_URL, or from DB_*.  USAGE where neither names a database, and where parts that are set contradict the
 * URL: silently backing up the other database would be worse than asking.
 */
HfPgTarget *hf_database_from_settings(const HfSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* From a URL; PGPASSWORD of our environment is its password where it has none, since no child inherits that. */
HfPgTarget *hf_database_from_url(const char *url, GError **error) G_GNUC_WARN_UNUSED_RESULT;
