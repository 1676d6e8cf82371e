#include "config.h"

#include "backup/store/s3-credentials-impl.h"
#include "common/cancel.h"

#include <openssl/crypto.h>
#include <string.h>

/* The address answers at once where it exists at all; elsewhere nobody does. */
#define CONNECT_MS 1000L
#define ANSWER_MS 5000L
/* A service on the other side of the internet. */
#define REMOTE_CONNECT_MS 10000L
#define REMOTE_ANSWER_MS 30000L

void
hf_asked_free(HfAsked *asked)
{
	if (!asked)
		return;
	OPENSSL_cleanse(asked, sizeof *asked);
	g_free(asked);
}

static size_t
on_bytes(char *bytes, size_t size, size_t len, void *data)
{
	HfAsked *asked = data;

	(void)size; /* always 1 */
	if (len > HF_ASKED_BYTES_MAX - asked->len)
		return 0;
	memcpy(asked->text + asked->len, bytes, len);
	asked->len += len;
	asked->text[asked->len] = '\0';
	return len;
}

static int
on_progress(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	(void)data, (void)down_total, (void)down, (void)up_total, (void)up;
	return hf_cancel_is_requested();
}

static void
set_place(CURL *curl, const HfAsking *asking)
{
	curl_easy_setopt(curl, CURLOPT_URL, asking->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, asking->is_remote ? REMOTE_CONNECT_MS : CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, asking->is_remote ? REMOTE_ANSWER_MS : ANSWER_MS);
	if (!asking->is_remote)
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* the address means this very machine */
	if (asking->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, asking->ca_file);
}

bool
hf_credentials_ask(const HfAsking *asking, HfAsked *asked_out)
{
	CURL *curl = curl_easy_init();
	CURLcode result;

	asked_out->status = 0;
	asked_out->len = 0;
	asked_out->text[0] = '\0';
	set_place(curl, asking);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, asking->method);
	if (asking->body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, asking->body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, asking->header);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, asked_out);
	result = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &asked_out->status);
	curl_easy_cleanup(curl);
	for (struct curl_slist *line = asking->header; line; line = line->next)
		OPENSSL_cleanse(line->data, strlen(line->data));
	curl_slist_free_all(asking->header);
	return result == CURLE_OK;
}

bool
hf_credentials_is_safe_url(const char *url, const char *const *hosts)
{
	static const char *const own[] = {"127.0.0.1", "localhost", "[::1]", NULL};
	CURLU *parts = curl_url();
	char *scheme = NULL, *host = NULL;
	bool is_safe = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		       curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		       curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		       (strcmp(scheme, "https") == 0 ||
			(strcmp(scheme, "http") == 0 &&
			 (g_strv_contains(own, host) || (hosts && g_strv_contains(hosts, host)))));

	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parts);
	return is_safe;
}
