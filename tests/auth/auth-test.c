#include "config.h"

#include "common/error.h"
#include "tests/auth/forge.h"

#include <string.h>

static HfAuth *
plain_auth(void)
{
	return forge_auth((const char *const[]){"JWT_SECRET=" SECRET, NULL});
}

static void
test_an_administrator_is_let_in(void)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = forge_admin();

	assert_admitted(auth, token, "u1");
}

/* ---- what is wrong with a token, signed well all the same ---- */

static const struct {
	const char *name, *header, *payload;
	HfAuthRefusal refusal;
	const char *words;
} signed_cases[] = {
	{"/auth/refused/two-alg-members", "{\"alg\":\"none\",\"alg\":\"HS256\"}", ADMIN, HF_AUTH_INVALID,
	 "twice"},
	{"/auth/refused/two-alg-members-the-good-one-first", "{\"alg\":\"HS256\",\"alg\":\"none\"}", ADMIN,
	 HF_AUTH_INVALID, "twice"},
	{"/auth/refused/alg-escaped-twice", "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", ADMIN,
	 HF_AUTH_INVALID, "twice"},
	{"/auth/refused/no-alg", "{\"typ\":\"JWT\"}", ADMIN, HF_AUTH_INVALID, "does not name its algorithm"},
	{"/auth/refused/alg-not-text", "{\"alg\":256}", ADMIN, HF_AUTH_INVALID,
	 "does not name its algorithm"},
	{"/auth/refused/alg-in-small-letters", "{\"alg\":\"hs256\"}", ADMIN, HF_AUTH_INVALID,
	 "not one that is accepted"},
	{"/auth/refused/alg-none-with-a-signature", "{\"alg\":\"none\"}", ADMIN, HF_AUTH_INVALID,
	 "not signed"},
	{"/auth/refused/alg-unknown", "{\"alg\":\"HS1\"}", ADMIN, HF_AUTH_INVALID,
	 "not one that is accepted"},
	{"/auth/refused/alg-another-hash-than-it-says", "{\"alg\":\"HS384\"}", ADMIN, HF_AUTH_INVALID,
	 "signature is wrong"},
	{"/auth/refused/alg-of-another-key-type", "{\"alg\":\"RS256\"}", ADMIN, HF_AUTH_INVALID,
	 "not known here"},
	{"/auth/refused/crit", "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", ADMIN, HF_AUTH_INVALID, "crit"},
	{"/auth/refused/crit-empty", "{\"alg\":\"HS256\",\"crit\":null}", ADMIN, HF_AUTH_INVALID, "crit"},
	{"/auth/refused/typ-another", "{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", ADMIN, HF_AUTH_INVALID,
	 "(typ)"},
	{"/auth/refused/typ-not-text", "{\"alg\":\"HS256\",\"typ\":[]}", ADMIN, HF_AUTH_INVALID, "(typ)"},
	{"/auth/refused/kid-not-text", "{\"alg\":\"HS256\",\"kid\":{}}", ADMIN, HF_AUTH_INVALID, "(kid)"},
	{"/auth/refused/header-not-json", "alg=HS256", ADMIN, HF_AUTH_INVALID, "header is not"},
	{"/auth/refused/header-an-array", "[\"HS256\"]", ADMIN, HF_AUTH_INVALID, "header is not"},
	{"/auth/refused/header-with-more-behind", "{\"alg\":\"HS256\"} {}", ADMIN, HF_AUTH_INVALID,
	 "header is not"},
	{"/auth/refused/payload-not-json", HS256, "Payload", HF_AUTH_INVALID, "claims are not"},
	{"/auth/refused/payload-empty", HS256, "", HF_AUTH_INVALID, "claims are not"},
	{"/auth/refused/payload-an-array", HS256, "[1,2]", HF_AUTH_INVALID, "claims are not"},
	{"/auth/refused/payload-not-utf-8", HS256, "{\"role\":\"admin\",\"exp\":1700003600,\"sub\":\"\xff\"}",
	 HF_AUTH_INVALID, "claims are not"},
	{"/auth/refused/two-exp", HS256, "{\"role\":\"admin\",\"exp\":1600000000,\"exp\":1700003600}",
	 HF_AUTH_INVALID, "twice"},
	{"/auth/refused/two-role", HS256, "{\"role\":\"user\",\"role\":\"admin\",\"exp\":1700003600}",
	 HF_AUTH_INVALID, "twice"},
	{"/auth/refused/no-exp", HS256, "{\"role\":\"admin\"}", HF_AUTH_INVALID, "(exp)"},
	{"/auth/refused/exp-null", HS256, "{\"role\":\"admin\",\"exp\":null}", HF_AUTH_INVALID,
	 "exp is not a number"},
	{"/auth/refused/exp-text", HS256, "{\"role\":\"admin\",\"exp\":\"1700003600\"}", HF_AUTH_INVALID,
	 "exp is not a number"},
	{"/auth/refused/exp-milliseconds", HS256, "{\"role\":\"admin\",\"exp\":1700003600000}",
	 HF_AUTH_INVALID, "not a time in seconds"},
	{"/auth/refused/exp-huge", HS256, "{\"role\":\"admin\",\"exp\":1e300}", HF_AUTH_INVALID,
	 "not a time in seconds"},
	{"/auth/refused/exp-past-64-bits", HS256, "{\"role\":\"admin\",\"exp\":99999999999999999999}",
	 HF_AUTH_INVALID, "claims are not"},
	{"/auth/refused/exp-negative", HS256, "{\"role\":\"admin\",\"exp\":-1}", HF_AUTH_INVALID,
	 "not a time in seconds"},
	{"/auth/refused/expired", HS256, "{\"role\":\"admin\",\"exp\":1600000000}", HF_AUTH_INVALID,
	 "expired at 2020-09-13T12:26:40Z"},
	{"/auth/refused/expired-by-the-whole-leeway", HS256, "{\"role\":\"admin\",\"exp\":1699999970}",
	 HF_AUTH_INVALID, "expired at 2023-11-14T22:12:50Z"},
	{"/auth/refused/not-yet-valid", HS256, "{\"role\":\"admin\",\"exp\":1700003600,\"nbf\":1700000031}",
	 HF_AUTH_INVALID, "not valid before 2023-11-14T22:13:51Z"},
	{"/auth/refused/nbf-text", HS256, "{\"role\":\"admin\",\"exp\":1700003600,\"nbf\":\"0\"}",
	 HF_AUTH_INVALID, "nbf is not a number"},
	{"/auth/refused/issued-in-the-future", HS256,
	 "{\"role\":\"admin\",\"exp\":1700003600,\"iat\":1700000031}", HF_AUTH_INVALID,
	 "issued in the future"},
	{"/auth/refused/iat-a-flag", HS256, "{\"role\":\"admin\",\"exp\":1700003600,\"iat\":true}",
	 HF_AUTH_INVALID, "iat is not a number"},
	{"/auth/forbidden/role-missing", HS256, "{\"sub\":\"u1\",\"exp\":1700003600}", HF_AUTH_FORBIDDEN,
	 "not an administrator's"},
	{"/auth/forbidden/role-another", HS256, "{\"role\":\"user\",\"exp\":1700003600}", HF_AUTH_FORBIDDEN,
	 "not an administrator's"},
	{"/auth/forbidden/role-in-capitals", HS256, "{\"role\":\"Admin\",\"exp\":1700003600}",
	 HF_AUTH_FORBIDDEN, "not an administrator's"},
	{"/auth/forbidden/role-a-beginning", HS256, "{\"role\":\"administrator\",\"exp\":1700003600}",
	 HF_AUTH_FORBIDDEN, "not an administrator's"},
	{"/auth/forbidden/role-with-a-nul", HS256, "{\"role\":\"admin\\u0000\",\"exp\":1700003600}",
	 HF_AUTH_INVALID, "claims are not"},
	{"/auth/forbidden/role-a-list-of-words", HS256, "{\"role\":\"user admin\",\"exp\":1700003600}",
	 HF_AUTH_FORBIDDEN, "not an administrator's"},
	{"/auth/forbidden/role-in-an-inner-array", HS256, "{\"role\":[[\"admin\"]],\"exp\":1700003600}",
	 HF_AUTH_FORBIDDEN, "not an administrator's"},
	{"/auth/forbidden/role-nested-where-no-path-is-set", HS256,
	 "{\"user\":{\"role\":\"admin\"},\"exp\":1700003600}", HF_AUTH_FORBIDDEN, "not an administrator's"},
	{"/auth/forbidden/role-true", HS256, "{\"role\":true,\"exp\":1700003600}", HF_AUTH_FORBIDDEN,
	 "not an administrator's"},
	{"/auth/forbidden/role-empty-array", HS256, "{\"role\":[],\"exp\":1700003600}", HF_AUTH_FORBIDDEN,
	 "not an administrator's"},
};

