/*
 * backup/restore/lexer.h -- where the statements of a plain dump end, as psql sees it.
 *
 * A push lexer after psql's own (src/fe_utils/psqlscan.l): quotes, dollar quotes, comments, parentheses, and the BEGIN ...
 * END of SQL-standard function bodies, whose inner semicolons end nothing.  Unlike the scan it keeps its caller informed
 * of each statement; rows of a COPY are not its business.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HF_LEXER_TAG_MAX 128
#define HF_LEXER_WORD_MAX 16

typedef enum {
	HF_LEX_MORE, /* all bytes were taken, and nothing ended */
	HF_LEX_STATEMENT,
	HF_LEX_COMMAND, /* a backslash command; its line end was not taken */
} HfLexEnd;

/* A plain value; all zero is the beginning of a dump, but for standard_strings, which hf_lexer_begin() sets. */
typedef struct {
	int state;
	bool in_statement;
	bool standard_strings; /* what "SET standard_conforming_strings" says */
	char held;             /* a '-' or '/' that may open a comment, or 0 */
	char previous;         /* in a block comment */
	bool is_escaped, may_continue_escape;
	unsigned depth, parentheses, begin_depth;
	unsigned words;   /* of the statement so far */
	char initials[4]; /* of its first words where they are CREATE, OR, REPLACE, FUNCTION or PROCEDURE */
	char word[HF_LEXER_WORD_MAX];
	size_t word_len;
	char tag[HF_LEXER_TAG_MAX];
	size_t tag_len, tag_matched;
} HfLexer;

void hf_lexer_begin(HfLexer *lexer);

/*
 * Takes bytes up to and with the end of a statement or a command; gives how many.  *begin_out is where among them the
 * statement began: 0 where it had begun before, len where none has.
 */
size_t hf_lexer_take(HfLexer *lexer, const char *bytes, size_t len, size_t *begin_out, HfLexEnd *end_out);

/* Whether the end of the dump may be here: outside of everything. */
bool hf_lexer_is_outside(const HfLexer *lexer);
