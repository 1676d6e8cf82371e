/*
 * hf_auth_check() on any bytes, twice: as they are, and, cut at the first line end, as the header and the claims of a token
 * that is signed well.  It must not crash; a refusal says why; what was not signed is never let in; what is let in
 * has a subject that can be logged.
 */
#include "config.h"

#include "auth/base64url.h"
#include "tests/auth/forge.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static HfPrincipal *
check(HfAuth *auth, const char *token)
{
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal = (HfAuthRefusal)-1;
	HfPrincipal *principal = hf_auth_check(auth, header, NOW_S, &refusal, &error);

	g_assert_true(!principal == (error != NULL));
	g_assert_true(principal || refusal == HF_AUTH_INVALID || refusal == HF_AUTH_FORBIDDEN);
	return principal;
}

static void
check_base64url(const char *text)
{
	size_t len;
	g_autofree unsigned char *bytes = hf_base64url_decode(text, strlen(text), &len);
	g_autofree char *again = bytes ? hf_base64url_encode(bytes, len) : NULL;

	g_assert_true(!again || strcmp(again, text) == 0);
}

static void
check_signed(HfAuth *auth, char *text)
{
	char *end = strchr(text, '\n');
	g_autofree char *token = NULL;
	g_autoptr(HfPrincipal) principal = NULL;

	if (!end)
		return;
	*end = 0;
	token = forge_hs(text, end + 1, SECRET, strlen(SECRET), EVP_sha256());
	principal = check(auth, token);
	if (principal)
		g_assert_true(g_utf8_validate(principal->subject, -1, NULL) &&
			      !strchr(principal->subject, '\n'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static HfAuth *auth;
	g_autofree char *text = g_strndup((const char *)data, len);
	g_autoptr(HfPrincipal) principal = NULL;

	if (!auth)
		auth = forge_auth((const char *const[]){"JWT_SECRET=" SECRET, "JWT_ADMIN_CLAIM=a.b.c",
							"JWT_ADMIN_SUBJECTS=u1,7", NULL});
	principal = check(auth, text);
	g_assert_null(principal);
	check_base64url(text);
	check_signed(auth, text);
	return 0;
}
