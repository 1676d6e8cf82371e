/*
 * backup/notify/outbox.h -- what is to be told, and what became of it.
 *
 * A message is put in where something happens, in the same transaction, whoever is to hear of it: a worker or a killed job
 * knows no channels.  Whoever delivers spreads it: one delivery for each channel that wants it, which is then tried until
 * it is done or too old.  A crash between a delivery and its note repeats the delivery; the message's id is the same.
 */
#pragma once

#include "backup/job/state.h"
#include "backup/notify/message.h"

/* So many messages are kept, the newest, with their deliveries. */
#define HF_MESSAGES_KEPT 1000

/* A message that is older than this is not tried again. */
#define HF_MESSAGE_AGE_S (INT64_C(24) * 3600)

/* As they stand in state.db: never renumber. */
typedef enum {
	HF_DELIVERY_WAITING = 0,
	HF_DELIVERY_DONE = 1,
	HF_DELIVERY_GIVEN_UP = 2,
	HF_DELIVERY_DROPPED = 3, /* a newer one made it void */
} HfDeliveryStatus;

/* "waiting", "delivered", "given up", "dropped".  Static. */
const char *hf_delivery_word(HfDeliveryStatus status);

typedef struct {
	int64_t seq;
	int64_t at_s;
	char *body; /* hf_message_parse() */
} HfOutboxMessage;

typedef struct {
	int64_t seq, message; /* the latter's seq */
	char *channel;        /* NULL in a listing: nobody was to have it, or it is not known yet */
	HfDeliveryStatus status;
	unsigned tries;
	int64_t tried_s; /* 0: not yet */
	int64_t next_s;  /* when it is tried next */
	char *error;     /* of the last try; NULL */
	int64_t at_s;    /* of the message, as is what follows */
	char *event, *subject;
	bool is_spread;
	char *body;
} HfDelivery;

typedef struct {
	const char *channel;
	bool is_latest_only; /* what still waits for this channel becomes void */
} HfSpread;

/* Of HfOutboxMessage, those that are not spread, the oldest first. */
GPtrArray *hf_outbox_fresh(HfState *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes a delivery for each of the channels (HfSpread *), and notes that the message is spread. */
bool hf_outbox_spread(HfState *state, int64_t message, const GPtrArray *channels,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Of HfDelivery, those that wait, the oldest first. */
GPtrArray *hf_outbox_waiting(HfState *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes status, tries, tried_s, next_s and error. */
bool hf_outbox_settle(HfState *state, const HfDelivery *delivery, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Of HfDelivery, the newest first, at most limit; a message without deliveries is one with channel NULL. */
GPtrArray *hf_outbox_list(HfState *state, unsigned limit, GError **error) G_GNUC_WARN_UNUSED_RESULT;
