#include "config.h"

#include "backup/notify/channel.h"

#include <string.h>

const char *
hf_channel_beat_of(const HfMessage *message)
{
	if (message->event == HF_EVENT_TEST)
		return "/log";
	if (!g_str_has_prefix(message->subject, "backup "))
		return NULL;
	if (message->cause == HF_EVENT_STARTED)
		return "/start";
	return message->cause == HF_EVENT_SUCCESS ? "" : "/fail";
}

bool
hf_channel_wants(const HfChannel *channel, const HfMessage *message)
{
	if (channel->kind == HF_CHANNEL_HEARTBEAT)
		return hf_channel_beat_of(message) != NULL;
	return message->event != HF_EVENT_STARTED && hf_message_is_wanted(message, channel->wanted);
}

bool
hf_channel_send(const HfChannel *channel, const HfMessage *message, int64_t *retry_after_s_out,
		GError **error)
{
	*retry_after_s_out = 0;
	if (channel->trouble) {
		g_propagate_error(error, g_error_copy(channel->trouble));
		return false;
	}
	switch (channel->kind) {
	case HF_CHANNEL_EMAIL:
		return hf_channel_send_mail(channel, message, error);
	case HF_CHANNEL_WEBHOOK:
		return hf_channel_post(channel, message, retry_after_s_out, error);
	case HF_CHANNEL_HEARTBEAT:
		return hf_channel_beat(channel, message, retry_after_s_out, error);
	}
	return false;
}
