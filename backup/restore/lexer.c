#include "config.h"

#include "backup/restore/lexer.h"

#include <glib.h>
#include <string.h>

enum {
	IN_CODE,
	IN_LINE_COMMENT,
	IN_BLOCK_COMMENT,
	IN_STRING,
	IN_ESCAPE_STRING,
	IN_IDENTIFIER,
	IN_DOLLAR_TAG,
	IN_DOLLAR_QUOTE,
	IN_COMMAND,
};

void
hf_lexer_begin(HfLexer *lexer)
{
	*lexer = (HfLexer){.standard_strings = true};
}

bool
hf_lexer_is_outside(const HfLexer *lexer)
{
	return !lexer->in_statement && (lexer->state == IN_CODE || lexer->state == IN_LINE_COMMENT);
}

/* ---- words ---- */

static bool
is_word_char(const HfLexer *lexer, char c)
{
	return g_ascii_isalpha(c) || c == '_' || (c & 0x80) || g_ascii_isdigit(c) ||
	       (c == '$' && lexer->word_len > 0);
}

static bool
word_is(const HfLexer *lexer, const char *text)
{
	return lexer->word_len == strlen(text) && strncmp(lexer->word, text, lexer->word_len) == 0;
}

/* "CREATE [OR REPLACE] FUNCTION" or "... PROCEDURE": only there does BEGIN open a body. */
static bool
makes_function(const HfLexer *lexer)
{
	const char *is = lexer->initials;
	char what = is[1] == 'o' && is[2] == 'r' ? is[3] : is[1];

	return is[0] == 'c' && (what == 'f' || what == 'p');
}

static void
note_initial(HfLexer *lexer)
{
	static const char *const known[] = {"create", "or", "replace", "function", "procedure"};

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (word_is(lexer, known[i]) && lexer->words < sizeof lexer->initials)
			lexer->initials[lexer->words] = lexer->word[0];
}

static void
end_word(HfLexer *lexer)
{
	if (lexer->word_len == 0)
		return;
	note_initial(lexer);
	if (makes_function(lexer) && lexer->parentheses == 0) {
		if (word_is(lexer, "begin") || (word_is(lexer, "case") && lexer->begin_depth > 0))
			lexer->begin_depth++;
		else if (word_is(lexer, "end") && lexer->begin_depth > 0)
			lexer->begin_depth--;
	}
	lexer->words++;
	lexer->word_len = 0;
}

static void
add_to_word(HfLexer *lexer, char c)
{
	if (lexer->word_len < sizeof lexer->word)
		lexer->word[lexer->word_len] = g_ascii_tolower(c);
	/* What is longer than any word that is looked for stays so. */
	lexer->word_len = MIN(lexer->word_len + 1, sizeof lexer->word + 1);
}

/* ---- code ---- */

static void
enter(HfLexer *lexer, int state)
{
	lexer->state = state;
	lexer->word_len = 0;
	lexer->is_escaped = lexer->may_continue_escape = false;
	lexer->depth = 1;
	lexer->previous = 0;
}

static void
begin_statement(HfLexer *lexer)
{
	if (lexer->in_statement)
		return;
	lexer->in_statement = true;
	lexer->words = lexer->parentheses = lexer->begin_depth = 0;
	memset(lexer->initials, 0, sizeof lexer->initials);
}

static void
open_quote(HfLexer *lexer, char c)
{
	bool has_escapes = !lexer->standard_strings || lexer->may_continue_escape ||
			   (lexer->word_len == 1 && lexer->word[0] == 'e');

	begin_statement(lexer);
	end_word(lexer);
	if (c == '$') {
		lexer->tag[0] = '$';
		lexer->tag_len = 1;
		enter(lexer, IN_DOLLAR_TAG);
		return;
	}
	enter(lexer, c == '"' ? IN_IDENTIFIER : has_escapes ? IN_ESCAPE_STRING : IN_STRING);
}

/* A byte that is none of a word, opens nothing and is no white space; true where it ends the statement. */
static bool
punctuation(HfLexer *lexer, char c)
{
	end_word(lexer);
	lexer->may_continue_escape = false;
	if (c == ';' && !lexer->in_statement)
		return false;
	begin_statement(lexer);
	if (c == '(')
		lexer->parentheses++;
	else if (c == ')' && lexer->parentheses > 0)
		lexer->parentheses--;
	if (c != ';' || lexer->parentheses > 0 || lexer->begin_depth > 0)
		return false;
	lexer->in_statement = false;
	return true;
}

/* True where c, behind a held '-' or '/', opens a comment. */
static bool
opens_comment(HfLexer *lexer, char c)
{
	char held = lexer->held;

	lexer->held = 0;
	if (!((held == '-' && c == '-') || (held == '/' && c == '*'))) {
		(void)punctuation(lexer, held);
		return false;
	}
	end_word(lexer);
	enter(lexer, c == '-' ? IN_LINE_COMMENT : IN_BLOCK_COMMENT);
	return true;
}

/* True where the statement ends with it. */
static bool
code_char(HfLexer *lexer, char c)
{
	if (lexer->held && opens_comment(lexer, c))
		return false;
	if (is_word_char(lexer, c)) {
		begin_statement(lexer);
		lexer->may_continue_escape = false;
		add_to_word(lexer, c);
	} else if (g_ascii_isspace(c) || c == '\v') {
		end_word(lexer);
	} else if (c == '-' || c == '/') {
		end_word(lexer);
		lexer->held = c;
	} else if (c == '\'' || c == '"' || c == '$') {
		open_quote(lexer, c);
	} else if (c == '\\' && !lexer->in_statement) {
		enter(lexer, IN_COMMAND);
	} else {
		return punctuation(lexer, c);
	}
	return false;
}

