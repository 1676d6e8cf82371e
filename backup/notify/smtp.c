#include "config.h"

#include "backup/notify/channel.h"
#include "backup/notify/transfer.h"
#include "common/error.h"

#include <string.h>

#define CA_SETTING "SMTP_CA_BUNDLE"

typedef struct {
	const char *text;
	size_t left;
} Reading;

static size_t
on_read(char *buffer, size_t size, size_t count, void *data)
{
	Reading *reading = data;
	size_t len = MIN(size * count, reading->left);

	memcpy(buffer, reading->text, len);
	reading->text += len;
	reading->left -= len;
	return len;
}

static bool
is_refusal(char digit)
{
	return digit == '4' || digit == '5';
}

/* The server's replies come by the header callback; the last refusal is what a failure is about, and not the goodbye. */
static size_t
on_reply(char *data, size_t size, size_t count, void *target)
{
	HfTransfer *transfer = target;

	(void)size;
	if (count == 0 || (is_refusal(transfer->said->str[0]) && !is_refusal(data[0])))
		return count;
	g_string_truncate(transfer->said, 0);
	g_string_append_len(transfer->said, data, (gssize)MIN(count, (size_t)HF_TRANSFER_SAID_BYTES));
	return count;
}

static void
set_login(CURL *curl, const HfChannel *channel)
{
	if (!channel->user)
		return;
	curl_easy_setopt(curl, CURLOPT_USERNAME, channel->user);
	curl_easy_setopt(curl, CURLOPT_PASSWORD, channel->password ? hf_secret_bytes(channel->password) : "");
}

static void
set_envelope(CURL *curl, const HfChannel *channel, struct curl_slist *recipients)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_USE_SSL,
			 channel->wants_tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, channel->from);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
}

/* libcurl's codes of what a mail server refuses, with what may help; all else is left unsaid. */
static void
explain_refusal(const HfChannel *channel, const HfTransfer *transfer, const char *who, GError **error)
{
	const char *secret = channel->password ? hf_secret_bytes(channel->password) : NULL;
	g_autofree char *words = hf_transfer_words(transfer, secret);

	if (transfer->result == CURLE_USE_SSL_FAILED)
		hf_error_set(error, HF_ERROR_TRANSIENT,
			     "%s: it offers no STARTTLS%s: use smtps:// where it has TLS from the start, or "
			     "SMTP_TLS=off where it has none",
			     who, words);
	else if (transfer->result == CURLE_LOGIN_DENIED)
		hf_error_set(error, HF_ERROR_TRANSIENT,
			     "%s: the login is refused%s: check SMTP_USER and SMTP_PASSWORD", who, words);
	else if (transfer->result == CURLE_SEND_ERROR || transfer->result == CURLE_RECV_ERROR ||
		 transfer->result == CURLE_WEIRD_SERVER_REPLY)
		hf_error_set(error, HF_ERROR_TRANSIENT, "%s: it refuses the mail%s", who,
			     *words ? words : " and says nothing");
}

static bool
perform(const HfChannel *channel, HfTransfer *transfer, const char *who, GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autoptr(GError) told = NULL;

	if (hf_transfer_run(transfer, who, CA_SETTING, &cause))
		return true;
	if (!hf_error_is(cause, HF_ERROR_CANCELLED))
		explain_refusal(channel, transfer, who, &told);
	g_propagate_error(error, told ? g_steal_pointer(&told) : g_steal_pointer(&cause));
	return false;
}

bool
hf_channel_send_mail(const HfChannel *channel, const HfMessage *message, GError **error)
{
	const HfLetter letter = {.name = channel->name,
				 .from_name = channel->from_name,
				 .from = channel->from,
				 .to = channel->to};
	g_autofree char *mail = hf_render_mail(message, &letter);
	g_autofree char *host = hf_transfer_host(channel->url);
	g_autofree char *who = g_strconcat("mail server ", host, NULL);
	g_autoptr(HfTransfer) transfer = hf_transfer_new(channel->url, channel->ca_file, error);
	Reading reading = {.text = mail, .left = strlen(mail)};
	struct curl_slist *recipients = NULL;
	bool is_sent;

	if (!transfer)
		return false;
	recipients = curl_slist_append(recipients, channel->to);
	set_login(transfer->curl, channel);
	set_envelope(transfer->curl, channel, recipients);
	curl_easy_setopt(transfer->curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(transfer->curl, CURLOPT_READDATA, &reading);
	curl_easy_setopt(transfer->curl, CURLOPT_HEADERFUNCTION, on_reply);
	curl_easy_setopt(transfer->curl, CURLOPT_HEADERDATA, transfer);
	is_sent = perform(channel, transfer, who, error);
	curl_slist_free_all(recipients);
	return is_sent;
}
