#include "config.h"

#include "auth/base64url.h"
#include "tests/auth/forge.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

#define RS256 "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
#define ES256 "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"

/* Made once: keys take a while. */
static struct {
	EVP_PKEY *rsa, *rsa_other, *rsa_small, *p256, *p384, *p521, *k256, *ed25519;
} keys;

static void
make_keys(void)
{
	keys.rsa = EVP_RSA_gen(2048);
	keys.rsa_other = EVP_RSA_gen(2048);
	keys.rsa_small = EVP_RSA_gen(1024);
	keys.p256 = EVP_EC_gen("P-256");
	keys.p384 = EVP_EC_gen("P-384");
	keys.p521 = EVP_EC_gen("P-521");
	keys.k256 = EVP_EC_gen("secp256k1");
	keys.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void
free_keys(void)
{
	EVP_PKEY *all[] = {keys.rsa,  keys.rsa_other, keys.rsa_small, keys.p256,
			   keys.p384, keys.p521,      keys.k256,      keys.ed25519};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		EVP_PKEY_free(all[i]);
}

static char *
read_file(const char *path)
{
	char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

/* Settings with one key file. */
static HfAuth *
auth_of_file(const char *name, const char *path, const char *more)
{
	g_autofree char *setting = g_strdup_printf("%s=%s", name, path);

	return forge_auth((const char *const[]){setting, more, NULL});
}

static HfAuth *
auth_of_pem(EVP_PKEY *pkey)
{
	g_auto(ForgedFile) file = forge_public_pem(pkey);

	return auth_of_file("JWT_PUBLIC_KEY_FILE", file.path, NULL);
}

static void
assert_file_refused(const char *name, const char *text, const char *words)
{
	g_auto(ForgedFile) file = forge_file(text);
	g_autofree char *setting = g_strdup_printf("%s=%s", name, file.path);

	assert_no_auth((const char *const[]){setting, NULL}, words);
}

/* ---- PEM ---- */

static void
test_rsa_and_every_curve(void)
{
	const struct {
		EVP_PKEY *pkey;
		const char *name;
		const EVP_MD *md;
	} rows[] = {{keys.rsa, "RS256", EVP_sha256()},  {keys.rsa, "RS384", EVP_sha384()},
		    {keys.rsa, "RS512", EVP_sha512()},  {keys.p256, "ES256", EVP_sha256()},
		    {keys.p384, "ES384", EVP_sha384()}, {keys.p521, "ES512", EVP_sha512()}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(HfAuth) auth = auth_of_pem(rows[i].pkey);
		g_autofree char *header = g_strdup_printf("{\"alg\":\"%s\"}", rows[i].name);
		g_autofree char *token = forge_pkey(header, ADMIN, rows[i].pkey, rows[i].md);

		assert_admitted(auth, token, "u1");
	}
}

/* The classic one: whoever knows the public key signs with its text as if it were a secret. */
static void
test_a_public_key_is_not_taken_for_a_secret(void)
{
	g_auto(ForgedFile) file = forge_public_pem(keys.rsa);
	g_autoptr(HfAuth) auth = auth_of_file("JWT_PUBLIC_KEY_FILE", file.path, NULL);
	g_autofree char *pem = read_file(file.path);
	g_autofree char *token = forge_hs(HS256, ADMIN, pem, strlen(pem), EVP_sha256());
	g_autofree char *chomped = forge_hs(HS256, ADMIN, pem, strlen(pem) - 1, EVP_sha256());

	assert_refused(auth, token, HF_AUTH_INVALID, "not known here");
	assert_refused(auth, chomped, HF_AUTH_INVALID, "not known here");
}

static void
test_with_secret_and_public_key_each_keeps_to_its_own(void)
{
	g_auto(ForgedFile) file = forge_public_pem(keys.rsa);
	g_autoptr(HfAuth) auth = auth_of_file("JWT_PUBLIC_KEY_FILE", file.path, "JWT_SECRET=" SECRET);
	g_autofree char *pem = read_file(file.path);
	g_autofree char *confused = forge_hs(HS256, ADMIN, pem, strlen(pem), EVP_sha256());
	g_autofree char *hs = forge_admin();
	g_autofree char *rs = forge_pkey(RS256, ADMIN, keys.rsa, EVP_sha256());

	assert_refused(auth, confused, HF_AUTH_INVALID, "signature is wrong");
	assert_admitted(auth, hs, "u1");
	assert_admitted(auth, rs, "u1");
}

static void
test_another_key_of_the_kind_is_refused(void)
{
	g_autoptr(HfAuth) auth = auth_of_pem(keys.rsa);
	g_autofree char *token = forge_pkey(RS256, ADMIN, keys.rsa_other, EVP_sha256());
	g_autofree char *other_hash = forge_pkey(RS256, ADMIN, keys.rsa, EVP_sha512());

	assert_refused(auth, token, HF_AUTH_INVALID, "signature is wrong");
	assert_refused(auth, other_hash, HF_AUTH_INVALID, "signature is wrong");
}

/* libjwt would take a signature by any curve as ES256. */
static void
test_es256_takes_its_own_curve_alone(void)
{
	g_autoptr(HfAuth) p384 = auth_of_pem(keys.p384);
	g_autoptr(HfAuth) p256 = auth_of_pem(keys.p256);
	g_autofree char *by_p384 = forge_pkey(ES256, ADMIN, keys.p384, EVP_sha256());

	assert_refused(p384, by_p384, HF_AUTH_INVALID, "not known here");
	assert_refused(p256, by_p384, HF_AUTH_INVALID, "signature is wrong");
}

static void
test_several_files_and_several_keys_in_one(void)
{
	g_auto(ForgedFile) first = forge_public_pem(keys.rsa);
	g_auto(ForgedFile) second = forge_public_pem(keys.p256);
	g_auto(ForgedFile) third = forge_public_pem(keys.rsa_other);
	g_autofree char *a = read_file(first.path), *b = read_file(second.path);
	g_autofree char *both = g_strconcat("# old and new\n", a, b, NULL);
	g_auto(ForgedFile) joined = forge_file(both);
	g_autofree char *list = g_strconcat(joined.path, " , ", third.path, NULL);
	g_autoptr(HfAuth) auth = auth_of_file("JWT_PUBLIC_KEY_FILE", list, NULL);
	g_autofree char *by_first = forge_pkey(RS256, ADMIN, keys.rsa, EVP_sha256());
	g_autofree char *by_second = forge_pkey(ES256, ADMIN, keys.p256, EVP_sha256());
	g_autofree char *by_third = forge_pkey("{\"alg\":\"RS256\",\"kid\":\"new\"}", ADMIN, keys.rsa_other,
					       EVP_sha256());

	assert_admitted(auth, by_first, "u1");
	assert_admitted(auth, by_second, "u1");
	assert_admitted(auth, by_third, "u1");
}

static void
test_weak_and_strange_keys_are_refused(void)
{
	g_auto(ForgedFile) small = forge_public_pem(keys.rsa_small);
	g_auto(ForgedFile) curve = forge_public_pem(keys.k256);
	g_auto(ForgedFile) ed25519 = forge_public_pem(keys.ed25519);
	g_autofree char *a = read_file(small.path), *b = read_file(curve.path), *c = read_file(ed25519.path);

	assert_file_refused("JWT_PUBLIC_KEY_FILE", a, "1024 bits");
	assert_file_refused("JWT_PUBLIC_KEY_FILE", b, "secp256k1");
	assert_file_refused("JWT_PUBLIC_KEY_FILE", c, "ED25519");
}

static void
test_a_private_key_is_refused(void)
{
	g_auto(ForgedFile) file = forge_private_pem(keys.p256);
	g_autofree char *text = read_file(file.path);

	assert_file_refused("JWT_PUBLIC_KEY_FILE", text, "private key does not belong there");
}

static void
test_files_that_hold_no_key_are_refused(void)
{
	g_auto(ForgedFile) whole = forge_public_pem(keys.rsa);
	g_autofree char *text = read_file(whole.path);
	g_autofree char *cut = g_strndup(text, strlen(text) / 2);
	g_autofree char *damaged = g_strdup(text);

	damaged[60] = damaged[60] == 'A' ? 'B' : 'A';
	memset(damaged + 30, 'A', 20);
	assert_file_refused("JWT_PUBLIC_KEY_FILE", "", "no public key");
	assert_file_refused("JWT_PUBLIC_KEY_FILE", "hello\n", "no public key");
	assert_file_refused("JWT_PUBLIC_KEY_FILE", cut, "not whole");
	assert_file_refused("JWT_PUBLIC_KEY_FILE", damaged, "cannot be read");
	assert_file_refused("JWT_PUBLIC_KEY_FILE", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
			    "X509 CRL");
	assert_no_auth((const char *const[]){"JWT_PUBLIC_KEY_FILE=/nowhere/key.pem", NULL},
		       "/nowhere/key.pem");
	assert_no_auth((const char *const[]){"JWT_JWKS_FILE=/nowhere/jwks.json", NULL}, "/nowhere/jwks.json");
}

/* ---- JSON Web Keys ---- */

static char *
number_of(EVP_PKEY *pkey, const char *param, int len)
{
	BIGNUM *number = NULL;
	unsigned char bytes[1024];

	g_assert_true(EVP_PKEY_get_bn_param(pkey, param, &number) == 1);
	len = len ? len : BN_num_bytes(number);
	g_assert_true(BN_bn2binpad(number, bytes, len) == len);
	BN_free(number);
	return hf_base64url_encode(bytes, (size_t)len);
}

static char *
rsa_jwk(EVP_PKEY *pkey, const char *more)
{
	g_autofree char *n = number_of(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
	g_autofree char *e = number_of(pkey, OSSL_PKEY_PARAM_RSA_E, 0);

	return g_strdup_printf("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", n, e, more);
}

static char *
ec_jwk(EVP_PKEY *pkey, const char *curve, int len, const char *more)
{
	g_autofree char *x = number_of(pkey, OSSL_PKEY_PARAM_EC_PUB_X, len);
	g_autofree char *y = number_of(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, len);

	return g_strdup_printf("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}", curve, x, y,
			       more);
}

static char *
oct_jwk(const char *secret, const char *more)
{
	g_autofree char *k = hf_base64url_encode(secret, strlen(secret));

	return g_strdup_printf("{\"kty\":\"oct\",\"k\":\"%s\"%s}", k, more);
}

/* Takes its words. */
static HfAuth *
auth_of_jwks(char *first, char *second)
{
	g_autofree char *a = first, *b = second;
	g_autofree char *text = g_strdup_printf("{\"keys\":[%s%s%s]}", a, b ? "," : "", b ? b : "");
	g_auto(ForgedFile) file = forge_file(text);

	return auth_of_file("JWT_JWKS_FILE", file.path, NULL);
}

static void
test_a_set_of_every_kind(void)
{
	g_autoptr(HfAuth) public = auth_of_jwks(rsa_jwk(keys.rsa, ",\"kid\":\"r\""),
						ec_jwk(keys.p521, "P-521", 66, ",\"kid\":\"e\""));
	g_autoptr(HfAuth) secret = auth_of_jwks(oct_jwk(SECRET, ""), ec_jwk(keys.p256, "P-256", 32, ""));
	g_autofree char *rs = forge_pkey("{\"alg\":\"RS256\",\"kid\":\"r\"}", ADMIN, keys.rsa, EVP_sha256());
	g_autofree char *es512 = forge_pkey("{\"alg\":\"ES512\",\"kid\":\"e\"}", ADMIN, keys.p521,
					    EVP_sha512());
	g_autofree char *es = forge_pkey(ES256, ADMIN, keys.p256, EVP_sha256());
	g_autofree char *hs = forge_admin();

	assert_admitted(public, rs, "u1");
	assert_admitted(public, es512, "u1");
	assert_admitted(secret, es, "u1");
	assert_admitted(secret, hs, "u1");
}

static void
test_the_kid_chooses_the_key(void)
{
	g_autoptr(HfAuth) auth = auth_of_jwks(rsa_jwk(keys.rsa, ",\"kid\":\"old\""),
					      rsa_jwk(keys.rsa_other, ",\"kid\":\"new\""));
	g_autofree char *old = forge_pkey("{\"alg\":\"RS256\",\"kid\":\"old\"}", ADMIN, keys.rsa,
					  EVP_sha256());
	g_autofree char *crossed = forge_pkey("{\"alg\":\"RS256\",\"kid\":\"new\"}", ADMIN, keys.rsa,
					      EVP_sha256());
	g_autofree char *unknown = forge_pkey("{\"alg\":\"RS256\",\"kid\":\"x\"}", ADMIN, keys.rsa,
					      EVP_sha256());
	g_autofree char *unnamed = forge_pkey(RS256, ADMIN, keys.rsa_other, EVP_sha256());

	assert_admitted(auth, old, "u1");
	assert_refused(auth, crossed, HF_AUTH_INVALID, "signature is wrong");
	assert_refused(auth, unknown, HF_AUTH_INVALID, "not known here");
	assert_admitted(auth, unnamed, "u1");
}

static void
test_secrets_can_be_changed_by_listing_two(void)
{
	g_autoptr(HfAuth) auth = auth_of_jwks(oct_jwk(SECRET "old", ",\"kid\":\"1\""),
					      oct_jwk(SECRET, ",\"kid\":\"2\""));
	g_autofree char *old = forge_hs("{\"alg\":\"HS256\",\"kid\":\"1\"}", ADMIN, SECRET "old",
					strlen(SECRET) + 3, EVP_sha256());
	g_autofree char *new = forge_admin();

	assert_admitted(auth, old, "u1");
	assert_admitted(auth, new, "u1");
}

static void
test_a_keys_own_alg_binds_it(void)
{
	g_autoptr(HfAuth) auth = auth_of_jwks(rsa_jwk(keys.rsa, ",\"alg\":\"RS512\""), NULL);
	g_autofree char *rs256 = forge_pkey(RS256, ADMIN, keys.rsa, EVP_sha256());
	g_autofree char *rs512 = forge_pkey("{\"alg\":\"RS512\"}", ADMIN, keys.rsa, EVP_sha512());

	assert_refused(auth, rs256, HF_AUTH_INVALID, "not known here");
	assert_admitted(auth, rs512, "u1");
}

static void
test_a_single_key_is_a_set(void)
{
	g_autofree char *jwk = rsa_jwk(keys.rsa, "");
	g_auto(ForgedFile) file = forge_file(jwk);
	g_autoptr(HfAuth) auth = auth_of_file("JWT_JWKS_FILE", file.path, NULL);
	g_autofree char *token = forge_pkey(RS256, ADMIN, keys.rsa, EVP_sha256());

	assert_admitted(auth, token, "u1");
}

/* Takes jwk.  A set of it alone is of no use. */
static void
assert_left_out(char *jwk)
{
	g_autofree char *text = g_strdup_printf("{\"keys\":[%s]}", jwk);

	assert_file_refused("JWT_JWKS_FILE", text, "no key in it");
	g_free(jwk);
}

static void
test_what_is_no_key_for_signatures_is_left_out(void)
{
	assert_left_out(rsa_jwk(keys.rsa, ",\"use\":\"enc\""));
	assert_left_out(rsa_jwk(keys.rsa, ",\"key_ops\":[\"encrypt\"]"));
	assert_left_out(rsa_jwk(keys.rsa, ",\"alg\":\"RSA-OAEP\""));
	assert_left_out(rsa_jwk(keys.rsa, ",\"alg\":\"HS256\""));
	assert_left_out(rsa_jwk(keys.rsa, ",\"alg\":\"ES256\""));
	assert_left_out(rsa_jwk(keys.rsa_small, ""));
	assert_left_out(ec_jwk(keys.p384, "P-256", 48, ""));
	assert_left_out(ec_jwk(keys.p256, "P-256", 33, ""));
	assert_left_out(ec_jwk(keys.k256, "P-256", 32, ""));
	assert_left_out(ec_jwk(keys.k256, "secp256k1", 32, ""));
	assert_left_out(oct_jwk("", ""));
	assert_left_out(g_strdup("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"));
	assert_left_out(g_strdup("{\"kty\":\"RSA\",\"n\":\"AQAB\"}"));
	assert_left_out(g_strdup("{\"kty\":\"RSA\",\"n\":5,\"e\":\"AQAB\"}"));
	assert_left_out(g_strdup("{\"kty\":\"oct\"}"));
	assert_left_out(g_strdup("{}"));
	assert_left_out(g_strdup("7"));
}

static void
test_texts_that_are_no_set_are_refused(void)
{
	g_autofree char *many = g_strnfill(2 * 70, '0');

	for (size_t i = 1; i < strlen(many); i += 2)
		many[i] = i + 1 < strlen(many) ? ',' : ' ';
	g_autofree char *too_many = g_strdup_printf("{\"keys\":[%s]}", many);

	assert_file_refused("JWT_JWKS_FILE", "", "no JSON");
	assert_file_refused("JWT_JWKS_FILE", "{\"keys\":[", "no JSON");
	assert_file_refused("JWT_JWKS_FILE", "{\"keys\":[],\"keys\":[]}", "duplicate");
	assert_file_refused("JWT_JWKS_FILE", "{\"keys\":{}}", "no JSON Web Key Set");
	assert_file_refused("JWT_JWKS_FILE", "[]", "no JSON Web Key Set");
	assert_file_refused("JWT_JWKS_FILE", "{\"keys\":[]}", "no key in it");
	assert_file_refused("JWT_JWKS_FILE", too_many, "at most 64");
}

int
main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	make_keys();
	g_test_add_func("/keys/rsa-and-every-curve", test_rsa_and_every_curve);
	g_test_add_func("/keys/a-public-key-is-not-taken-for-a-secret",
			test_a_public_key_is_not_taken_for_a_secret);
	g_test_add_func("/keys/with-secret-and-public-key-each-keeps-to-its-own",
			test_with_secret_and_public_key_each_keeps_to_its_own);
	g_test_add_func("/keys/another-key-of-the-kind-is-refused", test_another_key_of_the_kind_is_refused);
	g_test_add_func("/keys/es256-takes-its-own-curve-alone", test_es256_takes_its_own_curve_alone);
	g_test_add_func("/keys/several-files-and-several-keys-in-one",
			test_several_files_and_several_keys_in_one);
	g_test_add_func("/keys/weak-and-strange-keys-are-refused", test_weak_and_strange_keys_are_refused);
	g_test_add_func("/keys/a-private-key-is-refused", test_a_private_key_is_refused);
	g_test_add_func("/keys/files-that-hold-no-key-are-refused", test_files_that_hold_no_key_are_refused);
	g_test_add_func("/jwks/a-set-of-every-kind", test_a_set_of_every_kind);
	g_test_add_func("/jwks/the-kid-chooses-the-key", test_the_kid_chooses_the_key);
	g_test_add_func("/jwks/secrets-can-be-changed-by-listing-two",
			test_secrets_can_be_changed_by_listing_two);
	g_test_add_func("/jwks/a-keys-own-alg-binds-it", test_a_keys_own_alg_binds_it);
	g_test_add_func("/jwks/a-single-key-is-a-set", test_a_single_key_is_a_set);
	g_test_add_func("/jwks/what-is-no-key-for-signatures-is-left-out",
			test_what_is_no_key_for_signatures_is_left_out);
	g_test_add_func("/jwks/texts-that-are-no-set-are-refused", test_texts_that_are_no_set_are_refused);
	status = g_test_run();
	free_keys();
	return status;
}
