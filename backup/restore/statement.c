#include "config.h"

#include "backup/restore/statement.h"

#include <string.h>

/* ---- tokens ---- */

void
hf_tokens_begin(HfTokens *tokens, const char *statement)
{
	*tokens = (HfTokens){.at = statement, .text = g_string_new(NULL)};
}

void
hf_tokens_clear(HfTokens *tokens)
{
	if (tokens->text)
		g_string_free(tokens->text, TRUE);
	*tokens = (HfTokens){0};
}

static const char *
skip_space(const char *at)
{
	for (;;) {
		while (g_ascii_isspace(*at))
			at++;
		if (at[0] != '-' || at[1] != '-')
			return at;
		at += strcspn(at, "\n");
	}
}

static bool
is_word_start(char c)
{
	return g_ascii_isalpha(c) || c == '_' || (c & 0x80);
}

/* A doubled quote is one; behind the closing one. */
static const char *
take_quoted(HfTokens *tokens, const char *at, char quote, bool has_escapes)
{
	for (; *at; at++) {
		if (has_escapes && *at == '\\' && at[1]) {
			at++;
		} else if (*at == quote) {
			if (at[1] != quote)
				return at + 1;
			at++;
		}
		if (!has_escapes)
			g_string_append_c(tokens->text, *at);
	}
	return at;
}

static const char *
take_word(HfTokens *tokens, const char *at)
{
	for (; is_word_start(*at) || g_ascii_isdigit(*at) || *at == '$'; at++)
		g_string_append_c(tokens->text, g_ascii_tolower(*at));
	return at;
}

/* "$tag$ ... $tag$", or NULL where it opens none. */
static const char *
take_dollar(const char *at)
{
	const char *open = at + 1;
	g_autofree char *tag = NULL;
	const char *end;

	while (is_word_start(*open) || (g_ascii_isdigit(*open) && open > at + 1))
		open++;
	if (*open != '$')
		return NULL;
	tag = g_strndup(at, (size_t)(open - at) + 1);
	end = strstr(open + 1, tag);
	return end ? end + strlen(tag) : open + strlen(open);
}

HfTokenKind
hf_tokens_next(HfTokens *tokens)
{
	const char *at = skip_space(tokens->at), *dollar;

	g_string_truncate(tokens->text, 0);
	tokens->start = at;
	if (!*at) {
		tokens->kind = HF_TOKEN_END;
	} else if (*at == '"') {
		tokens->kind = HF_TOKEN_QUOTED;
		at = take_quoted(tokens, at + 1, '"', false);
	} else if (*at == '\'') {
		tokens->kind = HF_TOKEN_STRING;
		at = take_quoted(tokens, at + 1, '\'', false);
	} else if ((*at == 'E' || *at == 'e') && at[1] == '\'') {
		tokens->kind = HF_TOKEN_STRING;
		at = take_quoted(tokens, at + 2, '\'', true);
	} else if (*at == '$' && (dollar = take_dollar(at))) {
		tokens->kind = HF_TOKEN_STRING;
		at = dollar;
	} else if (is_word_start(*at)) {
		tokens->kind = HF_TOKEN_WORD;
		at = take_word(tokens, at);
	} else {
		tokens->kind = HF_TOKEN_MARK;
		g_string_append_c(tokens->text, *at++);
	}
	tokens->at = at;
	return tokens->kind;
}

bool
hf_tokens_is(const HfTokens *tokens, const char *word)
{
	return (tokens->kind == HF_TOKEN_WORD || tokens->kind == HF_TOKEN_MARK) &&
	       strcmp(tokens->text->str, word) == 0;
}

bool
hf_tokens_skip(HfTokens *tokens, const char *word)
{
	if (!hf_tokens_is(tokens, word))
		return false;
	(void)hf_tokens_next(tokens);
	return true;
}

char *
hf_tokens_name(HfTokens *tokens)
{
	const char *start = tokens->start, *end = start;

	while (tokens->kind == HF_TOKEN_WORD || tokens->kind == HF_TOKEN_QUOTED) {
		end = tokens->at;
		if (hf_tokens_next(tokens) != HF_TOKEN_MARK || !hf_tokens_is(tokens, "."))
			break;
		(void)hf_tokens_next(tokens);
	}
	return end > start ? g_strndup(start, (size_t)(end - start)) : NULL;
}

/* ---- kinds ---- */

void
hf_statement_clear(HfStatement *statement)
{
	g_free(statement->table);
	g_free(statement->other);
	g_free(statement->setting);
	*statement = (HfStatement){0};
}

