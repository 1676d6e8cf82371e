/* Keys and heads against published vectors: BIP 173, the age specification, and age's testkit (C2SP CCTV, "age"). */
#include "config.h"

#include "backup/age/bech32.h"
#include "backup/age/header.h"
#include "common/error.h"

#include <string.h>

/* The specification's example of an identity, 32 bytes of 0x42, and of its recipient. */
#define SPEC_IDENTITY "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
#define SPEC_RECIPIENT "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

/* The testkit's vector "x25519": its file key is the words below. */
#define KIT_IDENTITY "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6"
#define KIT_FILE_KEY "YELLOW SUBMARINE"
#define KIT_VERSION "age-encryption.org/v1\n"
#define KIT_SHARE "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
#define KIT_BODY "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n"
#define KIT_MAC "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n"
#define KIT_HEADER KIT_VERSION KIT_SHARE KIT_BODY KIT_MAC

static HfAgeIdentities *
identities_of(const char *text)
{
	g_autoptr(HfSecret) secret = hf_secret_new(text, strlen(text), "test", NULL);
	g_autoptr(GError) error = NULL;
	HfAgeIdentities *identities = hf_age_identities_parse(secret, "keys.txt", &error);

	g_assert_no_error(error);
	return identities;
}

static HfAgeIdentities *
passphrase_of(const char *text)
{
	g_autoptr(HfSecret) secret = hf_secret_new(text, strlen(text), "test", NULL);

	return hf_age_identities_passphrase(secret);
}

static void
test_bech32_vector(void)
{
	/* BIP 173, "Test vectors": the values 0 to 31. */
	static const char vector[] = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
	static const uint8_t expected[] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf,
					   0x84, 0x65, 0x3a, 0x56, 0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf};
	uint8_t data[sizeof expected];
	g_autofree char *again = hf_bech32_encode("abcdef", expected, sizeof expected);

	g_assert_true(hf_bech32_decode(vector, "abcdef", data, sizeof data));
	g_assert_cmpint(memcmp(data, expected, sizeof data), ==, 0);
	g_assert_cmpstr(again, ==, vector);
}

static void
test_bech32_refuses(void)
{
	static const char *const bad[] = {
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxq", /* checksum */
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lMQQQXW", /* both cases */
		"abcdeg1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", /* another prefix */
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqx",  /* one letter short */
		"abcdef1bpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", /* no letter of its */
		"",
	};
	uint8_t data[20];

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(hf_bech32_decode(bad[i], "abcdef", data, sizeof data));
}

static void
test_spec_example_of_keys(void)
{
	g_autoptr(HfAgeIdentities) identities = identities_of("# a comment\n\n  " SPEC_IDENTITY "\r\n");
	g_autoptr(HfAgeRecipients) recipients = NULL;
	g_autoptr(GError) error = NULL;
	HfAgeKey *identity = &g_array_index(identities->keys, HfAgeKey, 0);
	g_autofree char *text = hf_age_identity_to_text(identity);
	uint8_t public_key[HF_AGE_KEY_BYTES];

	recipients = hf_age_recipients_parse(SPEC_RECIPIENT, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(identity->bytes[0], ==, 0x42);
	g_assert_true(hf_age_x25519(identity, NULL, public_key, &error));
	g_assert_cmpint(
		memcmp(public_key, g_array_index(recipients->keys, HfAgeKey, 0).bytes, sizeof public_key), ==,
		0);
	g_assert_cmpstr(text, ==, SPEC_IDENTITY);
}

static void
test_recipients_are_a_list(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfAgeRecipients)
		two = hf_age_recipients_parse(SPEC_RECIPIENT ",\n  " SPEC_RECIPIENT " ", &error);

	g_assert_no_error(error);
	g_assert_cmpuint(two->keys->len, ==, 2);
}

