#include "config.h"

#include "auth/seen.h"

#include <glib.h>
#include <openssl/sha.h>
#include <string.h>

G_STATIC_ASSERT(HF_SEEN_DIGEST_BYTES == SHA256_DIGEST_LENGTH);

bool
hf_seen_has(const HfSeen *seen, const char *token)
{
	unsigned char digest[HF_SEEN_DIGEST_BYTES];

	SHA256((const unsigned char *)token, strlen(token), digest);
	for (size_t i = 0; i < seen->count; i++)
		if (memcmp(seen->digests[i], digest, sizeof digest) == 0)
			return true;
	return false;
}

void
hf_seen_add(HfSeen *seen, const char *token)
{
	SHA256((const unsigned char *)token, strlen(token), seen->digests[seen->next]);
	seen->next = (seen->next + 1) % HF_SEEN_MAX;
	if (seen->count < HF_SEEN_MAX)
		seen->count++;
}

void
hf_seen_clear(HfSeen *seen)
{
	seen->count = 0;
	seen->next = 0;
}