/* Behind CREATE: [UNIQUE] INDEX name ON [ONLY] table */
static void
parse_create(HfTokens *tokens, HfStatement *statement)
{
	g_autofree char *name = NULL;

	(void)hf_tokens_skip(tokens, "unique");
	if (!hf_tokens_skip(tokens, "index"))
		return;
	name = hf_tokens_name(tokens);
	if (!name || !hf_tokens_skip(tokens, "on"))
		return;
	(void)hf_tokens_skip(tokens, "only");
	statement->table = hf_tokens_name(tokens);
	if (statement->table)
		statement->kind = HF_STATEMENT_INDEX;
}

/* Behind "ADD CONSTRAINT name FOREIGN KEY". */
static void
parse_foreign_key(HfTokens *tokens, HfStatement *statement)
{
	while (tokens->kind != HF_TOKEN_END && !hf_tokens_is(tokens, "references"))
		(void)hf_tokens_next(tokens);
	if (!hf_tokens_skip(tokens, "references"))
		return;
	statement->other = hf_tokens_name(tokens);
	if (statement->other)
		statement->kind = HF_STATEMENT_FOREIGN_KEY;
}

/* Behind "ALTER TABLE [ONLY] table": another action behind a comma is none of pg_dump's. */
static void
parse_table_action(HfTokens *tokens, HfStatement *statement)
{
	g_autofree char *name = NULL;

	if (hf_tokens_skip(tokens, "cluster") || hf_tokens_skip(tokens, "replica")) {
		statement->kind = HF_STATEMENT_DETAIL;
		return;
	}
	if (!hf_tokens_skip(tokens, "add") || !hf_tokens_skip(tokens, "constraint"))
		return;
	name = hf_tokens_name(tokens);
	if (!name)
		return;
	if (hf_tokens_is(tokens, "primary") || hf_tokens_is(tokens, "unique") ||
	    hf_tokens_is(tokens, "exclude"))
		statement->kind = HF_STATEMENT_KEY;
	else if (hf_tokens_skip(tokens, "foreign"))
		parse_foreign_key(tokens, statement);
}

static void
parse_alter(HfTokens *tokens, HfStatement *statement)
{
	if (hf_tokens_is(tokens, "index")) {
		statement->kind = HF_STATEMENT_DETAIL;
		return;
	}
	if (!hf_tokens_skip(tokens, "table"))
		return;
	(void)hf_tokens_skip(tokens, "only");
	statement->table = hf_tokens_name(tokens);
	if (statement->table)
		parse_table_action(tokens, statement);
}

/* SELECT pg_catalog.setval(...), lo_...: what pg_dump writes into the data section beside rows. */
static void
parse_select(HfTokens *tokens, HfStatement *statement)
{
	static const char *const calls[] = {"setval", "lo_open", "lowrite", "lo_close", "lo_create"};

	if (!hf_tokens_skip(tokens, "pg_catalog") || !hf_tokens_skip(tokens, "."))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
		if (hf_tokens_is(tokens, calls[i]))
			statement->kind = HF_STATEMENT_DATA;
	if (hf_tokens_is(tokens, "set_config")) {
		(void)hf_tokens_next(tokens);
		(void)hf_tokens_next(tokens);
		statement->setting = g_strdup(tokens->text->str);
		statement->kind = HF_STATEMENT_SETTING;
	}
}

static void
parse_comment(HfTokens *tokens, HfStatement *statement)
{
	if (hf_tokens_skip(tokens, "on") &&
	    (hf_tokens_is(tokens, "index") || hf_tokens_is(tokens, "constraint")))
		statement->kind = HF_STATEMENT_DETAIL;
}

static void
parse_set(HfTokens *tokens, HfStatement *statement)
{
	if (tokens->kind != HF_TOKEN_WORD || hf_tokens_is(tokens, "session") ||
	    hf_tokens_is(tokens, "local") || hf_tokens_is(tokens, "role"))
		return;
	statement->setting = g_strdup(tokens->text->str);
	statement->kind = HF_STATEMENT_SETTING;
}

void
hf_statement_parse(const char *text, HfStatement *statement_out)
{
	static const struct {
		const char *word;
		void (*parse)(HfTokens *, HfStatement *);
	} words[] = {
		{"create", parse_create}, {"alter", parse_alter},     {"select", parse_select},
		{"set", parse_set},       {"comment", parse_comment},
	};
	g_auto(HfTokens) tokens = {0};

	*statement_out = (HfStatement){0};
	hf_tokens_begin(&tokens, text);
	(void)hf_tokens_next(&tokens);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (hf_tokens_skip(&tokens, words[i].word)) {
			words[i].parse(&tokens, statement_out);
			return;
		}
	if (hf_tokens_is(&tokens, "begin") || hf_tokens_is(&tokens, "commit"))
		statement_out->kind = hf_tokens_next(&tokens) == HF_TOKEN_MARK ? HF_STATEMENT_DATA
									       : HF_STATEMENT_OTHER;
}
