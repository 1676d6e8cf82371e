#include "config.h"

#include "backup/source/dump-section.h"
#include "common/error.h"

#include <string.h>

/* pg_dump's is below 1 KiB. */
#define HEAD_BYTES_MAX (16 << 10)
/* More than the closing lines take: 44 bytes, and 80 with \unrestrict and its 63 letters; pg_dump's tokens may grow. */
#define TAIL_BYTES 1024

static const char head_end[] = "\nSET row_security = off;\n\n";
static const char restrict_word[] = "\n\\restrict ";

struct HfDumpSection {
	const HfDumpSection *first; /* borrowed; NULL: this is it */
	GString *head;
	char *neutral_head; /* without the line of \restrict, whose token is random; NULL: the head is not complete */
	GString *tail; /* the last bytes that came, which may be the closing lines */
	char *closing;
};

HfDumpSection *
hf_dump_section_new(const HfDumpSection *first)
{
	HfDumpSection *self = g_new0(HfDumpSection, 1);

	self->first = first;
	self->head = g_string_new(NULL);
	self->tail = g_string_new(NULL);
	return self;
}

/* Takes the head apart: its token makes the closing lines. */
static void
read_head(HfDumpSection *self)
{
	static const char closing[] = "--\n-- PostgreSQL database dump complete\n--\n\n";
	const char *at = strstr(self->head->str, restrict_word);
	g_autofree char *before = NULL;
	size_t token_len;

	if (!at) { /* pg_dump before August 2025 */
		self->neutral_head = g_strdup(self->head->str);
		self->closing = g_strdup(closing);
		return;
	}
	before = g_strndup(self->head->str, (size_t)(at - self->head->str));
	at += strlen(restrict_word);
	token_len = strcspn(at, "\n");
	self->neutral_head = g_strconcat(before, at + token_len, NULL);
	self->closing = g_strdup_printf("%s\\unrestrict %.*s\n\n", closing, (int)token_len, at);
}

/* How many of the bytes belong to the head; the head is complete where neutral_head is set. */
static bool
take_head(HfDumpSection *self, const char *bytes, size_t len, size_t *taken_out, GError **error)
{
	size_t had = self->head->len;
	const char *end;

	g_string_append_len(self->head, bytes, (gssize)MIN(len, HEAD_BYTES_MAX));
	end = strstr(self->head->str, head_end);
	*taken_out = len;
	if (!end)
		return self->head->len <= HEAD_BYTES_MAX ||
		       hf_error_set(error, HF_ERROR_FAILED,
				    "pg_dump: its output begins in a way that is not known: set DB_JOBS=1");
	g_string_truncate(self->head, (gsize)(end - self->head->str) + strlen(head_end));
	*taken_out = self->head->len - had;
	read_head(self);
	return !self->first || strcmp(self->neutral_head, self->first->neutral_head) == 0 ||
	       hf_error_set(error, HF_ERROR_FAILED, "pg_dump: its sections begin differently: set DB_JOBS=1");
}

/* Keeps the last bytes back. */
static bool
pass_body(HfDumpSection *self, const char *bytes, size_t len, HfStage *into, GError **error)
{
	size_t surplus;

	if (len >= TAIL_BYTES) {
		if (!hf_stage_write(into, self->tail->str, self->tail->len, error) ||
		    !hf_stage_write(into, bytes, len - TAIL_BYTES, error))
			return false;
		g_string_truncate(self->tail, 0);
		g_string_append_len(self->tail, bytes + len - TAIL_BYTES, TAIL_BYTES);
		return true;
	}
	g_string_append_len(self->tail, bytes, (gssize)len);
	surplus = self->tail->len > TAIL_BYTES ? self->tail->len - TAIL_BYTES : 0;
	if (!hf_stage_write(into, self->tail->str, surplus, error))
		return false;
	g_string_erase(self->tail, 0, (gssize)surplus);
	return true;
}

bool
hf_dump_section_write(HfDumpSection *self, const char *bytes, size_t len, HfStage *into, GError **error)
{
	size_t taken = 0;

	if (!self->neutral_head) {
		if (!take_head(self, bytes, len, &taken, error))
			return false;
		if (self->neutral_head && !self->first &&
		    !hf_stage_write(into, self->head->str, self->head->len, error))
			return false;
	}
	return pass_body(self, bytes + taken, len - taken, into, error);
}

bool
hf_dump_section_end(HfDumpSection *self, HfStage *into, GError **error)
{
	size_t closing_len = self->closing ? strlen(self->closing) : 0;

	if (!self->closing || self->tail->len < closing_len ||
	    memcmp(self->tail->str + self->tail->len - closing_len, self->closing, closing_len) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "pg_dump: a section of its output ends without its closing lines");
	return hf_stage_write(into, self->tail->str, self->tail->len - closing_len, error);
}

const char *
hf_dump_section_closing(const HfDumpSection *first)
{
	return first->closing;
}

void
hf_dump_section_free(HfDumpSection *self)
{
	if (!self)
		return;
	g_string_free(self->head, TRUE);
	g_string_free(self->tail, TRUE);
	g_free(self->neutral_head);
	g_free(self->closing);
	g_free(self);
}
