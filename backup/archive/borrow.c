#include "config.h"

#include "backup/archive/borrow.h"
#include "backup/stage/stage-impl.h"

typedef struct {
	HfStage base;
	HfStage *into;
	bool *has_failed;
} Borrow;

static bool
borrow_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Borrow *borrow = (Borrow *)self;

	if (hf_stage_write(borrow->into, buf, len, error))
		return true;
	if (borrow->has_failed)
		*borrow->has_failed = true;
	return false;
}

static const HfStageOps borrow_ops = {.name = "borrow", .write = borrow_write};

HfStage *
hf_borrow_new(HfStage *into, bool *has_failed)
{
	Borrow *borrow = g_new0(Borrow, 1);

	hf_stage_init(&borrow->base, &borrow_ops, NULL);
	borrow->into = into;
	borrow->has_failed = has_failed;
	return &borrow->base;
}
