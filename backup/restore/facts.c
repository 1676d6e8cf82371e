#include "config.h"

#include "backup/restore/facts.h"
#include "backup/restore/statement.h"
#include "common/error.h"

#include <string.h>

/* ---- settings ---- */

void
hf_dump_sets_init(HfDumpSets *sets)
{
	sets->names = g_ptr_array_new_with_free_func(g_free);
	sets->statements = g_ptr_array_new_with_free_func(g_free);
}

void
hf_dump_sets_note(HfDumpSets *sets, const char *name, const char *statement)
{
	for (guint i = 0; i < sets->names->len; i++)
		if (strcmp(sets->names->pdata[i], name) == 0) {
			g_free(sets->statements->pdata[i]);
			sets->statements->pdata[i] = g_strdup(statement);
			return;
		}
	g_ptr_array_add(sets->names, g_strdup(name));
	g_ptr_array_add(sets->statements, g_strdup(statement));
}

char *
hf_dump_sets_text(const HfDumpSets *sets)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < sets->statements->len; i++)
		g_string_append_printf(text, "%s\n", (const char *)sets->statements->pdata[i]);
	return g_string_free(text, FALSE);
}

void
hf_dump_sets_clear(HfDumpSets *sets)
{
	g_clear_pointer(&sets->names, g_ptr_array_unref);
	g_clear_pointer(&sets->statements, g_ptr_array_unref);
}

/* ---- what statements name ---- */

static void
add(GHashTable *set, const char *name)
{
	if (name && *name)
		g_hash_table_add(set, g_strdup(name));
}

static void
add_role(HfDumpFacts *facts, const HfTokens *tokens)
{
	static const char *const none[] = {"public", "current_user", "session_user", "current_role", "group"};

	if (tokens->kind != HF_TOKEN_WORD && tokens->kind != HF_TOKEN_QUOTED)
		return;
	for (size_t i = 0; tokens->kind == HF_TOKEN_WORD && i < G_N_ELEMENTS(none); i++)
		if (strcmp(tokens->text->str, none[i]) == 0)
			return;
	add(facts->roles, tokens->text->str);
}

/* "a, b, c" from the present token on. */
static void
add_roles(HfDumpFacts *facts, HfTokens *tokens)
{
	do {
		(void)hf_tokens_skip(tokens, "group");
		add_role(facts, tokens);
		(void)hf_tokens_next(tokens);
	} while (hf_tokens_skip(tokens, ","));
}

/* ALTER anything: its last words may be OWNER TO role; ALTER DEFAULT PRIVILEGES FOR ROLE role ... TO role. */
static void
read_alter(HfDumpFacts *facts, HfTokens *tokens)
{
	bool is_default = hf_tokens_skip(tokens, "default");

	if (hf_tokens_is(tokens, "subscription"))
		facts->has_subscriptions = true;
	while (tokens->kind != HF_TOKEN_END) {
		if (is_default && hf_tokens_skip(tokens, "role")) {
			add_roles(facts, tokens);
		} else if (is_default && (hf_tokens_skip(tokens, "to") || hf_tokens_skip(tokens, "from"))) {
			add_roles(facts, tokens);
		} else if (hf_tokens_skip(tokens, "owner") && hf_tokens_skip(tokens, "to")) {
			add_role(facts, tokens);
			if (tokens->kind != HF_TOKEN_END)
				add(facts->owners, tokens->text->str);
		} else {
			(void)hf_tokens_next(tokens);
		}
	}
}

/* GRANT ... TO roles; REVOKE ... FROM roles: what is granted may hold neither word. */
static void
read_grant(HfDumpFacts *facts, HfTokens *tokens)
{
	while (tokens->kind != HF_TOKEN_END) {
		if (hf_tokens_skip(tokens, "to") || hf_tokens_skip(tokens, "from"))
			add_roles(facts, tokens);
		else
			(void)hf_tokens_next(tokens);
	}
}

static void
read_extension(HfDumpFacts *facts, HfTokens *tokens)
{
	if (hf_tokens_skip(tokens, "if")) {
		(void)hf_tokens_skip(tokens, "not");
		(void)hf_tokens_skip(tokens, "exists");
	}
	add(facts->extensions, tokens->text->str);
}

/* Up to the body: LANGUAGE x. */
static void
read_function(HfDumpFacts *facts, HfTokens *tokens)
{
	while (tokens->kind != HF_TOKEN_END && !hf_tokens_is(tokens, "as") &&
	       !hf_tokens_is(tokens, "begin")) {
		if (hf_tokens_skip(tokens, "language")) {
			facts->has_c_functions = facts->has_c_functions || hf_tokens_is(tokens, "c") ||
						 hf_tokens_is(tokens, "internal");
			add(facts->languages, tokens->text->str);
		}
		(void)hf_tokens_next(tokens);
	}
}

static void
read_policy(HfDumpFacts *facts, HfTokens *tokens)
{
	while (tokens->kind != HF_TOKEN_END && !hf_tokens_is(tokens, "using") &&
	       !hf_tokens_is(tokens, "with")) {
		if (hf_tokens_skip(tokens, "to"))
			add_roles(facts, tokens);
		else
			(void)hf_tokens_next(tokens);
	}
}

