#include "config.h"

#include "backup/catalog/lines.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	HfStage base;
	size_t limit_bytes;
	HfLineFunc take;
	void *context;
	GString *line; /* what has come of the line that is not complete yet */
} Lines;

static bool
take_line(Lines *lines, GError **error)
{
	if (memchr(lines->line->str, 0, lines->line->len))
		return hf_error_set(error, HF_ERROR_CORRUPT, "a line holds a NUL");
	if (!lines->take(lines->context, lines->line->str, lines->line->len, error))
		return false;
	g_string_truncate(lines->line, 0);
	return true;
}

static bool
lines_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Lines *lines = (Lines *)self;
	const char *text = buf, *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t fits = (size_t)((stop ? stop : end) - text);

		if (fits > lines->limit_bytes - lines->line->len)
			return hf_error_set(error, HF_ERROR_CORRUPT, "a line is longer than %zu bytes",
					    lines->limit_bytes);
		g_string_append_len(lines->line, text, (gssize)fits);
		if (stop && !take_line(lines, error))
			return false;
		text += fits + (stop ? 1 : 0);
	}
	return true;
}

static bool
lines_finish(HfStage *self, GError **error)
{
	return ((Lines *)self)->line->len == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "the last line has no end");
}

static void
lines_clear(HfStage *self)
{
	g_string_free(((Lines *)self)->line, TRUE);
}

static const HfStageOps lines_ops = {
	.name = "lines", .write = lines_write, .finish = lines_finish, .clear = lines_clear};

HfStage *
hf_lines_new(size_t limit_bytes, HfLineFunc take, void *context)
{
	Lines *lines = g_new0(Lines, 1);

	hf_stage_init(&lines->base, &lines_ops, NULL);
	lines->limit_bytes = limit_bytes;
	lines->take = take;
	lines->context = context;
	lines->line = g_string_new(NULL);
	return &lines->base;
}
