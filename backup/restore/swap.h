/*
 * backup/restore/swap.h -- a restored database takes the place of a live one.
 *
 * The new one is made beside it as NAME_restore_T and filled.  Then one transaction renames the old one to NAME_before_T
 * and the new one to NAME: whatever happens to us or to the server, there is either the one or the other under NAME, whole.
 * While the transaction waits for the old one's sessions to end, which it makes end, nobody can open a new one.
 *
 * A comment on the new database says what it is.  A run that died is recognised by it: what it left half filled is dropped
 * by the next one, what it left checked is swapped in without restoring it again.
 */
#pragma once

#include "backup/restore/database.h"

typedef struct HfSwap HfSwap;

/*
 * For the live database that target names, and a set.  CONFLICT where another run is at work on it, NOT_FOUND where there
 * is no such database.  Nothing is changed yet.
 */
HfSwap *hf_swap_new(const HfPgTarget *target, const char *set_id, int64_t now_s,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The new database; what of it is to be like the old one.  Borrowed. */
const HfPgTarget *hf_swap_target(const HfSwap *swap);
const char *hf_swap_tablespace(const HfSwap *swap);

/* Whether an earlier run left it filled and checked with the rows of this set. */
bool hf_swap_is_filled(const HfSwap *swap);

/* Drops what earlier runs left and makes the new database, empty, unless it is there already. */
bool hf_swap_create(HfSwap *swap, const HfRestoreDatabase *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Says that it is filled and was checked: from now on a failure leaves it for the next run. */
bool hf_swap_mark_filled(HfSwap *swap, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Gives the new database the old one's owner, privileges, settings, limit and comment, and renames both.  A failure leaves
 * both as they were, and says so.
 */
bool hf_swap_commit(HfSwap *swap, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NAME_before_T.  Borrowed. */
const char *hf_swap_old_name(const HfSwap *swap);

/* Drops a new database that is not filled, where it was made. */
void hf_swap_free(HfSwap *swap);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSwap, hf_swap_free)