static void
read_create(HfDumpFacts *facts, HfTokens *tokens)
{
	if (hf_tokens_skip(tokens, "or"))
		(void)hf_tokens_skip(tokens, "replace");
	if (hf_tokens_skip(tokens, "extension"))
		read_extension(facts, tokens);
	else if (hf_tokens_is(tokens, "function") || hf_tokens_is(tokens, "procedure"))
		read_function(facts, tokens);
	else if (hf_tokens_is(tokens, "policy"))
		read_policy(facts, tokens);
	else if (hf_tokens_is(tokens, "event"))
		facts->has_event_triggers = true;
	else if (hf_tokens_is(tokens, "subscription"))
		facts->has_subscriptions = true;
	else if (hf_tokens_is(tokens, "schema"))
		facts->makes_schemas = true;
	else if (hf_tokens_is(tokens, "table"))
		facts->tables++;
	else if (hf_tokens_skip(tokens, "user")) {
		(void)hf_tokens_skip(tokens, "mapping");
		(void)hf_tokens_skip(tokens, "for");
		add_role(facts, tokens);
	}
}

/* "SET default_tablespace = x"; what else a SET may be that other connections could not follow. */
static void
read_set(HfDumpFacts *facts, HfTokens *tokens)
{
	if (hf_tokens_skip(tokens, "session") || hf_tokens_is(tokens, "local") ||
	    hf_tokens_is(tokens, "role")) {
		if (!facts->serial_reason)
			facts->serial_reason = g_strdup("it changes the session's user");
		if (hf_tokens_skip(tokens, "authorization") && tokens->kind != HF_TOKEN_WORD)
			add(facts->roles, tokens->text->str);
		return;
	}
	if (!hf_tokens_skip(tokens, "default_tablespace"))
		return;
	if (!hf_tokens_skip(tokens, "="))
		(void)hf_tokens_skip(tokens, "to");
	if (!hf_tokens_is(tokens, "default"))
		add(facts->tablespaces, tokens->text->str);
}

static void
read_select(HfDumpFacts *facts, HfTokens *tokens)
{
	if (hf_tokens_skip(tokens, "pg_catalog") && hf_tokens_skip(tokens, ".") &&
	    g_str_has_prefix(tokens->text->str, "lo_"))
		facts->has_large_objects = true;
}

static void
read_transaction(HfDumpFacts *facts, HfTokens *tokens)
{
	(void)tokens;
	facts->has_transactions = true;
}

static void
read_statement(HfDumpFacts *facts, const char *text)
{
	static const struct {
		const char *word;
		void (*read)(HfDumpFacts *, HfTokens *);
	} words[] = {
		{"alter", read_alter},       {"grant", read_grant},
		{"revoke", read_grant},      {"create", read_create},
		{"set", read_set},           {"select", read_select},
		{"begin", read_transaction}, {"commit", read_transaction},
	};
	g_auto(HfTokens) tokens = {0};

	facts->statements++;
	hf_tokens_begin(&tokens, text);
	(void)hf_tokens_next(&tokens);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (hf_tokens_skip(&tokens, words[i].word)) {
			words[i].read(facts, &tokens);
			return;
		}
}

static void
read_command(HfDumpFacts *facts, const char *text)
{
	if (g_str_has_prefix(text, "\\restrict "))
		facts->has_restrict = true;
	else if (!g_str_has_prefix(text, "\\unrestrict ") && !facts->serial_reason)
		facts->serial_reason = g_strdup_printf("it has the command \"%.*s\" for psql",
						       (int)strcspn(text, " "), text);
}

/* ---- the walk ---- */

static bool
drop_rows(HfWalk *walk, GError **error)
{
	const char *bytes;
	size_t len;

	do {
		if (!hf_walk_rows(walk, &bytes, &len, error))
			return false;
	} while (bytes);
	return true;
}

static bool
read_item(HfDumpFacts *facts, HfWalk *walk, const HfWalkItem *item, GError **error)
{
	g_auto(HfStatement) statement = {0};

	if (item->is_command) {
		read_command(facts, item->text);
		return true;
	}
	if (item->is_copy && facts->first_line == 0)
		facts->first_line = item->line;
	if (item->is_copy)
		return item->table || drop_rows(walk, error);
	read_statement(facts, item->text);
	if (facts->first_line > 0)
		return true;
	hf_statement_parse(item->text, &statement);
	if (statement.kind == HF_STATEMENT_SETTING)
		hf_dump_sets_note(&facts->sets, statement.setting, item->text);
	return true;
}

bool
hf_dump_facts_can_read(const HfArchive *archive, const GPtrArray *tables)
{
	return tables && (archive->members || archive->compression == HF_COMPRESSION_NONE);
}

HfDumpFacts *
hf_dump_facts_read(HfStore *store, const HfArchive *archive, const GPtrArray *tables, GError **error)
{
	g_autoptr(HfDumpFacts) facts = g_new0(HfDumpFacts, 1);
	const HfWalkOptions options = {.store = store, .archive = archive, .tables = tables, .line = 1};
	g_autoptr(HfWalk) walk = hf_walk_new(&options);
	GHashTable **const sets[] = {&facts->owners, &facts->roles, &facts->extensions, &facts->tablespaces,
				     &facts->languages};
	HfWalkItem item;

	for (size_t i = 0; i < G_N_ELEMENTS(sets); i++)
		*sets[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	hf_dump_sets_init(&facts->sets);
	do {
		if (!hf_walk_next(walk, &item, error) || (item.text && !read_item(facts, walk, &item, error)))
			return NULL;
	} while (item.text);
	facts->read_bytes = hf_walk_bytes(walk);
	return g_steal_pointer(&facts);
}

void
hf_dump_facts_free(HfDumpFacts *facts)
{
	if (!facts)
		return;
	g_clear_pointer(&facts->owners, g_hash_table_destroy);
	g_clear_pointer(&facts->roles, g_hash_table_destroy);
	g_clear_pointer(&facts->extensions, g_hash_table_destroy);
	g_clear_pointer(&facts->tablespaces, g_hash_table_destroy);
	g_clear_pointer(&facts->languages, g_hash_table_destroy);
	hf_dump_sets_clear(&facts->sets);
	g_free(facts->serial_reason);
	g_free(facts);
}
