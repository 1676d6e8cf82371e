#include "config.h"

#include "backup/store/put-impl.h"
#include "backup/store/store-impl.h"
#include "common/cancel.h"

#define MEMORY_BYTES ((size_t)24 << 20)
#define CONNECTIONS 16

HfPut *
hf_put_new(HfStore *store, const HfPutOptions *options)
{
	HfPutOptions filled = options ? *options : (HfPutOptions){0};
	HfPut *put;

	filled.memory_bytes = filled.memory_bytes ? filled.memory_bytes : MEMORY_BYTES;
	filled.connections = filled.connections ? filled.connections : CONNECTIONS;
	g_assert(store->ops->put_new);
	put = store->ops->put_new(store, &filled);
	put->store = store;
	return put;
}

void
hf_put_init(HfPut *self, const HfPutOps *ops, const HfPutOptions *options)
{
	self->ops = ops;
	self->options = *options;
}

static bool
tell_end(const HfPut *put, GError **error)
{
	if (!put->ended)
		return true;
	g_propagate_error(error, g_error_copy(put->ended));
	return false;
}

bool
hf_put_object(HfPut *put, const char *key, const HfObjectMeta *meta, GBytes *content, GError **error)
{
	static const HfObjectMeta nothing = {0};

	if (!put->ended && hf_store_check_key(key, &put->ended) && hf_cancel_check(&put->ended))
		(void)!put->ops->object(put, key, meta ? meta : &nothing, content, &put->ended);
	return tell_end(put, error);
}

HfStage *
hf_put_stream(HfPut *put, const char *key, const HfObjectMeta *meta, GError **error)
{
	return hf_put_finish(put, error) ? hf_store_write(put->store, key, meta, error) : NULL;
}

bool
hf_put_finish(HfPut *put, GError **error)
{
	if (!put->ended && hf_cancel_check(&put->ended))
		(void)!put->ops->finish(put, &put->ended);
	return tell_end(put, error);
}

void
hf_put_free(HfPut *put)
{
	if (!put)
		return;
	put->ops->clear(put);
	g_clear_error(&put->ended);
	g_free(put);
}
