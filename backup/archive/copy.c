#include "config.h"

#include "backup/archive/copy.h"
#include "backup/stage/stage-impl.h"

typedef struct {
	HfStage base;
	char *key;
	HfStage *object; /* digest -> object; NULL once it failed */
} Copy;

static void
give_up(Copy *copy, const GError *trouble)
{
	g_warning("no copy of \"%s\" is kept on this host (%s): without BACKUP_IDENTITY_FILE, the next run "
		  "has nothing to go on from",
		  copy->key, trouble->message);
	g_clear_pointer(&copy->object, hf_stage_free);
}

static bool
copy_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Copy *copy = (Copy *)self;
	g_autoptr(GError) trouble = NULL;

	if (copy->object && !hf_stage_write(copy->object, buf, len, &trouble))
		give_up(copy, trouble);
	return hf_stage_emit(self, buf, len, error);
}

static bool
copy_finish(HfStage *self, GError **error)
{
	Copy *copy = (Copy *)self;
	g_autoptr(GError) trouble = NULL;

	(void)error;
	if (copy->object && !hf_stage_finish(copy->object, &trouble))
		give_up(copy, trouble);
	return true;
}

static void
copy_clear(HfStage *self)
{
	Copy *copy = (Copy *)self;

	hf_stage_free(copy->object);
	g_free(copy->key);
}

static const HfStageOps copy_ops = {
	.name = "copy",
	.write = copy_write,
	.finish = copy_finish,
	.clear = copy_clear,
};

HfStage *
hf_copy_new(HfStage *next, HfStore *copies, const char *key)
{
	Copy *copy = g_new0(Copy, 1);
	g_autoptr(GError) trouble = NULL;

	hf_stage_init(&copy->base, &copy_ops, next);
	copy->key = g_strdup(key);
	copy->object = hf_store_write(copies, key, NULL, &trouble);
	if (copy->object)
		copy->object = hf_digest_new(copy->object);
	else
		give_up(copy, trouble);
	return &copy->base;
}

bool
hf_copy_record(const HfStage *self, HfArchive *into)
{
	const Copy *copy = (const Copy *)(gconstpointer)self;
	char hex[HF_SHA256_HEX_LEN + 1];

	g_assert(HF_STAGE_IS(self, &copy_ops) && self->state == HF_STAGE_FINISHED);
	if (!copy->object)
		return false;
	hf_digest_hex(copy->object, hex);
	hf_archive_add_part(into, copy->key, hf_digest_bytes(copy->object), hex);
	return true;
}
