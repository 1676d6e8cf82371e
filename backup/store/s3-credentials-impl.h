/*
 * backup/store/s3-credentials-impl.h -- between s3-credentials.c, which has the chain, s3-credentials-ask.c, which asks a
 * service, and s3-credentials-role.c, which takes a role.
 */
#pragma once

#include "backup/store/s3-credentials.h"

#include <curl/curl.h>

#define HF_ASKED_BYTES_MAX (64u << 10)

typedef struct HfRole HfRole; /* s3-credentials-role.c */

struct HfCredentials {
	bool is_fixed;
	HfRole *role; /* NULL: the chain */
	char *access_key;
	HfSecret *secret_key;
	HfSecret *session_token;
	int64_t expires_s; /* 0: never */
};

/* Takes the secrets. */
void hf_credentials_set_keys(HfCredentials *credentials, const char *access_key, HfSecret *secret_key,
			     HfSecret *session_token);

/* A reply with keys in it: a fixed array, wiped. */
typedef struct {
	long status;
	size_t len;
	char text[HF_ASKED_BYTES_MAX + 1];
} HfAsked;

void hf_asked_free(HfAsked *asked);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfAsked, hf_asked_free)

typedef struct {
	const char *method;
	const char *url;
	struct curl_slist *header; /* NULL or lines: taken, and wiped */
	const char *body;          /* NULL: none */
	const char *ca_file;       /* NULL: the system's */
	bool is_remote; /* not this very machine: by the proxy of the environment, with more patience */
} HfAsking;

/* Asks; false where no answer came, or one that is too long. */
bool hf_credentials_ask(const HfAsking *asking, HfAsked *asked_out);

/* https, or http to this machine, or to one of the hosts, closed by NULL: a secret goes nowhere else. */
bool hf_credentials_is_safe_url(const char *url, const char *const *hosts);

/* ---- a role ---- */

HfRole *hf_role_new(const HfWebIdentity *identity, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_role_free(HfRole *role);

/* Takes the role anew and sets the keys.  TRANSIENT where the same may succeed later. */
bool hf_role_take(const HfRole *role, HfCredentials *credentials, GError **error) G_GNUC_WARN_UNUSED_RESULT;
