#include "config.h"

#include "backup/source/scan-digest.h"
#include "backup/source/scan-statement.h"
#include "backup/source/scan.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <string.h>

/*
 * The lexer follows psql's (src/fe_utils/psqlscan.l) as far as a dump can tell the difference.  Left out on purpose:
 * psql also counts BEGIN ... END of SQL-standard function bodies, whose inner semicolons do not end the statement.
 * Neither COPY nor a comment of the source survives in such a body, so nothing is mistaken where it is cut.
 */

/* PostgreSQL allows 1,600 columns of at most 63 bytes; quoted, each takes at most 131 here. */
#define STATEMENT_BYTES_MAX (1 << 20)
/* Tags are identifiers, but psql does not limit them; what is longer than this is not taken for a tag. */
#define TAG_BYTES_MAX 1024
#define LINE_BYTES_MAX 64

typedef enum {
	IN_CODE, /* between quotes and comments */
	IN_LINE_COMMENT,
	IN_BLOCK_COMMENT,
	IN_STRING,        /* '...': ends at the next quote; a doubled quote opens it again */
	IN_ESCAPE_STRING, /* E'...': the same with backslashes */
	IN_IDENTIFIER,    /* "..." */
	IN_DOLLAR_TAG,    /* behind a $ that may open a dollar quote */
	IN_DOLLAR_QUOTE,
	IN_COMMAND, /* a backslash command, to the end of its line */
	IN_ROWS,    /* the data of a COPY */
} State;

/* Whether the text of the statement is kept. */
typedef enum {
	KEEP_UNDECIDED, /* its first word is not complete */
	KEEP_ALL,
	KEEP_NOTHING,
} Keep;

typedef struct {
	HfStage stage;
	HfScanKind kind;
	State state;
	uint64_t offset; /* of the byte behind the last one that was looked at */

	/* the statement */
	bool in_statement;
	Keep keep;
	GString *text;
	uint64_t statement_offset;
	HfTable *pending; /* its rows begin with the next line */

	unsigned parentheses;

	/* within IN_CODE */
	char held; /* a '-' or '/' that may open a comment, or 0 */
	bool in_word;
	bool word_is_e;      /* the word so far is a lone E */
	bool may_continue_e; /* only white space since an escape string was closed: a quote opens it again */
	bool standard_strings;

	/* comments and backslash commands */
	char line[LINE_BYTES_MAX];
	size_t line_len; /* LINE_BYTES_MAX: longer than anything that is looked for */
	unsigned depth;
	char previous; /* within a block comment */

	/* dollar quotes: "$tag$", and how much of it was matched */
	GString *tag;
	size_t tag_matched;
	bool is_escaped; /* in an escape string, behind a backslash */

	/* rows */
	HfTable *table;
	HfRowSum digest;     /* of table so far */
	XXH3_state_t *split; /* the hash of a row that came in more than one write */
	uint64_t split_len;  /* 0: there is none */
	char split_head[3];  /* its first bytes, to know the end mark by */

	bool is_complete; /* the closing line was read */
	bool has_more;    /* and a statement behind it */
	uint64_t rows;
	GPtrArray *tables;
	GHashTable *by_name;
} Scan;

static const char *
closing_line(HfScanKind kind)
{
	switch (kind) {
	case HF_SCAN_DATABASE:
		return " PostgreSQL database dump complete";
	case HF_SCAN_GLOBALS:
		return " PostgreSQL database cluster dump complete";
	}
	g_assert_not_reached();
}

void
hf_table_free(HfTable *table)
{
	if (!table)
		return;
	g_free(table->name);
	g_free(table);
}

/* ---- the text of a statement ---- */

static void
keep_bytes(Scan *self, const char *bytes, size_t len)
{
	if (self->keep != KEEP_NOTHING)
		g_string_append_len(self->text, bytes, (gssize)len);
}

static bool
check_text(const Scan *self, GError **error)
{
	if (self->text->len <= STATEMENT_BYTES_MAX)
		return true;
	return hf_error_set(error, HF_ERROR_CORRUPT,
			    "dump: the statement at byte %" G_GUINT64_FORMAT
			    " is longer than any that pg_dump writes",
			    self->statement_offset);
}

