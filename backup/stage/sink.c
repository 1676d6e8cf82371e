#include "config.h"

#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* --- nowhere --- */

static bool
null_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	(void)self;
	(void)buf;
	(void)len;
	(void)error;
	return true;
}

static const HfStageOps null_ops = {.name = "null", .write = null_write};

HfStage *
hf_sink_null_new(void)
{
	HfStage *sink = g_new0(HfStage, 1);

	hf_stage_init(sink, &null_ops, NULL);
	return sink;
}

/* --- a descriptor --- */

typedef struct {
	HfStage stage;
	int fd;
	char *name;
} FdSink;

/* For a descriptor that somebody made non-blocking, as a shared terminal may be. */
static bool
wait_until_writable(int fd)
{
	struct pollfd wanted = {.fd = fd, .events = POLLOUT};

	return poll(&wanted, 1, -1) >= 0 || errno == EINTR;
}

static bool
fd_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	FdSink *sink = (FdSink *)self;
	const char *at = buf;

	while (len > 0) {
		ssize_t written = write(sink->fd, at, len);

		if (written >= 0) {
			at += written;
			len -= (size_t)written;
			continue;
		}
		if (errno == EINTR || (errno == EAGAIN && wait_until_writable(sink->fd)))
			continue;
		return hf_error_errno(error, "write to \"%s\"", sink->name);
	}
	return true;
}

static void
fd_clear(HfStage *self)
{
	g_free(((FdSink *)self)->name);
}

static const HfStageOps fd_ops = {.name = "descriptor", .write = fd_write, .clear = fd_clear};

HfStage *
hf_sink_fd_new(int fd, const char *name)
{
	FdSink *sink = g_new0(FdSink, 1);

	hf_stage_init(&sink->stage, &fd_ops, NULL);
	sink->fd = fd;
	sink->name = g_strdup(name);
	return &sink->stage;
}

/* --- memory --- */

typedef struct {
	HfStage stage;
	size_t limit_bytes;
	GByteArray *bytes;
	GBytes *whole; /* once finished */
} BytesSink;

static bool
bytes_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	BytesSink *sink = (BytesSink *)self;

	if (len > sink->limit_bytes - sink->bytes->len)
		return hf_error_set(error, HF_ERROR_CORRUPT, "there are more than %" G_GSIZE_FORMAT " bytes",
				    sink->limit_bytes);
	g_byte_array_append(sink->bytes, buf, (guint)len);
	return true;
}

static bool
bytes_finish(HfStage *self, GError **error)
{
	BytesSink *sink = (BytesSink *)self;

	(void)error;
	sink->whole = g_byte_array_free_to_bytes(g_steal_pointer(&sink->bytes));
	return true;
}

static void
bytes_clear(HfStage *self)
{
	BytesSink *sink = (BytesSink *)self;

	g_clear_pointer(&sink->bytes, g_byte_array_unref);
	g_clear_pointer(&sink->whole, g_bytes_unref);
}

static const HfStageOps bytes_ops = {
	.name = "memory",
	.write = bytes_write,
	.finish = bytes_finish,
	.clear = bytes_clear,
};

HfStage *
hf_sink_bytes_new(size_t limit_bytes)
{
	BytesSink *sink = g_new0(BytesSink, 1);

	hf_stage_init(&sink->stage, &bytes_ops, NULL);
	/* A GByteArray counts in 32 bits, and grows to the next power of two. */
	sink->limit_bytes = MIN(limit_bytes, G_MAXINT32);
	sink->bytes = g_byte_array_new();
	return &sink->stage;
}

GBytes *
hf_sink_bytes_get(HfStage *sink)
{
	g_assert(HF_STAGE_IS(sink, &bytes_ops) && sink->state == HF_STAGE_FINISHED);
	return g_bytes_ref(((BytesSink *)sink)->whole);
}

/* --- the meter --- */

typedef struct {
	HfStage stage;
	uint64_t *bytes;
} Meter;

static bool
meter_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	if (!hf_cancel_check(error) || !hf_stage_emit(self, buf, len, error))
		return false;
	__atomic_fetch_add(((Meter *)self)->bytes, len, __ATOMIC_RELAXED);
	return true;
}

/* What is behind the meter commits when it is finished, so this is the last moment to stop. */
static bool
meter_finish(HfStage *self, GError **error)
{
	(void)self;
	return hf_cancel_check(error);
}

static const HfStageOps meter_ops = {.name = "meter", .write = meter_write, .finish = meter_finish};

HfStage *
hf_meter_new(HfStage *next, uint64_t *bytes)
{
	Meter *meter = g_new0(Meter, 1);

	hf_stage_init(&meter->stage, &meter_ops, next);
	meter->bytes = bytes;
	return &meter->stage;
}

/* --- the slice --- */

typedef struct {
	HfStage stage;
	uint64_t skip;   /* still to be dropped */
	uint64_t length; /* still to be passed on */
} Slice;

static bool
slice_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Slice *slice = (Slice *)self;
	size_t dropped = (size_t)MIN(slice->skip, len);
	size_t passed = (size_t)MIN(slice->length, len - dropped);

	slice->skip -= dropped;
	slice->length -= passed;
	return hf_stage_emit(self, (const char *)buf + dropped, passed, error);
}

static bool
slice_finish(HfStage *self, GError **error)
{
	const Slice *slice = (const Slice *)self;

	return (slice->skip == 0 && slice->length == 0) ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "the stream ends %" G_GUINT64_FORMAT " bytes before the end of the wanted range",
			    slice->skip + slice->length);
}

static const HfStageOps slice_ops = {.name = "slice", .write = slice_write, .finish = slice_finish};

HfStage *
hf_slice_new(HfStage *next, uint64_t skip, uint64_t length)
{
	Slice *slice = g_new0(Slice, 1);

	hf_stage_init(&slice->stage, &slice_ops, next);
	slice->skip = skip;
	slice->length = length;
	return &slice->stage;
}
