/*
 * backup/notify/channel.h -- where messages go: one address, one webhook, the heartbeat.
 *
 * A channel is made of the settings, and one whose settings are wrong is a channel all the same, which fails each time with
 * the reason: a slip in one keeps none of the others from being heard.
 */
#pragma once

#include "backup/notify/message.h"
#include "backup/notify/render.h"
#include "common/settings.h"

typedef enum {
	HF_CHANNEL_EMAIL,
	HF_CHANNEL_WEBHOOK,
	HF_CHANNEL_HEARTBEAT,
} HfChannelKind;

typedef struct {
	HfChannelKind kind;
	char *key; /* "email ops@example.org", "webhook hooks.slack.com 1f0c23ab": no secret, and the same each time */
	unsigned wanted; /* hf_event_mask() */
	GError *trouble; /* NULL, or why it cannot be used */
	char *name;      /* what this installation is called */
	HfSecret *url;   /* of a mail server without its login */
	char *ca_file;   /* NULL: the system's */
	bool is_open;    /* anybody on the way can read along */

	/* e-mail */
	char *to, *from, *from_name;
	char *user;
	HfSecret *password;
	bool wants_tls; /* by STARTTLS; smtps:// has it anyway */

	/* webhook */
	HfFormat format;
	HfSecret *secrets; /* NULL: not signed */
} HfChannel;

/* Of HfChannel; none where none is configured. */
GPtrArray *hf_channels_load(const HfSettings *settings);

/* Whether it is to get this message. */
bool hf_channel_wants(const HfChannel *channel, const HfMessage *message);

/*
 * Sends it, now, within a minute.  Whatever goes wrong is TRANSIENT, or USAGE for settings that are wrong, with the remedy
 * where one is known; *retry_after_s_out is 0, or what the other side asked for.  CANCELLED where a stop was asked for.
 */
bool hf_channel_send(const HfChannel *channel, const HfMessage *message, int64_t *retry_after_s_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ---- between channel.c and those that send ---- */

bool hf_channel_send_mail(const HfChannel *channel, const HfMessage *message,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_channel_post(const HfChannel *channel, const HfMessage *message, int64_t *retry_after_s_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_channel_beat(const HfChannel *channel, const HfMessage *message, int64_t *retry_after_s_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the heartbeat's URL gets appended for it; NULL: it is not told of. */
const char *hf_channel_beat_of(const HfMessage *message);