static void
begin_statement(Scan *self, uint64_t offset)
{
	self->in_statement = true;
	self->statement_offset = offset;
	self->keep = KEEP_UNDECIDED;
	g_string_truncate(self->text, 0);
	self->has_more = self->has_more || self->is_complete;
}

/* Behind the first word: only COPY and SET are of interest. */
static void
decide_keep(Scan *self)
{
	if (self->keep != KEEP_UNDECIDED)
		return;
	self->keep = g_ascii_strcasecmp(self->text->str, "COPY") == 0 ||
				     g_ascii_strcasecmp(self->text->str, "SET") == 0
			     ? KEEP_ALL
			     : KEEP_NOTHING;
}

static HfTable *
find_table(Scan *self, char *name)
{
	HfTable *table = g_hash_table_lookup(self->by_name, name);

	if (table) {
		g_free(name);
		return table;
	}
	table = g_new0(HfTable, 1);
	table->name = name;
	table->offset = self->statement_offset;
	g_ptr_array_add(self->tables, table);
	g_hash_table_insert(self->by_name, name, table);
	return table;
}

static void
end_statement(Scan *self)
{
	decide_keep(self);
	if (self->keep == KEEP_ALL) {
		char *name = hf_scan_parse_copy(self->text->str);

		if (name)
			self->pending = find_table(self, name);
		else
			hf_scan_parse_strings(self->text->str, &self->standard_strings);
	}
	self->in_statement = false;
	self->keep = KEEP_NOTHING;
	g_string_truncate(self->text, 0);
}

/* ---- rows ---- */

static void
begin_rows(Scan *self, uint64_t offset)
{
	self->table = g_steal_pointer(&self->pending);
	self->state = IN_ROWS;
	self->digest = hf_scan_load_sum(self->table->digest);
	if (!self->table->data_offset)
		self->table->data_offset = offset;
}

static void
end_rows(Scan *self)
{
	hf_scan_store_sum(self->table->digest, self->digest);
	self->table = NULL;
	self->state = IN_CODE;
}

/* "\." ends the rows; psql also takes it before CR LF. */
static bool
is_end_mark(const char *line, size_t len)
{
	return len >= 2 && line[0] == '\\' && line[1] == '.' && (len == 2 || (len == 3 && line[2] == '\r'));
}

/* A piece of a row that goes on in the next write. */
static void
keep_split(Scan *self, const char *piece, size_t len)
{
	if (self->split_len == 0)
		XXH3_128bits_reset(self->split);
	for (size_t i = 0; i < len && self->split_len + i < sizeof self->split_head; i++)
		self->split_head[self->split_len + i] = piece[i];
	XXH3_128bits_update(self->split, piece, len);
	self->split_len += len;
}

/* The split row is complete; false where it was the end mark. */
static bool
end_split(Scan *self)
{
	uint64_t len = self->split_len;

	self->split_len = 0;
	if (len <= sizeof self->split_head && is_end_mark(self->split_head, (size_t)len))
		return false;
	self->digest += hf_scan_widen(XXH3_128bits_digest(self->split));
	self->rows++;
	self->table->rows++;
	self->table->bytes += len + 1;
	return true;
}

/* Whole rows, up to the end mark or a row that is cut by the end of the piece: how many bytes they took. */
static size_t
scan_whole_rows(Scan *self, const char *piece, size_t len)
{
	const char *at = piece, *end = piece + len, *line_end;
	HfRowSum digest = self->digest;
	uint64_t rows = 0;

	while ((line_end = memchr(at, '\n', (size_t)(end - at)))) {
		size_t row_len = (size_t)(line_end - at);

		if (is_end_mark(at, row_len))
			break;
		digest += hf_scan_widen(XXH3_128bits(at, row_len));
		rows++;
		at = line_end + 1;
		if (at == end)
			break;
	}
	self->digest = digest;
	self->rows += rows;
	self->table->rows += rows;
	self->table->bytes += (uint64_t)(at - piece);
	return (size_t)(at - piece);
}