static void
test_signed(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = forge_hs(signed_cases[i].header, signed_cases[i].payload, SECRET,
					  strlen(SECRET), EVP_sha256());

	assert_refused(auth, token, signed_cases[i].refusal, signed_cases[i].words);
}

/* ---- what is wrong with the letters ---- */

static char *
other_key(void)
{
	return forge_hs(HS256, ADMIN, SECRET "x", strlen(SECRET) + 1, EVP_sha256());
}

static char *
empty_key(void)
{
	return forge_hs(HS256, ADMIN, "", 0, EVP_sha256());
}

static char *
alg_none(void)
{
	return forge_unsigned("{\"alg\":\"none\",\"typ\":\"JWT\"}", ADMIN);
}

static char *
alg_none_in_capitals(void)
{
	return forge_unsigned("{\"alg\":\"NONE\"}", ADMIN);
}

static char *
signature_left_out(void)
{
	return forge_unsigned(HS256, ADMIN);
}

static char *
without(const char *token, unsigned parts)
{
	char *cut = g_strdup(token);

	while (parts-- > 0)
		*strrchr(cut, '.') = 0;
	return cut;
}

static char *
two_parts(void)
{
	g_autofree char *token = forge_admin();

	return without(token, 1);
}

static char *
one_part(void)
{
	g_autofree char *token = forge_admin();

	return without(token, 2);
}

