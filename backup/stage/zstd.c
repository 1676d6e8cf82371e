#include "config.h"

#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_estimateCCtxSize_usingCParams() */
#include "backup/stage/blocks.h"
#include "backup/stage/zstd.h"
#include "common/error.h"

#include <zstd.h>

enum {
	LEVEL_MAX = 19,
	/* All contexts together stay below this, by fewer threads: level 19 takes some 17 MiB for each. */
	CONTEXTS_BYTES_MAX = 36 * 1024 * 1024,
};

static bool
is_set(size_t code, GError **error)
{
	return !ZSTD_isError(code) ||
	       hf_error_set(error, HF_ERROR_FAILED, "zstd: %s", ZSTD_getErrorName(code));
}

static void
zstd_worker_free(void *worker)
{
	ZSTD_freeCCtx(worker);
}

static void *
zstd_worker_new(int level, GError **error)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();

	if (!context) {
		hf_error_set(error, HF_ERROR_FAILED, "zstd: there is no memory for a context");
		return NULL;
	}
	if (is_set(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level), error) &&
	    is_set(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1), error) &&
	    is_set(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1), error))
		return context;
	ZSTD_freeCCtx(context);
	return NULL;
}

static bool
zstd_pack(void *worker, HfBlock *block, GError **error)
{
	block->packed_bytes = ZSTD_compress2(worker, block->packed, block->packed_limit, block->plain,
					     block->plain_bytes);
	return is_set(block->packed_bytes, error);
}

static const HfBlocksCodec zstd_codec = {
	.name = "zstd",
	.bound = ZSTD_compressBound,
	.worker_new = zstd_worker_new,
	.pack = zstd_pack,
	.worker_free = zstd_worker_free,
};

static unsigned
threads_that_fit(const HfBlocksOptions *options)
{
	size_t member_bytes = options->member_bytes ? options->member_bytes : HF_BLOCKS_MEMBER_BYTES;
	ZSTD_compressionParameters parameters = ZSTD_getCParams(options->level, member_bytes, 0);
	size_t context_bytes = ZSTD_estimateCCtxSize_usingCParams(parameters);
	unsigned threads = options->threads ? options->threads : hf_blocks_default_threads();

	return (unsigned)CLAMP(CONTEXTS_BYTES_MAX / context_bytes, 1, threads);
}

HfStage *
hf_zstd_new(HfStage *next, const HfZstdOptions *options, HfMembers *members)
{
	HfBlocksOptions settled = {.level = 1};

	if (options)
		settled = (HfBlocksOptions){
			.level = options->level ? options->level : 1,
			.threads = options->threads,
			.member_bytes = options->member_bytes,
			.cuts_at_marks = options->cuts_at_marks,
		};
	g_assert(settled.level >= 1 && settled.level <= LEVEL_MAX);
	settled.threads = threads_that_fit(&settled);
	return hf_blocks_new(next, &zstd_codec, &settled, members);
}
