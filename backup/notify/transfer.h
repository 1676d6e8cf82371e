/*
 * backup/notify/transfer.h -- one exchange with a server that is not ours, by libcurl.
 *
 * Certificates are always checked, nothing is followed, and the time, and what is kept of the answer, are bounded.  No
 * message holds the URL: its path may be the secret.
 */
#pragma once

#include "common/secret.h"

#include <curl/curl.h>
#include <stdint.h>

#define HF_TRANSFER_CONNECT_MS 10000L
#define HF_TRANSFER_TOTAL_MS 20000L

/* What is kept of an answer, and how much of one is read at most. */
#define HF_TRANSFER_SAID_BYTES 400
#define HF_TRANSFER_READ_BYTES ((size_t)64 << 10)

typedef struct {
	CURL *curl;
	char detail[CURL_ERROR_SIZE]; /* libcurl's words */
	GString *said;                /* what the server said: the head of a body, or the last line of SMTP */
	size_t read_bytes;
	long status; /* HTTP's or SMTP's, 0: none came */
	CURLcode result;
} HfTransfer;

/* With what all have in common set; ca_file NULL: the system's.  FAILED where libcurl cannot be started. */
HfTransfer *hf_transfer_new(const HfSecret *url, const char *ca_file,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_transfer_free(HfTransfer *transfer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfTransfer, hf_transfer_free)

/*
 * Does it, and fills result and status.  CANCELLED, or TRANSIENT where nothing came of it: who is the server's part of the
 * message ("mail server mail.example.org:587"), ca_setting the setting that names a private CA.
 */
bool hf_transfer_run(HfTransfer *transfer, const char *who, const char *ca_setting,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * What the server said, as one line for an error: ": words", or "".  Nothing where secret (NULL: none) comes up in it.
 * g_free() it.
 */
char *hf_transfer_words(const HfTransfer *transfer, const char *secret);

/* "host:port" of a URL, or "?"; g_free() it. */
char *hf_transfer_host(const HfSecret *url);