static void
test_recipients_refuse(void)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"", "names no recipient"},
		{" , ", "names no recipient"},
		{SPEC_IDENTITY, "secret key"},
		{"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk", "no public key"},
		{"ssh-ed25519", "\"ssh-ed25519\" is no public key"},
		{"age1yubikey1qgcwpfkmhkvvcd3mn5pfvl9kuz9zxvu6tl3c5", "no public key"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_age_recipients_parse(cases[i].text, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
		g_assert_nonnull(strstr(error->message, cases[i].words));
		/* A secret that was put into the wrong setting is not repeated. */
		g_assert_null(strstr(error->message, "GFPYYSJZ"));
	}
}

static void
test_identities_name_the_line_alone(void)
{
	static const char text[] = "# first\n" KIT_IDENTITY "\nAGE-SECRET-KEY-1WRONG\n";
	g_autoptr(HfSecret) secret = hf_secret_new(text, strlen(text), "test", NULL);
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_age_identities_parse(secret, "keys.txt", &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "\"keys.txt\", line 3"));
	g_assert_null(strstr(error->message, "WRONG"));
}

static bool
open_header(const char *header, HfAgeIdentities *identities, HfAgeFileKey *file_key, GError **error)
{
	return hf_age_header_open((HfAgeSpan){header, strlen(header)}, identities, file_key, error);
}

static void
test_testkit_vector(void)
{
	g_autoptr(HfAgeIdentities) identities = identities_of(SPEC_IDENTITY "\n" KIT_IDENTITY "\n");
	g_autoptr(GError) error = NULL;
	HfAgeFileKey file_key;

	g_assert_true(open_header(KIT_HEADER, identities, &file_key, &error));
	g_assert_no_error(error);
	g_assert_cmpint(memcmp(file_key.bytes, KIT_FILE_KEY, sizeof file_key.bytes), ==, 0);
}

