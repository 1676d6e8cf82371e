/*
 * tests/backup/source/postgres-fixture.h -- databases on the test server of HF_TEST_PG_URL.
 */
#pragma once

#include "backup/source/postgres-connection.h"

/* The superuser's login, at the database of that name; the test fails where the variable is missing. */
HfPgTarget *fixture_target(const char *database);

/* The same server, but as this user. */
HfPgTarget *fixture_target_as(const char *database, const char *user, const char *password);

/* Makes an empty database, dropping one of that name; and drops it. */
void fixture_create(const char *database);
void fixture_drop(const char *database);

/* Runs SQL, which must succeed; the first value of its result, or NULL.  g_free() it. */
char *fixture_sql(const char *database, const char *sql);

/* Everything that is legal and awkward. */
extern const char fixture_awkward_sql[];
