/*
 * backup/stage/stage-impl.h -- for those who write a stage; those who use one include stage.h.
 *
 * The base walks the chain, the stage works: a hook never calls the next stage's hook, only hf_stage_emit() and
 * hf_stage_emit_mark().  OPEN, FINISHED and FAILED are kept and checked by the base alone.  A stage never exits, never
 * prints, and never retries what it cannot replay.
 *
 * A stage is a struct whose first member is an HfStage, made by g_new0() and hf_stage_init(); its constructor takes the
 * next stage and owns it from then on, also when the constructor fails.
 */
#pragma once

#include "backup/stage/stage.h"

typedef struct {
	const char *name; /* lower case, for messages */
	bool (*write)(HfStage *self, const void *buf, size_t len, GError **error); /* len is never 0 */
	bool (*mark)(HfStage *self, GError **error); /* NULL: passed on to the next stage */
	bool (*drain)(HfStage *self,
		      GError **error); /* NULL: holds nothing back; the base goes on to the next */
	bool (*finish)(HfStage *self, GError **error); /* NULL: nothing to flush */
	void (*discard)(HfStage *self);                /* NULL: nothing to undo outside memory */
	void (*clear)(HfStage *self);                  /* NULL: no memory but the struct */
} HfStageOps;

typedef enum {
	HF_STAGE_OPEN,
	HF_STAGE_FINISHED,
	HF_STAGE_FAILED
} HfStageState;

struct HfStage {
	const HfStageOps *ops;
	HfStage *next;
	HfStageState state;
};

/* Sets up the base of a stage that was allocated zeroed; takes next, which is NULL for the last stage of a chain. */
void hf_stage_init(HfStage *self, const HfStageOps *ops, HfStage *next);

/* Pushes bytes into the next stage; a stage without one must not call it. */
bool hf_stage_emit(HfStage *self, const void *buf, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Passes on that the stream may be cut here; does nothing at the end of the chain. */
bool hf_stage_emit_mark(HfStage *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True where the stage is of this kind: for the assertion at the head of a getter. */
#define HF_STAGE_IS(stage, its_ops) ((stage)->ops == (its_ops))
