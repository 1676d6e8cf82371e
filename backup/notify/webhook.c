#include "config.h"

#include "backup/notify/channel.h"
#include "backup/notify/sign.h"
#include "backup/notify/transfer.h"
#include "common/clock.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

#define CA_SETTING "WEBHOOK_CA_BUNDLE"

/* What another side may ask us to wait at most. */
#define RETRY_AFTER_MAX_S 3600

static void
set_http(CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast/" PACKAGE_VERSION);
}

/* The URL from its path on: what nobody else is to know of it. */
static const char *
path_of(const HfSecret *url)
{
	const char *host = strstr(hf_secret_bytes(url), "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;

	return path && path[1] ? path : NULL;
}

static bool
judge(const HfTransfer *transfer, const HfSecret *url, const char *who, GError **error)
{
	g_autofree char *words = hf_transfer_words(transfer, path_of(url));

	if (transfer->status >= 200 && transfer->status < 300)
		return true;
	if (transfer->status >= 300 && transfer->status < 400)
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "%s: it answers with a redirection (%ld), which is not followed: set the "
				    "address that it leads to",
				    who, transfer->status);
	return hf_error_set(error, HF_ERROR_TRANSIENT, "%s: it answers %ld%s", who, transfer->status, words);
}

static bool
run(HfTransfer *transfer, const HfChannel *channel, const char *kind, int64_t *retry_after_s_out,
    GError **error)
{
	g_autofree char *host = hf_transfer_host(channel->url);
	g_autofree char *who = g_strdup_printf("%s at %s", kind, host);
	curl_off_t retry_after_s = 0;

	if (!hf_transfer_run(transfer, who, CA_SETTING, error))
		return false;
	if (curl_easy_getinfo(transfer->curl, CURLINFO_RETRY_AFTER, &retry_after_s) == CURLE_OK)
		*retry_after_s_out = CLAMP(retry_after_s, 0, RETRY_AFTER_MAX_S);
	return judge(transfer, channel->url, who, error);
}

static struct curl_slist *
append_header(struct curl_slist *headers, const char *name, const char *value)
{
	g_autofree char *line = g_strdup_printf("%s: %s", name, value);

	return curl_slist_append(headers, line);
}

/* Standard Webhooks 1.0.0, "Webhook headers". */
static bool
make_headers(const HfChannel *channel, const HfMessage *message, const char *body,
	     struct curl_slist **headers_out, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	g_autofree char *time = g_strdup_printf("%" G_GINT64_FORMAT, now_s);
	g_autofree char *signature = NULL;
	struct curl_slist *headers;

	if (channel->secrets) {
		signature = hf_sign_webhook(channel->secrets, message->id, now_s, body, error);
		if (!signature)
			return false;
	}
	headers = append_header(NULL, "Content-Type", "application/json");
	headers = append_header(headers, "webhook-id", message->id);
	headers = append_header(headers, "webhook-timestamp", time);
	if (signature)
		headers = append_header(headers, "webhook-signature", signature);
	*headers_out = curl_slist_append(headers, "Expect:");
	return true;
}

bool
hf_channel_post(const HfChannel *channel, const HfMessage *message, int64_t *retry_after_s_out,
		GError **error)
{
	g_autofree char *body = hf_render_json(message, channel->name, channel->format);
	g_autoptr(HfTransfer) transfer = hf_transfer_new(channel->url, channel->ca_file, error);
	struct curl_slist *headers = NULL;
	bool is_sent;

	if (!transfer || !make_headers(channel, message, body, &headers, error))
		return false;
	set_http(transfer->curl);
	curl_easy_setopt(transfer->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(transfer->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, headers);
	is_sent = run(transfer, channel, "webhook", retry_after_s_out, error);
	curl_slist_free_all(headers);
	return is_sent;
}

/* ---- the heartbeat ---- */

/* The ending goes behind the path, before a query; wipe and free it. */
static HfSecret *
with_ending(const HfSecret *url, const char *ending, GError **error)
{
	const char *text = hf_secret_bytes(url);
	size_t path_len = strcspn(text, "?#");
	char *whole;
	HfSecret *made;

	while (*ending && path_len > 0 && text[path_len - 1] == '/')
		path_len--;
	whole = g_strdup_printf("%.*s%s%s", (int)path_len, text, ending, text + strcspn(text, "?#"));
	made = hf_secret_new(whole, strlen(whole), "HEARTBEAT_URL", error);
	OPENSSL_cleanse(whole, strlen(whole));
	g_free(whole);
	return made;
}

bool
hf_channel_beat(const HfChannel *channel, const HfMessage *message, int64_t *retry_after_s_out,
		GError **error)
{
	const char *ending = hf_channel_beat_of(message);
	g_autoptr(HfSecret) url = with_ending(channel->url, ending ? ending : "", error);
	g_autoptr(HfTransfer) transfer = url ? hf_transfer_new(url, channel->ca_file, error) : NULL;

	if (!transfer)
		return false;
	set_http(transfer->curl);
	if (run(transfer, channel, "heartbeat", retry_after_s_out, error))
		return true;
	/* A test must not say that a backup was made, so it asks for what only some know. */
	if (message->event == HF_EVENT_TEST && transfer->status == 404 && error)
		g_prefix_error(error,
			       "HEARTBEAT_URL is wrong, or of a service that has no /log, and is reached "
			       "all the same: ");
	return false;
}
