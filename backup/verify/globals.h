/*
 * backup/verify/globals.h -- the roles of a set, as a scratch cluster can take them.
 */
#pragma once

#include <glib.h>

/*
 * The SQL of pg_dumpall --globals-only, changed where it cannot hold in a scratch cluster: tablespaces lie in folder/ts0,
 * folder/ts1 and so on (*tablespaces_out counts them); who granted a membership is left out, since the superuser is
 * another one; settings of a role in one database are left out, since there is none yet.  g_free() it.
 */
char *hf_scratch_globals(const char *sql, const char *folder, unsigned *tablespaces_out);
