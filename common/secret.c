#include "config.h"

#include "common/secret.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>

/* A mapping of its own: MADV_DONTDUMP works on whole pages. */
struct HfSecret {
	size_t len;
	char bytes[HF_SECRET_BYTES_MAX + 1];
};

HfSecret *
hf_secret_new(const char *bytes, size_t len, const char *what, GError **error)
{
	HfSecret *secret;

	if (len > HF_SECRET_BYTES_MAX || memchr(bytes, 0, len)) {
		hf_error_set(error, HF_ERROR_USAGE, "%s: a secret has at most %d bytes and no NUL", what,
			     HF_SECRET_BYTES_MAX);
		return NULL;
	}
	secret = mmap(NULL, sizeof *secret, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED) {
		hf_error_errno(error, "%s: memory for a secret", what);
		return NULL;
	}
	(void)madvise(secret, sizeof *secret, MADV_DONTDUMP);
	memcpy(secret->bytes, bytes, len);
	secret->len = len;
	return secret;
}

HfSecret *
hf_secret_copy(const HfSecret *secret)
{
	return secret ? hf_secret_new(secret->bytes, secret->len, "secret", NULL) : NULL;
}

const char *
hf_secret_bytes(const HfSecret *secret)
{
	return secret->bytes;
}

size_t
hf_secret_len(const HfSecret *secret)
{
	return secret->len;
}

bool
hf_secret_equal(const HfSecret *a, const HfSecret *b)
{
	return a->len == b->len && CRYPTO_memcmp(a->bytes, b->bytes, a->len) == 0;
}

void
hf_secret_free(HfSecret *secret)
{
	if (!secret)
		return;
	OPENSSL_cleanse(secret, sizeof *secret);
	munmap(secret, sizeof *secret);
}
