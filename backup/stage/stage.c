#include "config.h"

#include "backup/stage/stage-impl.h"
#include "common/error.h"

void
hf_stage_init(HfStage *self, const HfStageOps *ops, HfStage *next)
{
	self->ops = ops;
	self->next = next;
	self->state = HF_STAGE_OPEN;
}

static bool
check_open(const HfStage *self, GError **error)
{
	switch (self->state) {
	case HF_STAGE_OPEN:
		return true;
	case HF_STAGE_FINISHED:
		return hf_error_set(error, HF_ERROR_FAILED, "stage \"%s\": used after it was finished",
				    self->ops->name);
	case HF_STAGE_FAILED:
		return hf_error_set(error, HF_ERROR_FAILED, "stage \"%s\": used after it failed",
				    self->ops->name);
	}
	g_assert_not_reached();
}

static bool
note_failure(HfStage *self, bool is_done)
{
	if (!is_done)
		self->state = HF_STAGE_FAILED;
	return is_done;
}

bool
hf_stage_write(HfStage *head, const void *buf, size_t len, GError **error)
{
	if (!check_open(head, error))
		return false;
	return len == 0 || note_failure(head, head->ops->write(head, buf, len, error));
}

bool
hf_stage_mark(HfStage *head, GError **error)
{
	if (!check_open(head, error))
		return false;
	if (head->ops->mark)
		return note_failure(head, head->ops->mark(head, error));
	return note_failure(head, hf_stage_emit_mark(head, error));
}

bool
hf_stage_emit(HfStage *self, const void *buf, size_t len, GError **error)
{
	g_assert(self->next);
	return hf_stage_write(self->next, buf, len, error);
}

bool
hf_stage_emit_mark(HfStage *self, GError **error)
{
	return !self->next || hf_stage_mark(self->next, error);
}

bool
hf_stage_drain(HfStage *head, GError **error)
{
	for (HfStage *stage = head; stage; stage = stage->next) {
		if (!check_open(stage, error))
			return false;
		if (stage->ops->drain && !note_failure(stage, stage->ops->drain(stage, error)))
			return false;
	}
	return true;
}

bool
hf_stage_finish(HfStage *head, GError **error)
{
	for (HfStage *stage = head; stage; stage = stage->next) {
		if (!check_open(stage, error))
			return false;
		if (stage->ops->finish && !note_failure(stage, stage->ops->finish(stage, error)))
			return false;
		stage->state = HF_STAGE_FINISHED;
	}
	return true;
}

void
hf_stage_free(HfStage *head)
{
	for (HfStage *stage = head; stage; stage = stage->next)
		if (stage->state != HF_STAGE_FINISHED && stage->ops->discard)
			stage->ops->discard(stage);
	while (head) {
		HfStage *next = head->next;

		if (head->ops->clear)
			head->ops->clear(head);
		g_free(head);
		head = next;
	}
}
