/*
 * backup/notify/note.h -- reporting what happened.
 *
 * Each report moves its subject's standing on and, where hf_notify_decide() says so, puts a message into the outbox, in one
 * transaction.  Nothing is sent here: hf_deliver_start() (backup/job/start.h) starts who does that.
 */
#pragma once

#include "backup/job/record.h"
#include "backup/notify/message.h"

/* Takes message, also on failure. */
bool hf_notify_report(HfState *state, HfMessage *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * For replication: says each time that it looked whether a replica ("replica-1") is behind the store, with the reason, and
 * the remedy where one is known, as text (NULL where it is not behind).  One message is sent when it falls behind, one a day
 * while it stays so, and one when it is level again; so it is called after every look, whatever came of the last one.
 */
bool hf_notify_replica(HfState *state, const char *replica, bool is_behind, const char *text,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * For whoever looked whether the sets are still those that were made: what hf_chain_troubles() says (of char *, empty where all is
 * well).  One message when something is found, one a day with what there is then, and one when the chain is whole
 * again; of a chain that always was, nothing.
 */
bool hf_notify_chain(HfState *state, const GPtrArray *troubles, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A job has begun: told to HEARTBEAT_URL alone, and of backups alone. */
bool hf_notify_started(HfState *state, const HfJobRecord *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;