static char *
five_parts(void)
{
	g_autofree char *token = forge_admin();

	return g_strconcat(token, ".a.b", NULL);
}

static char *
changed_payload(void)
{
	g_autofree char *good = forge_admin();
	g_autofree char *user = forge_unsigned(HS256,
					       "{\"sub\":\"u2\",\"role\":\"admin\",\"exp\":1700003600}");

	*strrchr(user, '.') = 0;
	return g_strconcat(user, strrchr(good, '.'), NULL);
}

static char *
padded(void)
{
	g_autofree char *token = forge_admin();

	return g_strconcat(token, "=", NULL);
}

/* HS256 is 32 bytes, 43 letters, of which the last one has two bits that stand for nothing. */
static char *
another_spelling(void)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *token = forge_admin();
	char *last = token + strlen(token) - 1;

	*last = letters[(strchr(letters, *last) - letters) + 1];
	return token;
}

static char *
other_alphabet(void)
{
	return g_strdup("eyJhbGciOiJIUzI1NiJ9.e30+.AAAA");
}

static char *
of_64_kilobytes(void)
{
	g_autofree char *filler = g_strnfill(64 << 10, 'x');
	g_autofree char *payload = g_strconcat("{\"role\":\"admin\",\"exp\":1700003600,\"x\":\"", filler,
					       "\"}", NULL);

	return forge_hs(HS256, payload, SECRET, strlen(SECRET), EVP_sha256());
}

static char *
deep_header(void)
{
	g_autofree char *open = g_strnfill(5000, '[');
	g_autofree char *header = g_strconcat("{\"alg\":\"HS256\",\"x\":", open, NULL);

	return forge_hs(header, ADMIN, SECRET, strlen(SECRET), EVP_sha256());
}

static char *
rubbish(void)
{
	return g_strdup("\xff\xfe!\"%$&/()=?`\x01");
}

static char *
nothing(void)
{
	return g_strdup("");
}

