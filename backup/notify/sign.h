/*
 * backup/notify/sign.h -- the signature of a webhook (Standard Webhooks specification 1.0.0, "Signature scheme").
 *
 * What is signed is "ID.TIMESTAMP.BODY", by HMAC-SHA256 with the bytes that stand in base64 behind "whsec_".
 */
#pragma once

#include "common/secret.h"

#include <stdint.h>

/* USAGE where one of the secrets, which blanks separate, is not of the form; what it is stays untold. */
bool hf_sign_check(const HfSecret *secrets, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value of the header webhook-signature: "v1,BASE64" for each secret, with blanks between them.  g_free() it. */
char *hf_sign_webhook(const HfSecret *secrets, const char *id, int64_t timestamp_s, const char *body,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;
