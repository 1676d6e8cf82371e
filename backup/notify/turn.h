/*
 * backup/notify/turn.h -- whose turn it is to deliver: one process's at a time, and the newest one's.
 *
 * A newcomer has the settings as they are now; who has been at it for hours may have those of yesterday, with the password
 * that was wrong.  So whoever has the turn looks between two tries whether it is awaited, and leaves.  Both are locks on files
 * (flock), so they end with their process, however that ends.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct HfTurn HfTurn;

/*
 * Waits for the turn.  NULL without an error where another newcomer waits already, or where the turn is not given up within half
 * a minute: then somebody else delivers.  CANCELLED.
 */
HfTurn *hf_turn_take(const char *folder, GError **error);

/* Whether a newcomer waits for it. */
bool hf_turn_is_awaited(const HfTurn *turn);

void hf_turn_free(HfTurn *turn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfTurn, hf_turn_free)
