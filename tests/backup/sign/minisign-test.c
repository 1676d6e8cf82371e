/* Keys and signatures as minisign 0.11 made them, and RFC 8032's first vector; tests/e2e/signing.py asks minisign itself. */
#include "config.h"

#include "backup/sign/minisign.h"
#include "common/error.h"

#include <string.h>

/* `minisign -G -W`, then `minisign -S` and `minisign -S -l` of the word. */
#define PUBLIC "RWRLIYV1NW0k50QweQXKkr/UiiQ8VdzCJiWbQop1W46S6D0SriRJKrkM"
#define SECRET_LINE \
	"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAASyGFdTVtJOedMLvcJs9YcCiaLF" \
	"3+" \
	"80ZoDV1+EEi965B5CioiLLhngUQweQXKkr/" \
	"UiiQ8VdzCJiWbQop1W46S6D0SriRJKrkMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAA="
#define SECRET "untrusted comment: minisign encrypted secret key\n" SECRET_LINE "\n"
#define MESSAGE "holdfast"
#define UNTRUSTED "untrusted comment: signature from minisign secret key\n"
#define HASHED_LINE \
	"RURLIYV1NW0k50Gz5hF9XFKc7sCCx+LxaMBVT+" \
	"bs3JR899xNOx3KbnF5Xm9imRKn0waY0841Z9PYDKDme6b3B7aFGfifEGmsggo=\n"
#define HASHED_SEAL \
	"F9YYc+xGnfiKrpLR+wVjmJmQ9yv1RhSX+t0wZppR5+WWcekLI92EU3o9b5qTIkVz+w6L3ZqlCRSGZRPPr+hFAw==\n"
#define LEGACY_LINE \
	"RWRLIYV1NW0k50wxGvbfKoaabBQH20wHNq92LLmq8gCsDGKtsQOKpbwmh8nJ1VuPjDLGPilWti9KNodpxfmZ1/" \
	"xIBhR9FO7lHQQ=\n"
#define LEGACY_SEAL \
	"OjkJGGjISVLtbLIsWrx3SPBdXbHCMB9/EhDD4VKNcgrdGE/n64xFMb6EklhkI3o0tqllpkyNJ5iLiIesCokkAg==\n"
#define TRUSTED "trusted comment: a comment\n"
#define HASHED UNTRUSTED HASHED_LINE TRUSTED HASHED_SEAL
#define LEGACY UNTRUSTED LEGACY_LINE TRUSTED LEGACY_SEAL
/* `minisign -G` with a password: only its first letters matter, and its length. */
#define PROTECTED_LINE \
	"RWRTY0Iy1hslTCbLfZ9t95JFWvA/CzJIhFXcS2970omdZCrMtWcAAAACAAAAAAAAAEAAAAAAm9+vUub4BXPulvSB/" \
	"fywsXfyiUKotEg2" \
	"XkOEBJWB1tfJT2eYIUMCWbrI0quJaNctTrFSkKMMKDCiBNZKwOEFkK6YoPYgFmsEOgAF//" \
	"mRHih4+UjptQ9LXANkW4yCRdBHwxL/rD6Y" \
	"dYg="

static HfSignKey *
parse_secret(const char *text, GError **error)
{
	g_autoptr(HfSecret) secret = hf_secret_new(text, strlen(text), "test", NULL);

	return hf_sign_key_parse(secret, "sign.key", error);
}

static GArray *
keys_of(const char *text)
{
	GError *error = NULL;
	GArray *keys = hf_verify_keys_parse(text, &error);

	g_assert_no_error(error);
	return keys;
}

static bool
verify_text(const GArray *keys, const char *signature, const char *message, GError **error)
{
	g_autoptr(GBytes) file = g_bytes_new_static(signature, strlen(signature));
	g_autoptr(GBytes) bytes = g_bytes_new_static(message, strlen(message));
	g_autofree char *comment = NULL;

	if (!hf_minisign_verify(keys, file, bytes, &comment, error))
		return false;
	g_assert_nonnull(comment);
	return true;
}

static void
test_vector_of_the_standard(void)
{
	/* RFC 8032, section 7.1, test 1: an empty message. */
	static const HfSignSeed seed = {{0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
					 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
					 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60}};
	static const uint8_t begin[] = {0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72};
	static const uint8_t public_begin[] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7};
	uint8_t public_key[HF_SIGN_PUBLIC_BYTES], signature[HF_SIGN_SIGNATURE_BYTES];

	g_assert_true(hf_sign_public(&seed, public_key, NULL));
	g_assert_cmpint(memcmp(public_key, public_begin, sizeof public_begin), ==, 0);
	g_assert_true(hf_sign_make(&seed, "", 0, signature, NULL));
	g_assert_cmpint(memcmp(signature, begin, sizeof begin), ==, 0);
	g_assert_true(hf_sign_holds(public_key, "", 0, signature));
	g_assert_false(hf_sign_holds(public_key, "x", 1, signature));
}