static char *
only_dots(void)
{
	return g_strdup("..");
}

static char *
two_tokens(void)
{
	g_autofree char *token = forge_admin();

	return g_strconcat(token, " ", token, NULL);
}

static const struct {
	const char *name;
	char *(*forge)(void);
	const char *words;
} letter_cases[] = {
	{"/auth/refused/another-key", other_key, "signature is wrong"},
	{"/auth/refused/empty-key", empty_key, "signature is wrong"},
	{"/auth/refused/alg-none", alg_none, "not signed"},
	{"/auth/refused/alg-none-in-capitals", alg_none_in_capitals, "not signed"},
	{"/auth/refused/signature-left-out", signature_left_out, "signature is wrong"},
	{"/auth/refused/two-parts", two_parts, "three parts"},
	{"/auth/refused/one-part", one_part, "three parts"},
	{"/auth/refused/five-parts", five_parts, "three parts"},
	{"/auth/refused/changed-payload", changed_payload, "signature is wrong"},
	{"/auth/refused/padded", padded, "base64url"},
	{"/auth/refused/another-spelling-of-the-signature", another_spelling, "base64url"},
	{"/auth/refused/other-alphabet", other_alphabet, "claims are not"},
	{"/auth/refused/of-64-kilobytes", of_64_kilobytes, "more than 16384 bytes"},
	{"/auth/refused/deep-header", deep_header, "header is not"},
	{"/auth/refused/rubbish", rubbish, "three parts"},
	{"/auth/refused/nothing", nothing, "three parts"},
	{"/auth/refused/only-dots", only_dots, "header is not"},
	{"/auth/refused/two-tokens", two_tokens, "three parts"},
};

static void
test_letters(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = letter_cases[i].forge();

	assert_refused(auth, token, HF_AUTH_INVALID, letter_cases[i].words);
}

/* ---- the header of the request ---- */

