#include "config.h"

#include "backup/restore/table-impl.h"

#include <string.h>

static bool
has(GHashTable *set, const char *name)
{
	return name && g_hash_table_contains(set, name);
}

static void
add(GHashTable *set, const char *name)
{
	if (name)
		g_hash_table_add(set, g_strdup(name));
}

/* Whether the name of a column begins with that of a wanted table. */
static bool
is_column_of(GHashTable *tables, const char *column)
{
	GHashTableIter iter;
	gpointer name;

	if (!column)
		return false;
	g_hash_table_iter_init(&iter, tables);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		size_t len = strlen(name);

		if (strncmp(column, name, len) == 0 && column[len] == '.')
			return true;
	}
	return false;
}

static const char *
without_schema(const char *name)
{
	const char *dot = NULL;
	bool is_quoted = false;

	for (const char *at = name; *at; at++) {
		if (*at == '"')
			is_quoted = !is_quoted;
		else if (*at == '.' && !is_quoted)
			dot = at;
	}
	return dot ? dot + 1 : name;
}

/* Goes on to the word; false where it does not come. */
static bool
seek(HfTokens *tokens, const char *word)
{
	while (tokens->kind != HF_TOKEN_END && !hf_tokens_is(tokens, word))
		(void)hf_tokens_next(tokens);
	return hf_tokens_skip(tokens, word);
}

/* ---- what they own ---- */

/* "ALTER TABLE t ALTER COLUMN c ADD GENERATED ... ( SEQUENCE NAME s" */
static void
note_identity(HfTableOwn *own, HfTokens *tokens)
{
	g_autofree char *name = NULL;

	if (!seek(tokens, "sequence") || !hf_tokens_skip(tokens, "name"))
		return;
	name = hf_tokens_name(tokens);
	add(own->sequences, name);
}

static void
note_alter_table(HfTableOwn *own, HfTokens *tokens)
{
	g_autofree char *table = NULL;
	g_autofree char *name = NULL;

	(void)hf_tokens_skip(tokens, "only");
	table = hf_tokens_name(tokens);
	if (!has(own->tables, table))
		return;
	if (hf_tokens_is(tokens, "alter")) {
		note_identity(own, tokens);
	} else if (hf_tokens_skip(tokens, "add") && hf_tokens_skip(tokens, "constraint")) {
		name = hf_tokens_name(tokens);
		add(own->indexes, name);
	}
}

static void
note_owned_by(HfTableOwn *own, HfTokens *tokens)
{
	g_autofree char *sequence = hf_tokens_name(tokens);
	g_autofree char *column = NULL;

	if (!hf_tokens_skip(tokens, "owned") || !hf_tokens_skip(tokens, "by"))
		return;
	column = hf_tokens_name(tokens);
	if (is_column_of(own->tables, column))
		add(own->sequences, sequence);
}

static void
note_index(HfTableOwn *own, HfTokens *tokens)
{
	g_autofree char *index = hf_tokens_name(tokens);
	g_autofree char *table = NULL;

	if (!hf_tokens_skip(tokens, "on"))
		return;
	(void)hf_tokens_skip(tokens, "only");
	table = hf_tokens_name(tokens);
	if (has(own->tables, table))
		add(own->indexes, index);
}

void
hf_table_note_own(HfTableOwn *own, const char *statement)
{
	g_auto(HfTokens) tokens = {0};

	hf_tokens_begin(&tokens, statement);
	(void)hf_tokens_next(&tokens);
	if (hf_tokens_skip(&tokens, "alter")) {
		if (hf_tokens_skip(&tokens, "table"))
			note_alter_table(own, &tokens);
		else if (hf_tokens_skip(&tokens, "sequence"))
			note_owned_by(own, &tokens);
	} else if (hf_tokens_skip(&tokens, "create")) {
		(void)hf_tokens_skip(&tokens, "unique");
		if (hf_tokens_skip(&tokens, "index"))
			note_index(own, &tokens);
	}
}

/* ---- whose a statement is ---- */

static HfTableShare
tell(HfTableShare share, char **about_out, const char *what, const char *name)
{
	*about_out = g_strdup_printf("%s %s", what, name ? name : "");
	g_strchomp(*about_out);
	return share;
}