static void
test_another_identity_is_denied(void)
{
	g_autoptr(HfAgeIdentities) identities = identities_of(SPEC_IDENTITY);
	g_autoptr(HfAgeIdentities) passphrase = passphrase_of("password");
	HfAgeIdentities *each[] = {identities, passphrase};

	for (size_t i = 0; i < G_N_ELEMENTS(each); i++) {
		g_autoptr(GError) error = NULL;
		HfAgeFileKey file_key;

		g_assert_false(open_header(KIT_HEADER, each[i], &file_key, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	}
}

/* What the testkit's other vectors are about. */
static const struct {
	const char *name, *header;
	HfError expected;
} damage[] = {
	{"hmac_bad", KIT_VERSION KIT_SHARE KIT_BODY "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qIw\n",
	 HF_ERROR_CORRUPT},
	{"hmac_extra_space",
	 KIT_VERSION KIT_SHARE KIT_BODY "---  Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n",
	 HF_ERROR_CORRUPT},
	{"hmac_garbage",
	 KIT_VERSION KIT_SHARE KIT_BODY "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0AAA\n",
	 HF_ERROR_CORRUPT},
	{"hmac_missing", KIT_VERSION KIT_SHARE KIT_BODY "---\n", HF_ERROR_CORRUPT},
	{"hmac_no_space", KIT_VERSION KIT_SHARE KIT_BODY "---Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n",
	 HF_ERROR_CORRUPT},
	{"hmac_not_canonical",
	 KIT_VERSION KIT_SHARE KIT_BODY "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI1\n",
	 HF_ERROR_CORRUPT},
	{"hmac_trailing_space",
	 KIT_VERSION KIT_SHARE KIT_BODY "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0 \n",
	 HF_ERROR_CORRUPT},
	{"hmac_truncated", KIT_VERSION KIT_SHARE KIT_BODY "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7\n",
	 HF_ERROR_CORRUPT},
	{"no_closing", KIT_VERSION KIT_SHARE KIT_BODY, HF_ERROR_CORRUPT},
	{"no_recipient", KIT_VERSION KIT_MAC, HF_ERROR_CORRUPT},
	{"version_unsupported", "age-encryption.org/v1234\n" KIT_SHARE KIT_BODY KIT_MAC, HF_ERROR_CORRUPT},
	{"stanza_bad_start", KIT_VERSION "-> " KIT_BODY KIT_MAC, HF_ERROR_CORRUPT},
	{"stanza_empty_argument",
	 KIT_VERSION "-> X25519  TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
	{"stanza_base64_padding",
	 KIT_VERSION KIT_SHARE "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U=\n" KIT_MAC, HF_ERROR_CORRUPT},
	{"stanza_missing_body", KIT_VERSION KIT_SHARE KIT_MAC, HF_ERROR_CORRUPT},
	{"stanza_spurious_cr",
	 KIT_VERSION "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\r\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
	{"x25519_extra_argument",
	 KIT_VERSION "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc 1\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
	{"x25519_not_canonical_share",
	 KIT_VERSION "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCd\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
	{"x25519_not_canonical_body",
	 KIT_VERSION KIT_SHARE "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7V\n" KIT_MAC, HF_ERROR_CORRUPT},
	{"x25519_short_share",
	 KIT_VERSION "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOA\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
	{"x25519_long_file_key",
	 KIT_VERSION KIT_SHARE "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7UAAAA\n" KIT_MAC, HF_ERROR_CORRUPT},
	{"x25519_low_order",
	 KIT_VERSION "-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
	{"x25519_bad_tag", KIT_VERSION KIT_SHARE "FmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n" KIT_MAC,
	 HF_ERROR_DENIED},
	{"x25519_lowercase",
	 KIT_VERSION "-> x25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n" KIT_BODY KIT_MAC,
	 HF_ERROR_DENIED},
	{"scrypt_and_x25519",
	 KIT_VERSION KIT_SHARE KIT_BODY "-> scrypt rF0/NwblUHHTpgQgRpe5CQ 10\n" KIT_BODY KIT_MAC,
	 HF_ERROR_CORRUPT},
};

static void
test_damaged_heads(void)
{
	g_autoptr(HfAgeIdentities) identities = identities_of(KIT_IDENTITY);

	for (size_t i = 0; i < G_N_ELEMENTS(damage); i++) {
		g_autoptr(GError) error = NULL;
		HfAgeFileKey file_key;

		g_test_message("%s", damage[i].name);
		g_assert_false(open_header(damage[i].header, identities, &file_key, &error));
		g_assert_error(error, HF_ERROR, (int)damage[i].expected);
	}
}

/* Recipients of kinds that we do not know, bodies of several lines among them, are passed over: the MAC covers them. */
static void
test_unknown_recipients_are_passed_over(void)
{
	static const char header[] = KIT_VERSION
		"-> grease !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ 1\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n" KIT_SHARE KIT_BODY
			KIT_MAC;
	g_autoptr(HfAgeIdentities) identities = identities_of(KIT_IDENTITY);
	g_autoptr(GError) error = NULL;
	HfAgeFileKey file_key;

	/* The MAC is of the header without it: everything before the MAC was taken. */
	g_assert_false(open_header(header, identities, &file_key, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	g_assert_nonnull(strstr(error->message, "MAC"));
}

static const struct {
	const char *factor;
	HfError expected;
} factors[] = {
	{"23", HF_ERROR_USAGE},      {"0xa", HF_ERROR_CORRUPT},
	{"+10", HF_ERROR_CORRUPT},   {"010", HF_ERROR_CORRUPT},
	{"-10", HF_ERROR_CORRUPT},   {"0", HF_ERROR_CORRUPT},
	{"10a", HF_ERROR_CORRUPT},   {"18446744073709551616", HF_ERROR_CORRUPT},
	{"10 10", HF_ERROR_CORRUPT},
};

static void
test_work_factors(void)
{
	g_autoptr(HfAgeIdentities) passphrase = passphrase_of("password");

	for (size_t i = 0; i < G_N_ELEMENTS(factors); i++) {
		g_autofree char *header = g_strdup_printf(
			KIT_VERSION "-> scrypt rF0/NwblUHHTpgQgRpe5CQ %s\n" KIT_BODY KIT_MAC,
			factors[i].factor);
		g_autoptr(GError) error = NULL;
		HfAgeFileKey file_key;

		g_test_message("%s", factors[i].factor);
		g_assert_false(open_header(header, passphrase, &file_key, &error));
		g_assert_error(error, HF_ERROR, (int)factors[i].expected);
	}
}

static void
test_what_is_made_opens_for_each_recipient(void)
{
	g_autoptr(GByteArray) header = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfAgeRecipients) recipients = NULL;
	g_autofree char *recipient = NULL;
	g_autofree char *both = NULL;
	HfAgeFileKey made;
	HfAgeKey own;

	g_assert_true(hf_age_key_new(&own, &recipient, &error));
	both = g_strconcat(SPEC_RECIPIENT " ", recipient, NULL);
	recipients = hf_age_recipients_parse(both, &error);
	g_assert_true(hf_age_header_make(recipients, &made, header, &error));
	for (int i = 0; i < 2; i++) {
		g_autofree char *text = i ? hf_age_identity_to_text(&own) : g_strdup(SPEC_IDENTITY);
		g_autoptr(HfAgeIdentities) identities = identities_of(text);
		HfAgeFileKey opened;

		g_assert_true(hf_age_header_open((HfAgeSpan){header->data, header->len}, identities, &opened,
						 &error));
		g_assert_cmpint(memcmp(opened.bytes, made.bytes, sizeof opened.bytes), ==, 0);
	}
}

static void
test_a_passphrase_opens_its_own(void)
{
	static const char word[] = "correct horse battery staple";
	g_autoptr(HfSecret) secret = hf_secret_new(word, strlen(word), "test", NULL);
	g_autoptr(HfAgeRecipients) recipients = hf_age_recipients_passphrase(secret);
	g_autoptr(HfAgeIdentities) right = passphrase_of(word);
	g_autoptr(HfAgeIdentities) wrong = passphrase_of("correct horse battery stable");
	g_autoptr(GByteArray) header = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	HfAgeFileKey made, opened;

	g_assert_true(hf_age_header_make(recipients, &made, header, &error));
	g_assert_true(hf_age_header_open((HfAgeSpan){header->data, header->len}, right, &opened, &error));
	g_assert_cmpint(memcmp(opened.bytes, made.bytes, sizeof opened.bytes), ==, 0);
	g_assert_false(hf_age_header_open((HfAgeSpan){header->data, header->len}, wrong, &opened, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bech32/vector-of-bip-173", test_bech32_vector);
	g_test_add_func("/bech32/refuses-what-is-not-exact", test_bech32_refuses);
	g_test_add_func("/age/keys/example-of-the-specification", test_spec_example_of_keys);
	g_test_add_func("/age/keys/recipients-are-a-list", test_recipients_are_a_list);
	g_test_add_func("/age/keys/no-recipient-is-refused-with-the-remedy", test_recipients_refuse);
	g_test_add_func("/age/keys/a-bad-identity-is-named-by-its-line-alone",
			test_identities_name_the_line_alone);
	g_test_add_func("/age/header/vector-of-the-testkit", test_testkit_vector);
	g_test_add_func("/age/header/another-identity-is-denied", test_another_identity_is_denied);
	g_test_add_func("/age/header/every-damage-is-found", test_damaged_heads);
	g_test_add_func("/age/header/unknown-recipients-are-passed-over",
			test_unknown_recipients_are_passed_over);
	g_test_add_func("/age/header/work-factors-are-bounded-and-exact", test_work_factors);
	g_test_add_func("/age/header/opens-for-each-recipient", test_what_is_made_opens_for_each_recipient);
	g_test_add_func("/age/header/a-passphrase-opens-its-own", test_a_passphrase_opens_its_own);
	return g_test_run();
}
