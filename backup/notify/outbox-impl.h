/*
 * backup/notify/outbox-impl.h -- the tables of messages and of deliveries, each of which has its SQL in a file of its own.
 * All of it is called within hf_state_run().
 */
#pragma once

#include "backup/job/state-impl.h"
#include "backup/notify/outbox.h"

/* messages.c */
bool hf_messages_add(HfState *state, const HfMessage *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_messages_mark_spread(HfState *state, int64_t seq, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* deliveries.c: forgets those of messages up to and with this one */
bool hf_deliveries_trim(HfState *state, int64_t message, GError **error) G_GNUC_WARN_UNUSED_RESULT;
