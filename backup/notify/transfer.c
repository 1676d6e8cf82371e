#include "config.h"

#include "backup/notify/transfer.h"
#include "common/cancel.h"
#include "common/error.h"
#include "common/log.h"

#include <string.h>

static size_t
on_body(char *data, size_t size, size_t count, void *target)
{
	HfTransfer *transfer = target;
	size_t room = HF_TRANSFER_SAID_BYTES - MIN(transfer->said->len, (size_t)HF_TRANSFER_SAID_BYTES);

	(void)size;
	transfer->read_bytes += count;
	g_string_append_len(transfer->said, data, (gssize)MIN(count, room));
	return transfer->read_bytes > HF_TRANSFER_READ_BYTES ? 0 : count;
}

static int
on_progress(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	(void)data, (void)down_total, (void)down, (void)up_total, (void)up;
	return hf_cancel_is_requested();
}

HfTransfer *
hf_transfer_new(const HfSecret *url, const char *ca_file, GError **error)
{
	HfTransfer *transfer = g_new0(HfTransfer, 1);
	CURL *curl = transfer->curl = curl_easy_init();

	transfer->said = g_string_new(NULL);
	if (!curl) {
		hf_transfer_free(transfer);
		hf_error_set(error, HF_ERROR_FAILED, "libcurl cannot be started");
		return NULL;
	}
	curl_easy_setopt(curl, CURLOPT_URL, hf_secret_bytes(url));
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, HF_TRANSFER_CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, HF_TRANSFER_TOTAL_MS);
	/* libcurl waits two minutes for a word of SMTP by itself. */
	curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, HF_TRANSFER_TOTAL_MS / 1000);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->detail);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	return transfer;
}

void
hf_transfer_free(HfTransfer *transfer)
{
	if (!transfer)
		return;
	if (transfer->curl)
		curl_easy_cleanup(transfer->curl);
	g_string_free(transfer->said, TRUE);
	g_free(transfer);
}

static bool
explain(const HfTransfer *transfer, const char *who, const char *ca_setting, GError **error)
{
	const char *detail = transfer->detail[0] ? transfer->detail : curl_easy_strerror(transfer->result);

	switch (transfer->result) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return hf_error_set(
			error, HF_ERROR_TRANSIENT,
			"%s: its certificate is not trusted (%s): set %s where it is of a private "
			"CA, and use the name that it is made out to",
			who, detail, ca_setting);
	case CURLE_SSL_CACERT_BADFILE:
		return hf_error_set(error, HF_ERROR_USAGE, "%s: %s cannot be read (%s)", who, ca_setting,
				    detail);
	case CURLE_OPERATION_TIMEDOUT:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "%s: no answer in time (%s): see whether a firewall is between", who,
				    detail);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "%s: it cannot be reached (%s): check name and port, and whether it runs",
				    who, detail);
	default:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "%s: %s", who, detail);
	}
}

bool
hf_transfer_run(HfTransfer *transfer, const char *who, const char *ca_setting, GError **error)
{
	transfer->result = curl_easy_perform(transfer->curl);
	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &transfer->status);
	if (transfer->result == CURLE_OK)
		return true;
	if (transfer->result == CURLE_ABORTED_BY_CALLBACK)
		return hf_cancel_check(error) && hf_error_set(error, HF_ERROR_CANCELLED, "cancelled");
	/* An answer that is too long is an answer. */
	if (transfer->result == CURLE_WRITE_ERROR && transfer->status > 0)
		return true;
	return explain(transfer, who, ca_setting, error);
}

char *
hf_transfer_words(const HfTransfer *transfer, const char *secret)
{
	g_autofree char *line = hf_log_one_line(transfer->said->str);

	g_strstrip(line);
	if (!*line || (secret && *secret && strstr(line, secret)))
		return g_strdup("");
	return g_strconcat(": ", line, NULL);
}

char *
hf_transfer_host(const HfSecret *url)
{
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL, *text;

	if (parts && curl_url_set(parts, CURLUPART_URL, hf_secret_bytes(url), 0) == CURLUE_OK) {
		(void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
		(void)curl_url_get(parts, CURLUPART_PORT, &port, 0);
	}
	text = g_strdup_printf("%s%s%s", host ? host : "?", port ? ":" : "", port ? port : "");
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parts);
	return text;
}
