#include "config.h"

#include "auth/bearer.h"

#include <openssl/crypto.h>
#include <string.h>

bool
hf_bearer_matches(const HfSecret *secret, const char *authorization_header)
{
	static const char scheme[] = "Bearer ";
	size_t len;

	if (!authorization_header || g_ascii_strncasecmp(authorization_header, scheme, strlen(scheme)) != 0)
		return false;
	authorization_header += strlen(scheme);
	len = strlen(authorization_header);
	return len == hf_secret_len(secret) &&
	       CRYPTO_memcmp(authorization_header, hf_secret_bytes(secret), len) == 0;
}