static void
assert_missing(const char *header)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;

	g_assert_null(hf_auth_check(auth, header, NOW_S, &refusal, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	g_assert_cmpint(refusal, ==, HF_AUTH_MISSING);
}

static void
test_no_header_is_a_bare_refusal(void)
{
	g_autofree char *token = forge_admin();

	assert_missing(NULL);
	assert_missing("");
	assert_missing("Bearer");
	assert_missing("Basic YWRtaW46YWRtaW4=");
	assert_missing("BearerX y");
	assert_missing(token);
}

static void
test_the_scheme_is_matched_in_any_case(void)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = forge_admin();
	g_autofree char *header = g_strconcat(" bEARER   ", token, " \t", NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;
	g_autoptr(HfPrincipal) principal = hf_auth_check(auth, header, NOW_S, &refusal, &error);

	g_assert_no_error(error);
	g_assert_nonnull(principal);
}

/* ---- who is an administrator, and whose token is taken ---- */

static const struct {
	const char *name;
	const char *setting;
	const char *claims; /* beside exp */
	const char *words;  /* NULL: let in */
	HfAuthRefusal refusal;
} rule_cases[] = {
	{"/auth/rule/role-in-an-array", NULL, "\"role\":[\"user\",\"admin\"]", NULL, 0},
	{"/auth/rule/exp-with-a-fraction", NULL, "\"role\":\"admin\",\"iat\":1699999999.75", NULL, 0},
	{"/auth/rule/nested-path", "JWT_ADMIN_CLAIM=realm_access.roles",
	 "\"realm_access\":{\"roles\":[\"offline_access\",\"admin\"]}", NULL, 0},
	{"/auth/rule/nested-path-to-nothing", "JWT_ADMIN_CLAIM=realm_access.roles", "\"realm_access\":{}",
	 "not an adm", HF_AUTH_FORBIDDEN},
	{"/auth/rule/nested-path-through-text", "JWT_ADMIN_CLAIM=a.b", "\"a\":\"admin\"", "not an adm",
	 HF_AUTH_FORBIDDEN},
	{"/auth/rule/path-that-ends-in-an-object", "JWT_ADMIN_CLAIM=a", "\"a\":{\"admin\":true}",
	 "not an adm", HF_AUTH_FORBIDDEN},
	{"/auth/rule/name-that-is-a-url", "JWT_ADMIN_CLAIM=https://app.example.com/roles",
	 "\"https://app.example.com/roles\":[\"admin\"]", NULL, 0},
	{"/auth/rule/path-below-a-url", "JWT_ADMIN_CLAIM=https://app.example.com/claims.role",
	 "\"https://app.example.com/claims\":{\"role\":\"admin\"}", NULL, 0},
	{"/auth/rule/true-matches-a-flag", "JWT_ADMIN_CLAIM=isAdmin JWT_ADMIN_VALUES=true",
	 "\"isAdmin\":true", NULL, 0},
	{"/auth/rule/false-does-not", "JWT_ADMIN_CLAIM=isAdmin JWT_ADMIN_VALUES=true,false",
	 "\"isAdmin\":false", "not an adm", HF_AUTH_FORBIDDEN},
	{"/auth/rule/a-number", "JWT_ADMIN_CLAIM=level JWT_ADMIN_VALUES=9", "\"level\":9", NULL, 0},
	{"/auth/rule/one-of-several-values", "JWT_ADMIN_VALUES=owner,superuser", "\"role\":\"superuser\"",
	 NULL, 0},
	{"/auth/rule/admin-is-not-among-other-values", "JWT_ADMIN_VALUES=owner,superuser",
	 "\"role\":\"admin\"", "not an adm", HF_AUTH_FORBIDDEN},
	{"/auth/rule/a-word-of-scope", "JWT_ADMIN_CLAIM=scope JWT_ADMIN_VALUES=backup:admin",
	 "\"scope\":\"read backup:admin\"", NULL, 0},
	{"/auth/rule/subject", "JWT_ADMIN_SUBJECTS=u7,u8", "\"sub\":\"u8\"", NULL, 0},
	{"/auth/rule/id-that-is-a-number", "JWT_ADMIN_SUBJECTS=17", "\"id\":17", NULL, 0},
	{"/auth/rule/another-subject", "JWT_ADMIN_SUBJECTS=u7", "\"sub\":\"u\"", "not an adm",
	 HF_AUTH_FORBIDDEN},
	{"/auth/rule/subject-true-is-no-name", "JWT_ADMIN_SUBJECTS=true", "\"id\":true", "not an adm",
	 HF_AUTH_FORBIDDEN},
	{"/auth/rule/issuer", "JWT_ISSUER=https://a.example/",
	 "\"role\":\"admin\",\"iss\":\"https://a.example/\"", NULL, 0},
	{"/auth/rule/another-issuer", "JWT_ISSUER=https://a.example/",
	 "\"role\":\"admin\",\"iss\":\"https://a.example\"", "(iss)", HF_AUTH_INVALID},
	{"/auth/rule/no-issuer", "JWT_ISSUER=x", "\"role\":\"admin\"", "(iss)", HF_AUTH_INVALID},
	{"/auth/rule/audience", "JWT_AUDIENCE=app,backup", "\"role\":\"admin\",\"aud\":\"backup\"", NULL, 0},
	{"/auth/rule/audience-in-an-array", "JWT_AUDIENCE=backup",
	 "\"role\":\"admin\",\"aud\":[\"x\",\"backup\"]", NULL, 0},
	{"/auth/rule/another-audience", "JWT_AUDIENCE=backup", "\"role\":\"admin\",\"aud\":[\"x\"]", "(aud)",
	 HF_AUTH_INVALID},
	{"/auth/rule/no-audience", "JWT_AUDIENCE=backup", "\"role\":\"admin\"", "(aud)", HF_AUTH_INVALID},
	{"/auth/rule/audience-of-a-wrong-type", "JWT_AUDIENCE=backup",
	 "\"role\":\"admin\",\"aud\":{\"backup\":1}", "(aud)", HF_AUTH_INVALID},
	{"/auth/rule/algorithm-not-in-the-settings", "JWT_ALGORITHMS=HS512", "\"role\":\"admin\"",
	 "not one that is accepted", HF_AUTH_INVALID},
	{"/auth/rule/within-the-leeway", NULL, "\"role\":\"admin\",\"nbf\":1700000030,\"iat\":1700000030",
	 NULL, 0},
};

static void
test_rule(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_auto(GStrv) given = g_strsplit(rule_cases[i].setting ? rule_cases[i].setting : "", " ", -1);
	g_autoptr(HfAuth) auth = forge_auth(
		(const char *const[]){"JWT_SECRET=" SECRET, given[0], given[0] ? given[1] : NULL, NULL});
	g_autofree char *payload = g_strdup_printf("{%s,\"exp\":1699999971}", rule_cases[i].claims);
	g_autofree char *token = forge_hs(HS256, payload, SECRET, strlen(SECRET), EVP_sha256());
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;

	if (rule_cases[i].words) {
		assert_refused(auth, token, rule_cases[i].refusal, rule_cases[i].words);
		return;
	}
	g_autoptr(HfPrincipal) principal = hf_auth_check(auth, header, NOW_S, &refusal, &error);

	g_assert_no_error(error);
	g_assert_nonnull(principal);
}

static void
test_the_subject_is_one_harmless_line(void)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = forge_hs(
		HS256, "{\"sub\":\"a\\nb\\u001b[2J\",\"role\":\"admin\",\"exp\":1700003600}", SECRET,
		strlen(SECRET), EVP_sha256());
	g_autofree char *nobody = forge_hs(HS256, "{\"role\":\"admin\",\"exp\":1700003600}", SECRET,
					   strlen(SECRET), EVP_sha256());

	assert_admitted(auth, token, "a b [2J");
	assert_admitted(auth, nobody, "unnamed");
}

