#include "config.h"

#include "backup/verify/aside.h"
#include "backup/stage/relay.h"
#include "backup/stage/stage-impl.h"

/* Stays in the second-level cache between the two threads. */
#define BUFFER_BYTES ((size_t)256 << 10)

typedef struct {
	HfStage stage;
	HfStage *observer;
	HfRelay *relay;
} Aside;

static bool
take(void *context, const void *buf, size_t len, GError **error)
{
	return hf_stage_write(context, buf, len, error);
}

static bool
aside_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	return hf_relay_write(((Aside *)stage)->relay, buf, len, error);
}

static bool
aside_finish(HfStage *stage, GError **error)
{
	Aside *self = (Aside *)stage;

	return hf_relay_finish(self->relay, error) && hf_stage_finish(self->observer, error);
}

static void
aside_clear(HfStage *stage)
{
	Aside *self = (Aside *)stage;

	hf_relay_free(self->relay);
	hf_stage_free(self->observer);
}

static const HfStageOps aside_ops = {
	.name = "scan",
	.write = aside_write,
	.finish = aside_finish,
	.clear = aside_clear,
};

HfStage *
hf_aside_new(HfStage *observer)
{
	Aside *self = g_new0(Aside, 1);

	hf_stage_init(&self->stage, &aside_ops, NULL);
	self->observer = observer;
	self->relay = hf_relay_new("scan", BUFFER_BYTES, take, observer);
	return &self->stage;
}
