/*
 * Signature files, key files and records of deletions of any bytes: nothing must crash, an error says something, and what is taken
 * is written and parsed to the same again.  A signature that holds is the corpus's own, since nobody finds another one.
 */
#include "config.h"

#include "backup/catalog/deletion.h"
#include "backup/sign/minisign.h"
#include "common/error.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* tests/backup/sign/minisign-test.c has the secret half. */
#define PUBLIC "RWRLIYV1NW0k50QweQXKkr/UiiQ8VdzCJiWbQop1W46S6D0SriRJKrkM"
#define MESSAGE "holdfast"
#define COMMENT "a comment"
#define ID "2024-01-15_02-00-00"

static void
try_signature(GBytes *input)
{
	g_autoptr(GArray) keys = hf_verify_keys_parse(PUBLIC, NULL);
	g_autoptr(GBytes) message = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
	g_autofree char *comment = NULL;
	g_autoptr(GError) error = NULL;

	if (hf_minisign_verify(keys, input, message, &comment, &error))
		g_assert_cmpstr(comment, ==, COMMENT);
	else
		g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
}

static void
try_secret_key(const char *text, size_t len)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSecret) secret = hf_secret_new(text, len, "fuzz", NULL);
	g_autoptr(HfSecret) secret_again = NULL;
	g_autoptr(HfSignKey) key = secret ? hf_sign_key_parse(secret, "fuzz", &error) : NULL;
	g_autoptr(HfSignKey) again = NULL;
	g_autofree char *spelled = NULL;

	if (!key)
		return;
	spelled = hf_sign_key_to_text(key);
	secret_again = hf_secret_new(spelled, strlen(spelled), "fuzz", NULL);
	again = hf_sign_key_parse(secret_again, "fuzz", &error);
	g_assert_no_error(error);
	g_assert_cmpint(memcmp(key, again, sizeof *key), ==, 0);
}

static void
try_public_keys(const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) keys = hf_verify_keys_parse(text, &error);

	g_assert_true(!keys == (error != NULL));
	for (guint i = 0; keys && i < keys->len; i++) {
		g_autofree char *spelled = hf_verify_key_to_text(&g_array_index(keys, HfVerifyKey, i));

		g_assert_nonnull(strstr(text, spelled));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GBytes) input = g_bytes_new(data, len);
	g_autofree char *text = g_strndup((const char *)data, len);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfDeletion) deletion = hf_deletion_parse(input, ID, &error);

	g_assert_true(!deletion == (error != NULL));
	try_signature(input);
	try_secret_key(text, strlen(text));
	try_public_keys(text);
	return 0;
}