static size_t
scan_rows(Scan *self, const char *piece, size_t len)
{
	size_t taken = self->split_len > 0 ? 0 : scan_whole_rows(self, piece, len);
	const char *line_end;

	if (taken == len)
		return len;
	line_end = memchr(piece + taken, '\n', len - taken);
	keep_split(self, piece + taken, (line_end ? (size_t)(line_end - piece) : len) - taken);
	if (!line_end)
		return len;
	if (!end_split(self))
		end_rows(self);
	return (size_t)(line_end + 1 - piece);
}

/* ---- code ---- */

static bool
is_word_start(char c)
{
	return g_ascii_isalpha(c) || c == '_' || (c & 0x80);
}

static void
open_state(Scan *self, State state)
{
	self->state = state;
	self->in_word = self->word_is_e = self->may_continue_e = self->is_escaped = false;
	self->line_len = 0;
	self->depth = 1;
	self->previous = 0;
}

static void
white_space(Scan *self, char c, uint64_t offset)
{
	self->in_word = self->word_is_e = false;
	if (self->in_statement) {
		decide_keep(self);
		keep_bytes(self, &c, 1);
	}
	if (c == '\n' && self->pending)
		begin_rows(self, offset + 1);
}

/* A byte of the statement that neither is white space nor opens anything. */
static void
plain_char(Scan *self, char c, uint64_t offset)
{
	bool is_word = is_word_start(c) || (g_ascii_isdigit(c)) || (c == '$' && self->in_word);

	self->may_continue_e = false;
	if (!self->in_statement && c == ';')
		return;
	if (!self->in_statement)
		begin_statement(self, offset);
	self->word_is_e = !self->in_word && (c == 'e' || c == 'E');
	self->in_word = is_word;
	if (!is_word)
		decide_keep(self);
	if (c == '(')
		self->parentheses++;
	else if (c == ')' && self->parentheses > 0)
		self->parentheses--;
	if (c == ';' && self->parentheses == 0)
		end_statement(self);
	else
		keep_bytes(self, &c, 1);
}

/* A quote or a dollar sign opens something that is part of the statement. */
static void
open_quote(Scan *self, State state, char c, uint64_t offset)
{
	if (!self->in_statement)
		begin_statement(self, offset);
	decide_keep(self);
	if (state == IN_DOLLAR_TAG)
		g_string_assign(self->tag, "$");
	else
		keep_bytes(self, &c, 1);
	open_state(self, state);
}

/* True where c, behind a held '-' or '/', opens a comment; else the held byte was a byte like others. */
static bool
opens_comment(Scan *self, char c, uint64_t offset)
{
	char held = self->held;

	self->held = 0;
	if ((held == '-' && c == '-') || (held == '/' && c == '*')) {
		open_state(self, c == '-' ? IN_LINE_COMMENT : IN_BLOCK_COMMENT);
		return true;
	}
	plain_char(self, held, offset - 1);
	return false;
}

/* True where c opens something that is read by a state of its own. */
static bool
opens_state(Scan *self, char c, uint64_t offset)
{
	bool has_escapes = self->word_is_e || self->may_continue_e || !self->standard_strings;

	if (c == '\'')
		open_quote(self, has_escapes ? IN_ESCAPE_STRING : IN_STRING, c, offset);
	else if (c == '"')
		open_quote(self, IN_IDENTIFIER, c, offset);
	else if (c == '$' && !self->in_word)
		open_quote(self, IN_DOLLAR_TAG, c, offset);
	else if (c == '\\')
		open_state(self, IN_COMMAND);
	else
		return false;
	return true;
}

static void
code_char(Scan *self, char c, uint64_t offset)
{
	if (self->held && opens_comment(self, c, offset))
		return;
	if (c == '-' || c == '/')
		self->held = c;
	else if (g_ascii_isspace(c) || c == '\v')
		white_space(self, c, offset);
	else if (!opens_state(self, c, offset))
		plain_char(self, c, offset);
}

