#include "config.h"

#include "backup/age/age.h"
#include "backup/age/header.h"
#include "backup/age/payload.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

typedef struct {
	HfStage stage;
	HfAgeKey key; /* of the payload */
	GBytes *prologue;
	bool has_begun; /* the prologue is out */
	uint64_t number;
	size_t held_bytes;
	uint8_t held[HF_AGE_CHUNK_BYTES];
	uint8_t sealed[HF_AGE_SEALED_CHUNK_BYTES];
} Age;

static bool
begin(Age *age, GError **error)
{
	size_t len;
	const void *bytes = g_bytes_get_data(age->prologue, &len);

	if (age->has_begun)
		return true;
	age->has_begun = true;
	return hf_stage_emit(&age->stage, bytes, len, error);
}

static bool
emit_chunk(Age *age, bool is_last, GError **error)
{
	uint8_t nonce[HF_AGE_AEAD_NONCE_BYTES];

	hf_age_chunk_nonce(age->number, is_last, nonce);
	if (!hf_age_seal(&age->key, nonce, (HfAgeSpan){age->held, age->held_bytes}, age->sealed, error) ||
	    !hf_stage_emit(&age->stage, age->sealed, age->held_bytes + HF_AGE_TAG_BYTES, error))
		return false;
	age->number++;
	age->held_bytes = 0;
	return true;
}

static bool
age_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Age *age = (Age *)self;
	const uint8_t *at = buf;

	if (!begin(age, error))
		return false;
	while (len > 0) {
		size_t fits;

		/* The last chunk is told from the others, so a full one waits for what comes behind it. */
		if (age->held_bytes == sizeof age->held && !emit_chunk(age, false, error))
			return false;
		fits = MIN(len, sizeof age->held - age->held_bytes);
		memcpy(age->held + age->held_bytes, at, fits);
		age->held_bytes += fits;
		at += fits;
		len -= fits;
	}
	return true;
}

static bool
age_finish(HfStage *self, GError **error)
{
	Age *age = (Age *)self;

	return begin(age, error) && emit_chunk(age, true, error);
}

static void
age_clear(HfStage *self)
{
	Age *age = (Age *)self;

	hf_age_key_clear(&age->key);
	OPENSSL_cleanse(age->held, sizeof age->held);
	g_clear_pointer(&age->prologue, g_bytes_unref);
}

static const HfStageOps age_ops = {
	.name = "age",
	.write = age_write,
	.finish = age_finish,
	.clear = age_clear,
};

/* A head for these recipients and a nonce; the payload's key with them. */
static bool
make_prologue(Age *age, const HfAgeRecipients *recipients, GError **error)
{
	g_auto(HfAgeFileKey) file_key = {0};
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint8_t nonce[HF_AGE_NONCE_BYTES];

	if (!hf_age_header_make(recipients, &file_key, bytes, error) ||
	    !hf_age_random(nonce, sizeof nonce, error) ||
	    !hf_age_payload_key(&file_key, nonce, &age->key, error))
		return false;
	g_byte_array_append(bytes, nonce, sizeof nonce);
	age->prologue = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
	return true;
}

HfStage *
hf_age_new(HfStage *next, const HfAgeRecipients *recipients, GError **error)
{
	Age *age = g_new0(Age, 1);

	hf_stage_init(&age->stage, &age_ops, next);
	if (make_prologue(age, recipients, error))
		return &age->stage;
	hf_stage_free(&age->stage);
	return NULL;
}

GBytes *
hf_age_prologue(const HfStage *stage)
{
	g_assert(HF_STAGE_IS(stage, &age_ops));
	return ((const Age *)stage)->prologue;
}
