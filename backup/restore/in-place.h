/*
 * backup/restore/in-place.h -- a dump in the place of what a database holds, for logins that may not make another one.
 *
 * One transaction empties the database, restores, compares the rows, and commits: whatever happens before that, the
 * database is as it was.  Its price: everything is locked meanwhile, and one connection does all of the work.
 */
#pragma once

#include "backup/restore/database.h"

/* What an in-place restore would take away. */
typedef struct {
	uint64_t tables, bytes;
} HfInPlaceLoss;

bool hf_in_place_loss(const HfPgTarget *target, HfInPlaceLoss *loss_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* create, allow_non_empty and jobs of options have no meaning here. */
bool hf_restore_in_place(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
			 HfRestoreResult *result_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