static size_t
take_code(HfLexer *lexer, const char *bytes, size_t len, size_t *begin, HfLexEnd *end_out)
{
	for (size_t i = 0; i < len; i++) {
		bool was_in = lexer->in_statement;
		bool ends = code_char(lexer, bytes[i]);

		if (!was_in && (lexer->in_statement || lexer->state == IN_COMMAND))
			*begin = i;
		if (ends)
			*end_out = HF_LEX_STATEMENT;
		if (ends || lexer->state != IN_CODE)
			return i + 1;
	}
	return len;
}

/* ---- what is opened in code ---- */

static size_t
take_quoted(HfLexer *lexer, const char *bytes, size_t len, char quote)
{
	const char *end = memchr(bytes, quote, len);

	if (!end)
		return len;
	enter(lexer, IN_CODE);
	return (size_t)(end - bytes) + 1;
}

static size_t
take_escape_string(HfLexer *lexer, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lexer->is_escaped) {
			lexer->is_escaped = false;
		} else if (bytes[i] == '\\') {
			lexer->is_escaped = true;
		} else if (bytes[i] == '\'') {
			enter(lexer, IN_CODE);
			lexer->may_continue_escape = true;
			return i + 1;
		}
	}
	return len;
}

/* What could not be a tag is read again as code: "$1". */
static size_t
take_tag(HfLexer *lexer, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];
		bool may_follow = g_ascii_isalpha(c) || c == '_' || (c & 0x80) ||
				  (g_ascii_isdigit(c) && lexer->tag_len > 1);

		if (lexer->tag_len == sizeof lexer->tag || (c != '$' && !may_follow)) {
			enter(lexer, IN_CODE);
			return i;
		}
		lexer->tag[lexer->tag_len++] = c;
		if (c == '$') {
			enter(lexer, IN_DOLLAR_QUOTE);
			lexer->tag_matched = 0;
			return i + 1;
		}
	}
	return len;
}

/* A dollar sign stands at the ends of a delimiter only, so a mismatch starts over with the byte at hand. */
static size_t
take_dollar_quote(HfLexer *lexer, const char *bytes, size_t len)
{
	size_t i = 0;

	while (i < len) {
		const char *dollar;

		if (lexer->tag_matched > 0) {
			char c = bytes[i++];

			lexer->tag_matched = c == lexer->tag[lexer->tag_matched] ? lexer->tag_matched + 1
					     : c == '$'                          ? 1
										 : 0;
			if (lexer->tag_matched == lexer->tag_len) {
				enter(lexer, IN_CODE);
				return i;
			}
			continue;
		}
		dollar = memchr(bytes + i, '$', len - i);
		if (!dollar)
			return len;
		i = (size_t)(dollar - bytes) + 1;
		lexer->tag_matched = 1;
	}
	return len;
}

static size_t
take_block_comment(HfLexer *lexer, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (lexer->previous == '*' && c == '/') {
			if (--lexer->depth == 0) {
				enter(lexer, IN_CODE);
				return i + 1;
			}
			c = 0;
		} else if (lexer->previous == '/' && c == '*') {
			lexer->depth++;
			c = 0;
		}
		lexer->previous = c;
	}
	return len;
}

/* A line comment or a command; the line end is left to the code. */
static size_t
take_line(HfLexer *lexer, const char *bytes, size_t len, HfLexEnd *end_out)
{
	const char *end = memchr(bytes, '\n', len);

	if (!end)
		return len;
	if (lexer->state == IN_COMMAND)
		*end_out = HF_LEX_COMMAND;
	enter(lexer, IN_CODE);
	return (size_t)(end - bytes);
}

static size_t
take_piece(HfLexer *lexer, const char *bytes, size_t len, HfLexEnd *end_out)
{
	switch (lexer->state) {
	case IN_LINE_COMMENT:
	case IN_COMMAND:
		return take_line(lexer, bytes, len, end_out);
	case IN_BLOCK_COMMENT:
		return take_block_comment(lexer, bytes, len);
	case IN_STRING:
		return take_quoted(lexer, bytes, len, '\'');
	case IN_IDENTIFIER:
		return take_quoted(lexer, bytes, len, '"');
	case IN_ESCAPE_STRING:
		return take_escape_string(lexer, bytes, len);
	case IN_DOLLAR_TAG:
		return take_tag(lexer, bytes, len);
	case IN_DOLLAR_QUOTE:
		return take_dollar_quote(lexer, bytes, len);
	}
	g_assert_not_reached();
}

size_t
hf_lexer_take(HfLexer *lexer, const char *bytes, size_t len, size_t *begin_out, HfLexEnd *end_out)
{
	size_t taken = 0;

	*end_out = HF_LEX_MORE;
	*begin_out = lexer->in_statement || lexer->state == IN_COMMAND ? 0 : len;
	while (taken < len && *end_out == HF_LEX_MORE) {
		size_t here = taken, begin = len;

		if (lexer->state != IN_CODE) {
			taken += take_piece(lexer, bytes + here, len - here, end_out);
			continue;
		}
		taken += take_code(lexer, bytes + here, len - here, &begin, end_out);
		if (begin < len && *begin_out == len)
			*begin_out = here + begin;
	}
	return taken;
}
