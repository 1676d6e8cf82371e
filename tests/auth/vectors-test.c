/*
 * The signed tokens of RFC 7515, appendix A.1 (HS256), A.2 (RS256) and A.3 (ES256), with the keys printed there.  All
 * three carry {"iss":"joe","exp":1300819380,"http://example.com/is_root":true}.
 */
#include "config.h"

#include "common/error.h"
#include "tests/auth/forge.h"

#include <string.h>

#define EXPIRES_S INT64_C(1300819380)
#define PAYLOAD \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static const struct {
	const char *name, *jwk, *token;
} vectors[] = {
	{"/rfc7515/a1-hs256",
	 "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
	 "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
	 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	{"/rfc7515/a2-rs256",
	 "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
	 "4qPCJrcS2mJPMEzP1Pt0B"
	 "m4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
	 "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
	 "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
	 "h9iaGNj8"
	 "q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
	 "eyJhbGciOiJSUzI1NiJ9." PAYLOAD
	 ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
	 "O8W2Fp5jujGbds9uJdbF9CU"
	 "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
	 "eSN9383LcOLn6_"
	 "dO--xi12jzDwusC-"
	 "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0i"
	 "gcN_IoypGlUPQGe77Rw"},
	{"/rfc7515/a3-es256",
	 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	 "eyJhbGciOiJFUzI1NiJ9." PAYLOAD
	 ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
};

static HfAuth *
auth_of(const char *jwk)
{
	g_auto(ForgedFile) file = forge_file(jwk);
	g_autofree char *setting = g_strconcat("JWT_JWKS_FILE=", file.path, NULL);

	return forge_auth((const char *const[]){setting, "JWT_ADMIN_CLAIM=http://example.com/is_root",
						"JWT_ADMIN_VALUES=true", "JWT_ISSUER=joe", NULL});
}

static bool
is_admitted(HfAuth *auth, const char *token, int64_t now_s, const char *words)
{
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;
	g_autoptr(HfPrincipal) principal = hf_auth_check(auth, header, now_s, &refusal, &error);

	if (!principal)
		g_assert_nonnull(strstr(error->message, words));
	return principal != NULL;
}

static void
test_vector(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfAuth) auth = auth_of(vectors[i].jwk);
	const char *token = vectors[i].token;

	g_assert_true(is_admitted(auth, token, EXPIRES_S - 1, ""));
	g_assert_true(is_admitted(auth, token, EXPIRES_S + 29, ""));
	g_assert_false(is_admitted(auth, token, EXPIRES_S + 30, "expired at 2011-03-22T18:43:00Z"));
}

/* Every letter of the token is signed: with another one in its place it is refused. */
static void
test_every_letter_counts(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfAuth) auth = auth_of(vectors[i].jwk);
	g_autofree char *token = g_strdup(vectors[i].token);

	for (size_t at = 0; token[at]; at++) {
		char kept = token[at];

		token[at] = kept == 'A' ? 'B' : 'A';
		g_assert_false(is_admitted(auth, token, EXPIRES_S - 1, ""));
		token[at] = kept;
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
		g_autofree char *letters = g_strconcat(vectors[i].name, "/every-letter-counts", NULL);

		g_test_add_data_func(vectors[i].name, GSIZE_TO_POINTER(i), test_vector);
		g_test_add_data_func(letters, GSIZE_TO_POINTER(i), test_every_letter_counts);
	}
	return g_test_run();
}