static void
test_minisigns_files_are_taken(void)
{
	g_autoptr(GArray) keys = keys_of("untrusted comment: minisign public key\n" PUBLIC "\n");
	GError *error = NULL;
	g_autoptr(HfSignKey) key = parse_secret(SECRET, &error);
	g_autofree char *text = NULL;
	g_autofree char *id = NULL;

	g_assert_no_error(error);
	text = hf_verify_key_to_text(&key->public_key);
	id = hf_verify_key_id(key->public_key.id);
	g_assert_cmpstr(text, ==, PUBLIC);
	g_assert_cmpstr(id, ==, "E7246D357585214B");
	g_assert_true(verify_text(keys, HASHED, MESSAGE, &error));
	g_assert_no_error(error);
	g_assert_true(verify_text(keys, LEGACY, MESSAGE, &error));
	g_assert_no_error(error);
}

/* Ed25519 is deterministic: the same key, word and comment give the same bytes. */
static void
test_signs_as_minisign_does(void)
{
	g_autoptr(HfSignKey) key = parse_secret(SECRET, NULL);
	g_autoptr(GBytes) message = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
	g_autoptr(GBytes) signature = hf_minisign_sign(key, message, "a comment", NULL);
	g_autofree char *text = g_strndup(g_bytes_get_data(signature, NULL), g_bytes_get_size(signature));

	g_assert_nonnull(strchr(text, '\n'));
	g_assert_cmpstr(strchr(text, '\n') + 1, ==, HASHED_LINE TRUSTED HASHED_SEAL);
}

static void
test_a_new_key_goes_there_and_back(void)
{
	g_autoptr(HfSignKey) key = NULL;
	g_autoptr(HfSignKey) again = NULL;
	g_autofree char *text = NULL;
	GError *error = NULL;

	g_assert_true(hf_sign_key_new(&key, &error));
	text = hf_sign_key_to_text(key);
	again = parse_secret(text, &error);
	g_assert_no_error(error);
	g_assert_cmpint(memcmp(again, key, sizeof *key), ==, 0);
}

static void
test_several_keys_are_trusted(void)
{
	g_autoptr(HfSignKey) key = NULL;
	g_autofree char *other = NULL;
	g_autofree char *list = NULL;
	g_autoptr(GArray) keys = NULL;

	g_assert_true(hf_sign_key_new(&key, NULL));
	other = hf_verify_key_to_text(&key->public_key);
	list = g_strdup_printf("  %s, " PUBLIC "\r\n", other);
	keys = keys_of(list);
	g_assert_cmpuint(keys->len, ==, 2);
	g_assert_true(verify_text(keys, HASHED, MESSAGE, NULL));
	g_array_set_size(keys, 1);
	g_assert_false(verify_text(keys, HASHED, MESSAGE, NULL));
}

/* ---- damage ---- */

static const struct {
	const char *name, *signature, *message, *says;
} wrong[] = {
	{"empty", "", MESSAGE, "no whole file"},
	{"other-message", HASHED, "holdfasT", "not of these bytes"},
	{"other-message-legacy", LEGACY, "holdfasT", "not of these bytes"},
	{"other-trusted-comment", UNTRUSTED HASHED_LINE "trusted comment: b comment\n" HASHED_SEAL, MESSAGE,
	 "trusted comment is not the one"},
	{"seal-of-another", UNTRUSTED HASHED_LINE TRUSTED LEGACY_SEAL, MESSAGE,
	 "trusted comment is not the one"},
	{"algorithm-changed", UNTRUSTED LEGACY_LINE TRUSTED HASHED_SEAL, MESSAGE,
	 "trusted comment is not the one"},
	{"cut-behind-the-signature", UNTRUSTED HASHED_LINE, MESSAGE, "no whole file"},
	{"cut-behind-the-comment", UNTRUSTED HASHED_LINE TRUSTED, MESSAGE, "no whole file"},
	{"cut-inside-the-seal", UNTRUSTED HASHED_LINE TRUSTED "F9YYc+xGnfiKrpLR", MESSAGE, "no whole file"},
	{"one-line-more", HASHED "x\n", MESSAGE, "no whole file"},
	{"no-untrusted-comment", "\n" HASHED_LINE TRUSTED HASHED_SEAL, MESSAGE, "no whole file"},
	{"unknown-algorithm",
	 UNTRUSTED
	 "RUVLIYV1NW0k50Gz5hF9XFKc7sCCx+LxaMBVT+bs3JR899xNOx3KbnF5Xm9imRKn0waY0841Z9PYDKDme6b3B7aFGfifEGmsg"
	 "go=\n" TRUSTED HASHED_SEAL,
	 MESSAGE, "kind that is not known"},
	{"other-key-id",
	 UNTRUSTED
	 "RURMIYV1NW0k50Gz5hF9XFKc7sCCx+LxaMBVT+bs3JR899xNOx3KbnF5Xm9imRKn0waY0841Z9PYDKDme6b3B7aFGfifEGmsg"
	 "go=\n" TRUSTED HASHED_SEAL,
	 MESSAGE, "E7246D357585214C, which is none of SIGNING_PUBLIC_KEYS"},
	{"not-canonical-base64",
	 UNTRUSTED
	 "RURLIYV1NW0k50Gz5hF9XFKc7sCCx+LxaMBVT+bs3JR899xNOx3KbnF5Xm9imRKn0waY0841Z9PYDKDme6b3B7aFGfifEGmsg"
	 "gp=\n" TRUSTED HASHED_SEAL,
	 MESSAGE, "no whole file"},
};

