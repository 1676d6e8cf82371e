/*
 * Memory: the window of the frame, at most 128 MiB and with our own frames at most their block of 1 MiB, and 128 KiB of
 * output.
 *
 * The magic number of each frame is read here: a libzstd that was built with the formats before 1.0 would take them, too,
 * and only where the number comes in one piece.  So is the byte behind it, which says whether the frame wants a
 * dictionary: libzstd 1.5.4 refuses such a frame where it comes in one piece, and unpacks it to rubbish where it does not.
 */
#include "config.h"

#include "backup/stage/stage-impl.h"
#include "backup/stage/zstd.h"
#include "common/error.h"

#include <string.h>
#include <zstd.h>

enum {
	WINDOW_LOG_MAX = 27,
	MAGIC_BYTES = 4,
	FRAME_MAGIC_0 = 0x28,
	START_BYTES = MAGIC_BYTES + 1, /* the shortest frame has 6, what is to be skipped 8 */
	DICTIONARY_ID_FLAG = 0x03,     /* RFC 8878 section 3.1.1.1.1.6 */
};

typedef struct {
	HfStage stage;
	ZSTD_DCtx *context;
	uint8_t *out;
	size_t out_bytes;
	uint64_t offset; /* of the next packed byte */
	uint8_t start[START_BYTES];
	size_t start_bytes; /* that came of this frame's; 0 is between two frames */
} Unzstd;

static bool
corrupt(const Unzstd *unzstd, const char *what, GError **error)
{
	return hf_error_set(error, HF_ERROR_CORRUPT, "zstd stream, byte %" G_GUINT64_FORMAT ": %s",
			    unzstd->offset, what);
}

/* Unpacks from *at until the bytes or the frame are at their end. */
static bool
take_frame(Unzstd *unzstd, const uint8_t **at, const uint8_t *end, GError **error)
{
	ZSTD_inBuffer in = {.src = *at, .size = (size_t)(end - *at)};
	ZSTD_outBuffer out;
	size_t left; /* 0 at the end of the frame; otherwise there may be more behind a full buffer */

	do {
		size_t before = in.pos;

		out = (ZSTD_outBuffer){.dst = unzstd->out, .size = unzstd->out_bytes};
		left = ZSTD_decompressStream(unzstd->context, &out, &in);
		unzstd->offset += in.pos - before;
		if (ZSTD_isError(left))
			return corrupt(unzstd, ZSTD_getErrorName(left), error);
		if (!hf_stage_emit(&unzstd->stage, unzstd->out, out.pos, error))
			return false;
	} while (left > 0 && (in.pos < in.size || out.pos == out.size));
	*at += in.pos;
	if (left == 0)
		unzstd->start_bytes = 0;
	return true;
}

/* RFC 8878 sections 3.1.1 and 3.1.2: a frame, or one of sixteen numbers for what is to be skipped. */
static bool
is_magic(const uint8_t *magic)
{
	static const uint8_t frame[] = {FRAME_MAGIC_0, 0xb5, 0x2f, 0xfd};
	static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18};

	return memcmp(magic, frame, MAGIC_BYTES) == 0 ||
	       ((magic[0] & 0xf0) == skippable[0] && memcmp(magic + 1, skippable + 1, MAGIC_BYTES - 1) == 0);
}

/* The magic number, and in a frame the descriptor behind it. */
static bool
check_start(const Unzstd *unzstd, GError **error)
{
	const uint8_t *start = unzstd->start;

	if (unzstd->start_bytes == MAGIC_BYTES && !is_magic(start))
		return corrupt(unzstd,
			       unzstd->offset > 0 ? "what follows the last frame is no zstd frame"
						  : "this is no zstd file",
			       error);
	if (unzstd->start_bytes == START_BYTES && start[0] == FRAME_MAGIC_0 &&
	    (start[MAGIC_BYTES] & DICTIONARY_ID_FLAG) != 0)
		return corrupt(unzstd, "the frame wants a dictionary, and there is none", error);
	return true;
}

static bool
take_start_byte(Unzstd *unzstd, uint8_t byte, GError **error)
{
	const uint8_t *at = unzstd->start;

	unzstd->start[unzstd->start_bytes++] = byte;
	if (!check_start(unzstd, error))
		return false;
	return unzstd->start_bytes < START_BYTES || take_frame(unzstd, &at, at + START_BYTES, error);
}

static bool
unzstd_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Unzstd *unzstd = (Unzstd *)self;
	const uint8_t *at = buf;
	const uint8_t *end = at + len;

	while (at < end)
		if (unzstd->start_bytes < START_BYTES ? !take_start_byte(unzstd, *at++, error)
						      : !take_frame(unzstd, &at, end, error))
			return false;
	return true;
}

static bool
unzstd_finish(HfStage *self, GError **error)
{
	Unzstd *unzstd = (Unzstd *)self;

	if (unzstd->start_bytes > 0)
		return corrupt(unzstd, "the stream ends inside a frame: it was cut", error);
	return unzstd->offset > 0 || corrupt(unzstd, "the stream is empty: it was cut", error);
}

static void
unzstd_clear(HfStage *self)
{
	Unzstd *unzstd = (Unzstd *)self;

	ZSTD_freeDCtx(unzstd->context);
	g_free(unzstd->out);
}

static const HfStageOps unzstd_ops = {
	.name = "unzstd",
	.write = unzstd_write,
	.finish = unzstd_finish,
	.clear = unzstd_clear,
};

HfStage *
hf_unzstd_new(HfStage *next)
{
	Unzstd *unzstd = g_new0(Unzstd, 1);

	hf_stage_init(&unzstd->stage, &unzstd_ops, next);
	unzstd->context = ZSTD_createDCtx();
	(void)ZSTD_DCtx_setParameter(unzstd->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	unzstd->out_bytes = ZSTD_DStreamOutSize();
	unzstd->out = g_malloc(unzstd->out_bytes);
	return &unzstd->stage;
}
