/*
 * backup/restore/statement.h -- what a statement of a dump is, as far as a restore must know.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- the words of a statement ---- */

typedef enum {
	HF_TOKEN_END,
	HF_TOKEN_WORD,   /* not quoted: text is in lower case */
	HF_TOKEN_QUOTED, /* "...": text is without the quotes */
	HF_TOKEN_STRING, /* '...', E'...' or $$...$$: text is empty for the latter two */
	HF_TOKEN_MARK,   /* one byte */
} HfTokenKind;

typedef struct {
	const char *at;    /* behind the token */
	const char *start; /* of the token */
	HfTokenKind kind;
	GString *text;
} HfTokens;

void hf_tokens_begin(HfTokens *tokens, const char *statement);
void hf_tokens_clear(HfTokens *tokens);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfTokens, hf_tokens_clear)

HfTokenKind hf_tokens_next(HfTokens *tokens);
/* Whether the present token is this word, in lower case, or this mark. */
bool hf_tokens_is(const HfTokens *tokens, const char *word);
/* Goes on where the present token is the word. */
bool hf_tokens_skip(HfTokens *tokens, const char *word);
/* From the present token on, a name with its schema, as it is written; NULL where there is none.  g_free() it. */
char *hf_tokens_name(HfTokens *tokens);

/* ---- its kind ---- */

typedef enum {
	HF_STATEMENT_OTHER,       /* whatever is not known: nothing may be moved past it */
	HF_STATEMENT_SETTING,     /* SET x = y: setting says of which name */
	HF_STATEMENT_DATA,        /* of the data section, and not of a table: setval, large objects */
	HF_STATEMENT_INDEX,       /* CREATE INDEX: others may be made on the table at the same time */
	HF_STATEMENT_KEY,         /* a primary key, a unique or an exclusion constraint: locks the table */
	HF_STATEMENT_FOREIGN_KEY, /* locks table and other */
	HF_STATEMENT_DETAIL, /* says more of what an earlier one made (a comment, CLUSTER ON): no index needs it */
} HfStatementKind;

typedef struct {
	HfStatementKind kind;
	char *table, *other, *setting;
} HfStatement;

void hf_statement_parse(const char *text, HfStatement *statement_out);
void hf_statement_clear(HfStatement *statement);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfStatement, hf_statement_clear)