static size_t
scan_code(Scan *self, const char *piece, size_t len)
{
	size_t i = 0;

	while (i < len && self->state == IN_CODE) {
		code_char(self, piece[i], self->offset + i);
		i++;
	}
	return i;
}

/* ---- what is opened in code, and how it ends ---- */

static size_t
scan_quoted(Scan *self, const char *piece, size_t len, char quote)
{
	const char *end = memchr(piece, quote, len);
	size_t taken = end ? (size_t)(end + 1 - piece) : len;

	keep_bytes(self, piece, taken);
	if (end)
		open_state(self, IN_CODE);
	return taken;
}

static size_t
scan_escape_string(Scan *self, const char *piece, size_t len)
{
	size_t i = 0;

	for (; i < len; i++) {
		if (self->is_escaped)
			self->is_escaped = false;
		else if (piece[i] == '\\')
			self->is_escaped = true;
		else if (piece[i] == '\'')
			break;
	}
	if (i == len) {
		keep_bytes(self, piece, len);
		return len;
	}
	keep_bytes(self, piece, i + 1);
	open_state(self, IN_CODE);
	self->may_continue_e = true;
	return i + 1;
}

/* What could not be a tag is read again as code: "$1", "$abc ". */
static size_t
scan_dollar_tag(Scan *self, const char *piece, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = piece[i];

		if (c == '$') {
			g_string_append_c(self->tag, c);
			open_state(self, IN_DOLLAR_QUOTE);
			self->tag_matched = 0;
			return i + 1;
		}
		if (self->tag->len == TAG_BYTES_MAX ||
		    !(is_word_start(c) || (self->tag->len > 1 && g_ascii_isdigit(c)))) {
			keep_bytes(self, self->tag->str, self->tag->len);
			open_state(self, IN_CODE);
			self->in_word = self->tag->len > 1;
			self->word_is_e = self->tag->len == 2 && g_ascii_toupper(self->tag->str[1]) == 'E';
			return i;
		}
		g_string_append_c(self->tag, c);
	}
	return len;
}

/* A dollar sign stands at the ends of a delimiter only, so a mismatch starts over with the byte at hand. */
static size_t
scan_dollar_quote(Scan *self, const char *piece, size_t len)
{
	size_t i = 0;

	while (i < len) {
		if (self->tag_matched == 0) {
			const char *dollar = memchr(piece + i, '$', len - i);

			if (!dollar)
				return len;
			i = (size_t)(dollar - piece) + 1;
			self->tag_matched = 1;
			continue;
		}
		if (piece[i] == self->tag->str[self->tag_matched])
			self->tag_matched++;
		else
			self->tag_matched = piece[i] == '$' ? 1 : 0;
		i++;
		if (self->tag_matched == self->tag->len) {
			open_state(self, IN_CODE);
			return i;
		}
	}
	return len;
}

static size_t
scan_block_comment(Scan *self, const char *piece, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = piece[i];

		if (self->previous == '*' && c == '/') {
			c = 0;
			if (--self->depth == 0) {
				open_state(self, IN_CODE);
				return i + 1;
			}
		} else if (self->previous == '/' && c == '*') {
			c = 0;
			self->depth++;
		}
		self->previous = c;
	}
	return len;
}

static bool
line_is(const Scan *self, const char *text)
{
	return self->line_len == strlen(text) && memcmp(self->line, text, self->line_len) == 0;
}

static void
end_line(Scan *self)
{
	if (self->state == IN_LINE_COMMENT && !self->in_statement && line_is(self, closing_line(self->kind)))
		self->is_complete = true;
	if (self->state == IN_COMMAND && self->is_complete && !g_str_has_prefix(self->line, "unrestrict "))
		self->has_more = true;
	open_state(self, IN_CODE);
}

