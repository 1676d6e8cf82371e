/*
 * backup/store/s3-client.h -- what all requests to one bucket share; for s3-request.c, which sends them.
 *
 * Everything but the members behind lock is fixed when the client is made.
 */
#pragma once

#include "backup/store/s3-request.h"

#include <pthread.h>

struct HfS3Client {
	char *bucket;
	char *region;
	char *url;  /* of the bucket: hf_s3_client_url() */
	char *host; /* as the Host header says it: with the port where it is not the scheme's own */
	char *path; /* of the bucket: "" or "/bucket", after the endpoint's own path */
	char *base; /* "https://host" */
	char *ca_file;
	unsigned tries;
	unsigned stall_s;

	pthread_mutex_t lock; /* not GMutex: see s3-upload.c */
	HfCredentials *credentials;
	int64_t skew_s;
	GPtrArray *idle; /* of CURL: handles with their connections kept open */
};

/* A handle out of those that are idle, or a new one; and back again. */
CURL *hf_s3_client_take_handle(HfS3Client *client);
void hf_s3_client_give_handle(HfS3Client *client, CURL *curl);

/*
 * The time to sign with, and the headers that need the keys: authorization and, where there is one, the session token.
 * headers are those to be signed, closed by a pair of NULLs; the token is added by us.
 */
bool hf_s3_client_sign(HfS3Client *client, HfSignRequest *request, struct curl_slist **headers,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
