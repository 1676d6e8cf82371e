/*
 * hf_unage_new() on any bytes: it must not crash, and must end the same way whatever the pieces.  A file that it opens is
 * the one of the corpus, since nobody finds another one under its MAC.
 */
#include "config.h"

#include "backup/age/age.h"
#include "backup/stage/sink.h"
#include "common/error.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* Of age's testkit, vector "x25519". */
#define IDENTITY "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6"

static HfAgeIdentities *
identities_of(void)
{
	static HfAgeIdentities *identities;
	g_autoptr(HfSecret) secret = NULL;

	if (identities)
		return identities;
	secret = hf_secret_new(IDENTITY, strlen(IDENTITY), "fuzz", NULL);
	identities = hf_age_identities_parse(secret, "fuzz", NULL);
	return identities;
}

/* 0 where it was opened, else the error's code and one. */
static int
unlock(const uint8_t *data, size_t len, size_t piece)
{
	g_autoptr(HfStage) head = hf_unage_new(hf_sink_null_new(), identities_of());
	g_autoptr(GError) error = NULL;

	for (size_t at = 0; at < len; at += piece)
		if (!hf_stage_write(head, data + at, MIN(piece, len - at), &error))
			return error->code + 1;
	return hf_stage_finish(head, &error) ? 0 : error->code + 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t pieces[] = {1, 7, 100};
	int whole = unlock(data, len, MAX(len, 1));

	g_assert_true(whole == 0 || whole == HF_ERROR_CORRUPT + 1 || whole == HF_ERROR_DENIED + 1);
	for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++)
		g_assert_cmpint(unlock(data, len, pieces[i]), ==, whole);
	return 0;
}