/* ---- a token that comes again: its signature is remembered, and nothing else ---- */

static void
test_a_token_that_was_seen_expires_all_the_same(void)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = forge_admin();
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;

	assert_admitted(auth, token, "u1");
	assert_admitted(auth, token, "u1");
	g_assert_null(hf_auth_check(auth, header, NOW_S + 3630, &refusal, &error));
	g_assert_nonnull(strstr(error->message, "expired at"));
	g_assert_cmpint(refusal, ==, HF_AUTH_INVALID);
}

static void
test_what_was_seen_is_the_whole_token(void)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *token = forge_admin();
	g_autofree char *other = other_key();
	g_autofree char *payload = changed_payload();
	g_autofree char *unsigned_token = signature_left_out();

	assert_admitted(auth, token, "u1");
	assert_refused(auth, other, HF_AUTH_INVALID, "signature is wrong");
	assert_refused(auth, payload, HF_AUTH_INVALID, "signature is wrong");
	assert_refused(auth, unsigned_token, HF_AUTH_INVALID, "signature is wrong");
	assert_refused(auth, other, HF_AUTH_INVALID, "signature is wrong");
}

static void
test_more_tokens_than_are_remembered(void)
{
	g_autoptr(HfAuth) auth = plain_auth();

	for (unsigned i = 0; i < 400; i++) {
		g_autofree char *subject = g_strdup_printf("u%u", i % 150);
		g_autofree char *payload = g_strdup_printf(
			"{\"sub\":\"%s\",\"role\":\"admin\",\"exp\":1700003600}", subject);
		g_autofree char *token = forge_hs(HS256, payload, SECRET, strlen(SECRET), EVP_sha256());

		assert_admitted(auth, token, subject);
	}
}

/* ---- settings ---- */

static void
test_without_a_key_there_is_no_service(void)
{
	assert_no_auth((const char *const[]){NULL}, "JWT_SECRET");
	assert_no_auth((const char *const[]){"JWT_SECRET=", NULL}, "JWT_SECRET");
}

static void
test_algorithms_of_the_settings_are_checked(void)
{
	assert_no_auth((const char *const[]){"JWT_SECRET=" SECRET, "JWT_ALGORITHMS=none", NULL}, "\"none\"");
	assert_no_auth((const char *const[]){"JWT_SECRET=" SECRET, "JWT_ALGORITHMS=HS256,HS257", NULL},
		       "\"HS257\"");
	assert_no_auth((const char *const[]){"JWT_SECRET=" SECRET, "JWT_ALGORITHMS=,", NULL}, "names none");
	assert_no_auth((const char *const[]){"JWT_SECRET=" SECRET, "JWT_ALGORITHMS=RS256,ES256", NULL},
		       "no key");
}

