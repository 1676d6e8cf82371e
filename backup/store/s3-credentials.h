/*
 * backup/store/s3-credentials.h -- whose name S3 requests are signed in.
 *
 * Keys from the settings are used as they are.  Without them a role is taken by a web identity's token, where the settings
 * name both (AWS SDKs Reference Guide, "Assume role credential provider"); else the chain is asked, in this order: the container's
 * endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with _AUTHORIZATION_TOKEN or _TOKEN_FILE; ECS and EKS
 * Pod Identity), then the instance's metadata service, version 2 only (AWS SDKs Reference Guide, "Container credential
 * provider" and "IMDS credential provider").  What expires is fetched again five minutes before it does.
 */
#pragma once

#include "common/secret.h"

typedef struct HfCredentials HfCredentials;

/* Borrowed until the next hf_credentials_get() on the same HfCredentials. */
typedef struct {
	const char *access_key;
	const HfSecret *secret_key;
	const HfSecret *session_token; /* NULL where there is none */
} HfAccessKey;

/* Fixed keys; access_key and the secrets are copied. */
HfCredentials *hf_credentials_fixed(const char *access_key, const HfSecret *secret_key,
				    const HfSecret *session_token);

/* The chain above.  Nothing is asked before the first hf_credentials_get(). */
HfCredentials *hf_credentials_discover(void);

/* NULL means the default, which is written behind each. */
typedef struct {
	const char *role_arn;     /* required */
	const char *token_file;   /* required: read again each time */
	const char *session_name; /* "holdfast-HOST" */
	const char *region;       /* "us-east-1" */
	const char *endpoint_url; /* "https://sts.REGION.amazonaws.com" */
	const char *ca_file;      /* the system's */
} HfWebIdentity;

/*
 * The role's keys, by STS AssumeRoleWithWebIdentity.  Nothing is asked and no file is read before the first
 * hf_credentials_get().  USAGE names the setting that cannot be right.
 */
HfCredentials *hf_credentials_web_identity(const HfWebIdentity *identity,
					   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The keys to sign with now.  DENIED where nobody gives any, with the names of what was tried and the settings that
 * would do; TRANSIENT where the metadata service is there but does not answer.
 */
bool hf_credentials_get(HfCredentials *credentials, HfAccessKey *key_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_credentials_free(HfCredentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfCredentials, hf_credentials_free)