static HfTableShare
by_role(const HfTableOwn *own, HfTokens *tokens, char **about_out, const char *of)
{
	bool is_there = tokens->kind == HF_TOKEN_QUOTED || !hf_tokens_is(tokens, "public");

	is_there = !is_there || has(own->roles, tokens->text->str);
	*about_out = g_strdup_printf("%s: role \"%s\"%s", of, tokens->text->str,
				     is_there ? "" : ", which the server does not have");
	return is_there ? HF_TABLE_BRING : HF_TABLE_LEAVE;
}

static HfTableShare
share_constraint(HfTokens *tokens, const char *table, char **about_out)
{
	g_autofree char *name = hf_tokens_name(tokens);
	g_autofree char *other = NULL;

	if (!hf_tokens_is(tokens, "foreign"))
		return tell(HF_TABLE_BRING, about_out, "constraint", name);
	if (seek(tokens, "references"))
		other = hf_tokens_name(tokens);
	return tell(g_strcmp0(other, table) == 0 ? HF_TABLE_BRING : HF_TABLE_LEAVE, about_out, "foreign key",
		    name);
}

static HfTableShare
share_alter_table(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	g_autofree char *table = NULL;
	g_autofree char *part = NULL;
	g_autofree char *of = NULL;

	(void)hf_tokens_skip(tokens, "only");
	table = hf_tokens_name(tokens);
	if (hf_tokens_skip(tokens, "attach")) {
		(void)hf_tokens_skip(tokens, "partition");
		part = hf_tokens_name(tokens);
		return has(own->tables, part)
			       ? tell(HF_TABLE_LEAVE, about_out, "its place as a partition of", table)
			       : HF_TABLE_FOREIGN;
	}
	if (!has(own->tables, table) && !has(own->sequences, table))
		return HF_TABLE_FOREIGN;
	if (hf_tokens_skip(tokens, "owner")) {
		(void)hf_tokens_skip(tokens, "to");
		of = g_strdup_printf("owner of %s", table);
		return by_role(own, tokens, about_out, of);
	}
	if (hf_tokens_skip(tokens, "add") && hf_tokens_skip(tokens, "constraint"))
		return share_constraint(tokens, table, about_out);
	if (hf_tokens_is(tokens, "enable") || hf_tokens_is(tokens, "disable") ||
	    hf_tokens_is(tokens, "force"))
		return tell(HF_TABLE_LEAVE, about_out, "row-level security or triggers of", table);
	return HF_TABLE_BRING;
}

static HfTableShare
share_alter(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	g_autofree char *name = NULL;

	if (hf_tokens_skip(tokens, "table"))
		return share_alter_table(own, tokens, about_out);
	if (!hf_tokens_skip(tokens, "sequence"))
		return HF_TABLE_FOREIGN;
	name = hf_tokens_name(tokens);
	return has(own->sequences, name) ? HF_TABLE_BRING : HF_TABLE_FOREIGN;
}

/* Behind CREATE: "TRIGGER x ... ON t", "POLICY x ON t", "RULE x AS ON INSERT TO t", "STATISTICS x ... FROM t". */
static HfTableShare
share_outward(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	static const struct {
		const char *word, *before;
	} kinds[] = {{"trigger", "on"}, {"policy", "on"}, {"rule", "to"}, {"statistics", "from"}};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *name = NULL;

		if (!hf_tokens_skip(tokens, kinds[i].word))
			continue;
		name = hf_tokens_name(tokens);
		while (seek(tokens, kinds[i].before)) {
			g_autofree char *table = hf_tokens_name(tokens);

			if (has(own->tables, table))
				return tell(HF_TABLE_LEAVE, about_out, kinds[i].word, name);
		}
	}
	return HF_TABLE_FOREIGN;
}