static void
test_a_public_key_is_no_secret(void)
{
	assert_no_auth((const char *const[]){"JWT_SECRET=-----BEGIN PUBLIC KEY-----\nMFkw\n", NULL},
		       "JWT_PUBLIC_KEY_FILE");
}

static void
test_a_short_secret_is_a_warning(void)
{
	g_autoptr(HfAuth) auth = NULL;
	g_autofree char *token = forge_hs(HS256, ADMIN, "short", 5, EVP_sha256());

	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "JWT_SECRET: the secret has 5 bytes*");
	auth = forge_auth((const char *const[]){"JWT_SECRET=short", NULL});
	g_test_assert_expected_messages();
	assert_admitted(auth, token, "u1");
}

static void
test_the_secret_may_come_from_a_file(void)
{
	g_auto(ForgedFile) file = forge_file(SECRET "\n");
	g_autofree char *setting = g_strconcat("JWT_SECRET_FILE=", file.path, NULL);
	g_autoptr(HfAuth) auth = forge_auth((const char *const[]){setting, NULL});
	g_autofree char *token = forge_admin();

	assert_admitted(auth, token, "u1");
}

static void
test_every_hash_that_the_settings_allow(void)
{
	g_autoptr(HfAuth) auth = plain_auth();
	g_autofree char *hs384 = forge_hs("{\"alg\":\"HS384\"}", ADMIN, SECRET, strlen(SECRET), EVP_sha384());
	g_autofree char *hs512 = forge_hs("{\"alg\":\"HS512\"}", ADMIN, SECRET, strlen(SECRET), EVP_sha512());

	assert_admitted(auth, hs384, "u1");
	assert_admitted(auth, hs512, "u1");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/auth/an-administrator-is-let-in", test_an_administrator_is_let_in);
	for (size_t i = 0; i < G_N_ELEMENTS(signed_cases); i++)
		g_test_add_data_func(signed_cases[i].name, GSIZE_TO_POINTER(i), test_signed);
	for (size_t i = 0; i < G_N_ELEMENTS(letter_cases); i++)
		g_test_add_data_func(letter_cases[i].name, GSIZE_TO_POINTER(i), test_letters);
	for (size_t i = 0; i < G_N_ELEMENTS(rule_cases); i++)
		g_test_add_data_func(rule_cases[i].name, GSIZE_TO_POINTER(i), test_rule);
	g_test_add_func("/auth/no-header-is-a-bare-refusal", test_no_header_is_a_bare_refusal);
	g_test_add_func("/auth/the-scheme-is-matched-in-any-case", test_the_scheme_is_matched_in_any_case);
	g_test_add_func("/auth/the-subject-is-one-harmless-line", test_the_subject_is_one_harmless_line);
	g_test_add_func("/auth/a-token-that-was-seen-expires-all-the-same",
			test_a_token_that_was_seen_expires_all_the_same);
	g_test_add_func("/auth/what-was-seen-is-the-whole-token", test_what_was_seen_is_the_whole_token);
	g_test_add_func("/auth/more-tokens-than-are-remembered", test_more_tokens_than_are_remembered);
	g_test_add_func("/auth/without-a-key-there-is-no-service", test_without_a_key_there_is_no_service);
	g_test_add_func("/auth/algorithms-of-the-settings-are-checked",
			test_algorithms_of_the_settings_are_checked);
	g_test_add_func("/auth/a-public-key-is-no-secret", test_a_public_key_is_no_secret);
	g_test_add_func("/auth/a-short-secret-is-a-warning", test_a_short_secret_is_a_warning);
	g_test_add_func("/auth/the-secret-may-come-from-a-file", test_the_secret_may_come_from_a_file);
	g_test_add_func("/auth/every-hash-that-the-settings-allow", test_every_hash_that_the_settings_allow);
	return g_test_run();
}
