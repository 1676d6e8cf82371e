#include "config.h"

#include "backup/stage/digest.h"
#include "backup/stage/relay.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <openssl/evp.h>
#include <string.h>

enum {
	SHA256_BYTES = HF_SHA256_HEX_LEN / 2
};

/*
 * A stream that gets longer than this is hashed by a thread from then on: hashing is the dearest thing done to bytes that
 * do not compress (docs/facts.md), and whoever drives the chain has other things to do.
 */
#define ALONE_BYTES ((uint64_t)1 << 20)

#define RELAY_BYTES ((size_t)1 << 20)

typedef struct {
	HfStage stage;
	EVP_MD_CTX *context; /* the relay's thread's, once there is one */
	HfRelay *relay;      /* NULL for a short stream */
	uint64_t bytes;
	char hex[HF_SHA256_HEX_LEN + 1];

	/* What is expected: hf_digest_check_new() alone. */
	char *name;
	uint64_t expected_bytes;
	char *expected_hex;
} Digest;

static bool
is_done(int rc, GError **error)
{
	return rc == 1 || hf_error_set(error, HF_ERROR_FAILED, "OpenSSL could not compute a SHA-256");
}

static bool
update(void *context, const void *buf, size_t len, GError **error)
{
	return is_done(EVP_DigestUpdate(((Digest *)context)->context, buf, len), error);
}

static bool
digest_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Digest *digest = (Digest *)self;

	digest->bytes += len;
	if (!digest->relay && digest->bytes > ALONE_BYTES)
		digest->relay = hf_relay_new("sha256", RELAY_BYTES, update, digest);
	if (digest->relay ? !hf_relay_write(digest->relay, buf, len, error)
			  : !update(digest, buf, len, error))
		return false;
	return hf_stage_emit(self, buf, len, error);
}

static bool
digest_finish(HfStage *self, GError **error)
{
	static const char digits[] = "0123456789abcdef";
	Digest *digest = (Digest *)self;
	uint8_t sum[SHA256_BYTES];

	if (digest->relay && !hf_relay_finish(digest->relay, error))
		return false;
	if (!is_done(EVP_DigestFinal_ex(digest->context, sum, NULL), error))
		return false;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		digest->hex[2 * i] = digits[sum[i] >> 4];
		digest->hex[2 * i + 1] = digits[sum[i] & 0xf];
	}
	return true;
}

static bool
check_finish(HfStage *self, GError **error)
{
	Digest *check = (Digest *)self;

	if (!digest_finish(self, error))
		return false;
	if (check->bytes != check->expected_bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\": has %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT
				    " were written: it was cut or replaced",
				    check->name, check->bytes, check->expected_bytes);
	return strcmp(check->hex, check->expected_hex) == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "\"%s\": its SHA-256 is %s, that of what was written is %s: it was changed",
			    check->name, check->hex, check->expected_hex);
}

static void
digest_clear(HfStage *self)
{
	Digest *digest = (Digest *)self;

	hf_relay_free(digest->relay);
	EVP_MD_CTX_free(digest->context);
	g_free(digest->name);
	g_free(digest->expected_hex);
}

static const HfStageOps digest_ops = {
	.name = "digest",
	.write = digest_write,
	.finish = digest_finish,
	.clear = digest_clear,
};

static const HfStageOps check_ops = {
	.name = "digest check",
	.write = digest_write,
	.finish = check_finish,
	.clear = digest_clear,
};

static Digest *
make(HfStage *next, const HfStageOps *ops)
{
	Digest *digest = g_new0(Digest, 1);

	hf_stage_init(&digest->stage, ops, next);
	digest->context = EVP_MD_CTX_new();
	/* Where this fails there is no context to update, and the first write says so. */
	(void)EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL);
	return digest;
}

HfStage *
hf_digest_new(HfStage *next)
{
	return &make(next, &digest_ops)->stage;
}

uint64_t
hf_digest_bytes(const HfStage *digest)
{
	g_assert(HF_STAGE_IS(digest, &digest_ops));
	return ((const Digest *)digest)->bytes;
}

void
hf_digest_hex(const HfStage *digest, char hex_out[HF_SHA256_HEX_LEN + 1])
{
	g_assert(HF_STAGE_IS(digest, &digest_ops) && digest->state == HF_STAGE_FINISHED);
	memcpy(hex_out, ((const Digest *)digest)->hex, HF_SHA256_HEX_LEN + 1);
}

HfStage *
hf_digest_check_new(HfStage *next, const char *name, uint64_t bytes, const char *hex)
{
	Digest *check = make(next, &check_ops);

	check->name = g_strdup(name);
	check->expected_bytes = bytes;
	check->expected_hex = g_strdup(hex);
	return &check->stage;
}
