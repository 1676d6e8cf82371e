#include "config.h"

#include "backup/restore/unwrap.h"
#include "backup/restore/lexer.h"
#include "backup/source/scan-statement.h"
#include "backup/stage/stage-impl.h"

#include <stdint.h>
#include <string.h>

/* "COMMIT;" is the longest that is looked for. */
#define HELD_BYTES_MAX 7
/* Of a COPY with 1,600 columns; what is longer is none. */
#define TEXT_BYTES_MAX ((size_t)1 << 20)

typedef struct {
	HfStage base;
	HfLexer lexer;
	GString *text; /* of the statement, up to TEXT_BYTES_MAX */
	bool is_held;  /* text was not passed on yet: it may be one that is left out */
	bool waits_for_rows, in_rows;
	size_t matched; /* of the end mark, at the beginning of a line of rows; SIZE_MAX: it is no end mark */
} Unwrap;

static bool
pass_held(Unwrap *self, GError **error)
{
	if (!self->is_held)
		return true;
	self->is_held = false;
	return self->text->len == 0 || hf_stage_emit(&self->base, self->text->str, self->text->len, error);
}

static bool
take_text(Unwrap *self, const char *bytes, size_t len, GError **error)
{
	size_t kept = MIN(len, TEXT_BYTES_MAX - MIN(self->text->len, TEXT_BYTES_MAX));

	g_string_append_len(self->text, bytes, (gssize)kept);
	if (!self->is_held)
		return len == 0 || hf_stage_emit(&self->base, bytes, len, error);
	if (self->text->len <= HELD_BYTES_MAX)
		return true;
	self->is_held = false;
	return hf_stage_emit(&self->base, self->text->str, self->text->len, error) &&
	       (kept == len || hf_stage_emit(&self->base, bytes + kept, len - kept, error));
}

static bool
end_statement(Unwrap *self, HfLexEnd end, GError **error)
{
	g_autofree char *name = NULL;

	if (end == HF_LEX_STATEMENT &&
	    (strcmp(self->text->str, "BEGIN;") == 0 || strcmp(self->text->str, "COMMIT;") == 0))
		self->is_held = false;
	if (!pass_held(self, error))
		return false;
	name = end == HF_LEX_STATEMENT ? hf_scan_parse_copy(self->text->str) : NULL;
	self->waits_for_rows = name != NULL;
	hf_scan_parse_strings(self->text->str, &self->lexer.standard_strings);
	g_string_truncate(self->text, 0);
	self->is_held = true;
	return true;
}

/* Statements up to a COPY. */
static bool
take_statements(Unwrap *self, const char *bytes, size_t len, size_t *taken_out, GError **error)
{
	size_t begin, taken;
	HfLexEnd end;

	if (self->waits_for_rows) {
		const char *line_end = memchr(bytes, '\n', len);

		self->in_rows = line_end != NULL;
		self->waits_for_rows = !line_end;
		self->matched = 0;
		*taken_out = line_end ? (size_t)(line_end - bytes) + 1 : len;
		return hf_stage_emit(&self->base, bytes, *taken_out, error);
	}
	*taken_out = taken = hf_lexer_take(&self->lexer, bytes, len, &begin, &end);
	begin = MIN(begin, taken);
	if (begin > 0 && !hf_stage_emit(&self->base, bytes, begin, error))
		return false;
	return take_text(self, bytes + begin, taken - begin, error) &&
	       (end == HF_LEX_MORE || end_statement(self, end, error));
}

/* Rows up to their end mark. */
static bool
take_rows(Unwrap *self, const char *bytes, size_t len, size_t *taken_out, GError **error)
{
	static const char mark[] = "\\.\n";
	size_t i = 0;

	while (i < len && self->in_rows) {
		const char *line_end;

		if (self->matched < strlen(mark) && bytes[i] == mark[self->matched]) {
			self->matched++;
			i++;
			self->in_rows = self->matched < strlen(mark);
			continue;
		}
		line_end = memchr(bytes + i, '\n', len - i);
		self->matched = line_end ? 0 : SIZE_MAX;
		i = line_end ? (size_t)(line_end - bytes) + 1 : len;
	}
	*taken_out = i;
	return hf_stage_emit(&self->base, bytes, i, error);
}

static bool
unwrap_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	Unwrap *self = (Unwrap *)stage;
	const char *bytes = buf;

	while (len > 0) {
		size_t taken;

		if (!(self->in_rows ? take_rows(self, bytes, len, &taken, error)
				    : take_statements(self, bytes, len, &taken, error)))
			return false;
		bytes += taken;
		len -= taken;
	}
	return true;
}

static bool
unwrap_finish(HfStage *stage, GError **error)
{
	return pass_held((Unwrap *)stage, error);
}

static void
unwrap_clear(HfStage *stage)
{
	g_string_free(((Unwrap *)stage)->text, TRUE);
}

static const HfStageOps unwrap_ops = {
	.name = "unwrap",
	.write = unwrap_write,
	.finish = unwrap_finish,
	.clear = unwrap_clear,
};

HfStage *
hf_unwrap_new(HfStage *next)
{
	Unwrap *self = g_new0(Unwrap, 1);

	hf_stage_init(&self->base, &unwrap_ops, next);
	hf_lexer_begin(&self->lexer);
	self->text = g_string_new(NULL);
	self->is_held = true;
	return &self->base;
}