static void
test_wrong_signature(gconstpointer data)
{
	guint i = GPOINTER_TO_UINT(data);
	g_autoptr(GArray) keys = keys_of(PUBLIC);
	g_autoptr(GError) error = NULL;

	g_assert_false(verify_text(keys, wrong[i].signature, wrong[i].message, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_nonnull(strstr(error->message, wrong[i].says));
}

/* The same id and another key: ids are no proof. */
static void
test_key_of_the_same_id(void)
{
	g_autoptr(GArray) keys = keys_of(PUBLIC);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSignKey) other = NULL;

	g_assert_true(hf_sign_key_new(&other, NULL));
	memcpy(g_array_index(keys, HfVerifyKey, 0).bytes, other->public_key.bytes, HF_SIGN_PUBLIC_BYTES);
	g_assert_false(verify_text(keys, HASHED, MESSAGE, &error));
	g_assert_nonnull(strstr(error->message, "not of these bytes"));
}

static void
test_huge_file(void)
{
	g_autoptr(GArray) keys = keys_of(PUBLIC);
	g_autofree char *comment = g_strnfill(1 << 20, 'x');
	g_autofree char *text = g_strconcat("untrusted comment: ", comment,
					    "\n" HASHED_LINE TRUSTED HASHED_SEAL, NULL);
	g_autoptr(GError) error = NULL;

	g_assert_false(verify_text(keys, text, MESSAGE, &error));
	g_assert_nonnull(strstr(error->message, "no whole file"));
}

static void
test_nul_in_the_file(void)
{
	static const char text[] = HASHED "\0more";
	g_autoptr(GArray) keys = keys_of(PUBLIC);
	g_autoptr(GBytes) file = g_bytes_new_static(text, sizeof text);
	g_autoptr(GBytes) message = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
	g_autofree char *comment = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_minisign_verify(keys, file, message, &comment, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
}

static const struct {
	const char *name, *text, *says;
} bad_keys[] = {
	{"empty", "", "no secret key"},
	{"public", "untrusted comment: x\n" PUBLIC "\n", "no secret key"},
	{"cut", "untrusted comment: x\nRWQAAEIyAAAA\n", "no secret key"},
	{"with-a-password", "untrusted comment: x\n" PROTECTED_LINE "\n", "minisign -C -W"},
	{"age", "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6\n",
	 "no secret key"},
};

static void
test_bad_secret_key(gconstpointer data)
{
	guint i = GPOINTER_TO_UINT(data);
	g_autoptr(GError) error = NULL;

	g_assert_null(parse_secret(bad_keys[i].text, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
	g_assert_nonnull(strstr(error->message, bad_keys[i].says));
	g_assert_nonnull(strstr(error->message, "sign.key"));
	g_assert_null(strstr(error->message, "XMWWC06LY3EE"));
}

static void
test_halves_of_two_keys(void)
{
	g_autofree char *text = g_strdup(SECRET);
	g_autoptr(GError) error = NULL;

	/* A letter of the seed. */
	strstr(text, "OedMLvc")[4] = 'A';
	g_assert_null(parse_secret(text, &error));
	g_assert_nonnull(strstr(error->message, "not of one key"));
}

static void
test_bad_public_keys(void)
{
	static const char *const bad[] = {
		"", " , ", "RWR", PUBLIC "x", PUBLIC " " SECRET_LINE, "untrusted comment: " PUBLIC};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_verify_keys_parse(bad[i], &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(error->message, "SIGNING_PUBLIC_KEYS"));
		g_assert_null(strstr(error->message, "AAAA"));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sign/vector-of-rfc-8032", test_vector_of_the_standard);
	g_test_add_func("/minisign/its-files-are-taken", test_minisigns_files_are_taken);
	g_test_add_func("/minisign/signs-as-minisign-does", test_signs_as_minisign_does);
	g_test_add_func("/minisign/a-new-key-goes-there-and-back", test_a_new_key_goes_there_and_back);
	g_test_add_func("/minisign/several-keys-are-trusted", test_several_keys_are_trusted);
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *path = g_strdup_printf("/minisign/wrong/%s", wrong[i].name);

		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_wrong_signature);
	}
	g_test_add_func("/minisign/wrong/key-of-the-same-id", test_key_of_the_same_id);
	g_test_add_func("/minisign/wrong/huge-file", test_huge_file);
	g_test_add_func("/minisign/wrong/nul-in-the-file", test_nul_in_the_file);
	for (guint i = 0; i < G_N_ELEMENTS(bad_keys); i++) {
		g_autofree char *path = g_strdup_printf("/minisign/bad-key/%s", bad_keys[i].name);

		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_bad_secret_key);
	}
	g_test_add_func("/minisign/bad-key/halves-of-two", test_halves_of_two_keys);
	g_test_add_func("/minisign/bad-public-keys", test_bad_public_keys);
	return g_test_run();
}