static HfTableShare
share_create(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	g_autofree char *name = NULL;

	(void)(hf_tokens_skip(tokens, "unlogged") || hf_tokens_skip(tokens, "unique") ||
	       hf_tokens_skip(tokens, "constraint"));
	if (hf_tokens_skip(tokens, "table")) {
		name = hf_tokens_name(tokens);
		return has(own->tables, name) ? tell(HF_TABLE_BRING, about_out, "table", name)
					      : HF_TABLE_FOREIGN;
	}
	if (hf_tokens_skip(tokens, "sequence")) {
		name = hf_tokens_name(tokens);
		return has(own->sequences, name) ? tell(HF_TABLE_BRING, about_out, "sequence", name)
						 : HF_TABLE_FOREIGN;
	}
	if (hf_tokens_skip(tokens, "index")) {
		g_autofree char *table = NULL;

		name = hf_tokens_name(tokens);
		(void)(hf_tokens_skip(tokens, "on") && hf_tokens_skip(tokens, "only"));
		table = hf_tokens_name(tokens);
		return has(own->tables, table) ? tell(HF_TABLE_BRING, about_out, "index", name)
					       : HF_TABLE_FOREIGN;
	}
	return share_outward(own, tokens, about_out);
}

static HfTableShare
share_comment(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	g_autofree char *name = NULL;
	g_autofree char *table = NULL;
	bool is_ours = false;

	if (!hf_tokens_skip(tokens, "on"))
		return HF_TABLE_FOREIGN;
	if (hf_tokens_skip(tokens, "table")) {
		name = hf_tokens_name(tokens);
		is_ours = has(own->tables, name);
	} else if (hf_tokens_skip(tokens, "column")) {
		name = hf_tokens_name(tokens);
		is_ours = is_column_of(own->tables, name);
	} else if (hf_tokens_skip(tokens, "sequence")) {
		name = hf_tokens_name(tokens);
		is_ours = has(own->sequences, name);
	} else if (hf_tokens_skip(tokens, "index")) {
		name = hf_tokens_name(tokens);
		is_ours = name && has(own->indexes, without_schema(name));
	}
	return is_ours ? tell(HF_TABLE_BRING, about_out, "comment on", name) : HF_TABLE_FOREIGN;
}

/* SELECT pg_catalog.setval('sequence', ...) */
static HfTableShare
share_select(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	if (!hf_tokens_skip(tokens, "pg_catalog") || !hf_tokens_skip(tokens, ".") ||
	    !hf_tokens_skip(tokens, "setval") || !hf_tokens_skip(tokens, "("))
		return HF_TABLE_FOREIGN;
	return has(own->sequences, tokens->text->str)
		       ? tell(HF_TABLE_BRING, about_out, "value of sequence", tokens->text->str)
		       : HF_TABLE_FOREIGN;
}

/* GRANT ... ON TABLE t TO role, also of single columns, and of sequences. */
static HfTableShare
share_grant(const HfTableOwn *own, HfTokens *tokens, char **about_out)
{
	g_autofree char *name = NULL;
	g_autofree char *of = NULL;

	if (!seek(tokens, "on"))
		return HF_TABLE_FOREIGN;
	if (!hf_tokens_skip(tokens, "table") && !hf_tokens_skip(tokens, "sequence"))
		return HF_TABLE_FOREIGN;
	name = hf_tokens_name(tokens);
	if (!has(own->tables, name) && !has(own->sequences, name))
		return HF_TABLE_FOREIGN;
	(void)(hf_tokens_skip(tokens, "to") || hf_tokens_skip(tokens, "from"));
	of = g_strdup_printf("privileges on %s", name);
	return by_role(own, tokens, about_out, of);
}

HfTableShare
hf_table_share(const HfTableOwn *own, const char *statement, char **about_out)
{
	static const struct {
		const char *word;
		HfTableShare (*share)(const HfTableOwn *, HfTokens *, char **);
	} words[] = {
		{"create", share_create}, {"alter", share_alter}, {"comment", share_comment},
		{"select", share_select}, {"grant", share_grant}, {"revoke", share_grant},
	};
	g_auto(HfTokens) tokens = {0};

	hf_tokens_begin(&tokens, statement);
	(void)hf_tokens_next(&tokens);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (hf_tokens_skip(&tokens, words[i].word))
			return words[i].share(own, &tokens, about_out);
	return HF_TABLE_FOREIGN;
}