/* A line comment or a backslash command; the line end itself is left to the code. */
static size_t
scan_line(Scan *self, const char *piece, size_t len)
{
	size_t i = 0, kept;

	while (i < len && piece[i] != '\n' && (piece[i] != '\r' || self->state == IN_COMMAND))
		i++;
	kept = MIN(i, LINE_BYTES_MAX - 1 - self->line_len);
	memcpy(self->line + self->line_len, piece, kept);
	self->line_len += kept;
	self->line[self->line_len] = 0;
	if (i < len)
		end_line(self);
	return i;
}

/* ---- the stage ---- */

static size_t
scan_piece(Scan *self, const char *piece, size_t len)
{
	switch (self->state) {
	case IN_CODE:
		return scan_code(self, piece, len);
	case IN_LINE_COMMENT:
	case IN_COMMAND:
		return scan_line(self, piece, len);
	case IN_BLOCK_COMMENT:
		return scan_block_comment(self, piece, len);
	case IN_STRING:
		return scan_quoted(self, piece, len, '\'');
	case IN_IDENTIFIER:
		return scan_quoted(self, piece, len, '"');
	case IN_ESCAPE_STRING:
		return scan_escape_string(self, piece, len);
	case IN_DOLLAR_TAG:
		return scan_dollar_tag(self, piece, len);
	case IN_DOLLAR_QUOTE:
		return scan_dollar_quote(self, piece, len);
	case IN_ROWS:
		return scan_rows(self, piece, len);
	}
	g_assert_not_reached();
}

static bool
scan_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	Scan *self = (Scan *)stage;
	const char *at = buf, *end = at + len;

	while (at < end) {
		size_t taken = scan_piece(self, at, (size_t)(end - at));

		self->offset += taken;
		at += taken;
	}
	if (self->table)
		hf_scan_store_sum(self->table->digest, self->digest);
	return check_text(self, error) && (!stage->next || hf_stage_emit(stage, buf, len, error));
}

static bool
scan_finish(HfStage *stage, GError **error)
{
	const Scan *self = (const Scan *)stage;

	if (self->state == IN_ROWS || self->pending)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "dump: it ends within the rows of table %s: it was cut",
				    self->table ? self->table->name : self->pending->name);
	if (!self->is_complete)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "dump: its closing line \"--%s\" is missing: it was cut",
				    closing_line(self->kind));
	if (self->has_more || self->state != IN_CODE || self->held)
		return hf_error_set(error, HF_ERROR_CORRUPT, "dump: it goes on behind its closing line");
	return true;
}

static void
scan_clear(HfStage *stage)
{
	Scan *self = (Scan *)stage;

	XXH3_freeState(self->split);
	g_string_free(self->text, TRUE);
	g_string_free(self->tag, TRUE);
	g_hash_table_destroy(self->by_name);
	g_ptr_array_unref(self->tables);
}

static const HfStageOps scan_ops = {
	.name = "scan",
	.write = scan_write,
	.finish = scan_finish,
	.clear = scan_clear,
};

static void
free_table(gpointer table)
{
	hf_table_free(table);
}

HfStage *
hf_scan_new(HfStage *next, HfScanKind kind)
{
	Scan *self = g_new0(Scan, 1);

	hf_stage_init(&self->stage, &scan_ops, next);
	self->kind = kind;
	self->keep = KEEP_NOTHING;
	self->standard_strings = true;
	self->text = g_string_new(NULL);
	self->tag = g_string_new(NULL);
	self->split = XXH3_createState();
	g_assert(self->split); /* memory, as g_new0() */
	self->tables = g_ptr_array_new_with_free_func(free_table);
	self->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	return &self->stage;
}

static const Scan *
as_scan(const HfStage *stage)
{
	g_assert(HF_STAGE_IS(stage, &scan_ops));
	return (const Scan *)stage;
}

const GPtrArray *
hf_scan_tables(const HfStage *scan)
{
	return as_scan(scan)->tables;
}

uint64_t
hf_scan_rows(const HfStage *scan)
{
	return as_scan(scan)->rows;
}

const char *
hf_scan_current_table(const HfStage *scan)
{
	const HfTable *table = as_scan(scan)->table;

	return table ? table->name : NULL;
}
