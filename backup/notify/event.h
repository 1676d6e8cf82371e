/*
 * backup/notify/event.h -- what there is to tell, and when it is told.
 *
 * Each event is about a subject: a kind of job ("backup full"), the proof of a set, a schedule, a replica, the chain of sets.  A subject is
 * well, in trouble, or in another trouble; a message is sent when that changes, and once a day while a trouble stays.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* As they stand in state.db: never renumber. */
typedef enum {
	HF_EVENT_SUCCESS = 0,
	HF_EVENT_FAILURE = 1,
	HF_EVENT_SUSPECT = 2, /* stored, but suspect or partial */
	HF_EVENT_MISSED = 3,  /* a scheduled run was not started at its time */
	HF_EVENT_VERIFIED = 4,
	HF_EVENT_VERIFY_FAILED = 5,
	HF_EVENT_REPLICA_BEHIND = 6,
	HF_EVENT_REPLICA_LEVEL = 7, /* it is not behind */
	HF_EVENT_RECOVERED = 8,     /* never reported: hf_notify_decide() makes it of what is well again */
	HF_EVENT_STARTED = 9,       /* for the heartbeat alone */
	HF_EVENT_TEST = 10,
	HF_EVENT_CHAIN_BROKEN =
		11, /* a set was taken away, or put there by somebody else (catalog/chain.h) */
	HF_EVENT_CHAIN_WHOLE = 12,
	HF_EVENT_COUNT
} HfEvent;

/* "success", "verify_failed", ...  Static. */
const char *hf_event_word(HfEvent event);

/* The other way, "-" being as good as "_". */
bool hf_event_find(const char *word, HfEvent *event_out);

/* NOTIFY_ON: words with blanks or commas between them, "all" or "none", as bits 1 << event.  USAGE names the word. */
bool hf_event_mask(const char *list, unsigned *mask_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * A reminder comes after so long at the earliest: less than a day, so that a nightly run that fails sooner than it did
 * yesterday is still told of today.
 */
#define HF_REMINDER_S (INT64_C(20) * 3600)

/* What is known of a subject; all zero but last -1: nothing. */
typedef struct {
	int last;        /* the HfEvent that it was in last; -1: none */
	int64_t since_s; /* since when it is well, or in trouble */
	int64_t told_s;  /* when a message of its trouble was last made */
} HfStanding;

typedef enum {
	HF_SAY_NOTHING,
	HF_SAY_EVENT,
	HF_SAY_REMINDER,  /* the same trouble as yesterday */
	HF_SAY_RECOVERED, /* the event, which is a good one, ends a trouble */
} HfSay;

/*
 * What to send of an event at now_s, where its subject stood at *last; *next_out is where it stands then.  Nothing else is
 * looked at.  A clock that was set back makes a trouble new.
 */
HfSay hf_notify_decide(const HfStanding *last, HfEvent event, int64_t now_s, HfStanding *next_out);
