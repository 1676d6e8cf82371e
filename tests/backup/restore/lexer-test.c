#include "config.h"

#include "backup/restore/lexer.h"
#include "backup/restore/statement.h"

#include <string.h>

/* All statements of text, fed in pieces of so many bytes, a line for each; commands with their backslash. */
static char *
split(const char *text, size_t piece)
{
	GString *found = g_string_new(NULL), *current = g_string_new(NULL);
	HfLexer lexer;

	hf_lexer_begin(&lexer);
	for (size_t at = 0, len = strlen(text); at < len;) {
		size_t begin, taken;
		HfLexEnd end;

		taken = hf_lexer_take(&lexer, text + at, MIN(piece, len - at), &begin, &end);
		if (begin < taken)
			g_string_append_len(current, text + at + begin, (gssize)(taken - begin));
		at += taken;
		if (end == HF_LEX_MORE)
			continue;
		g_string_append_printf(found, "[%s]", current->str);
		g_string_truncate(current, 0);
	}
	if (!hf_lexer_is_outside(&lexer))
		g_string_append(found, "...");
	g_string_free(current, TRUE);
	return g_string_free(found, FALSE);
}

static const struct {
	const char *name, *text, *statements;
} splits[] = {
	{"two", "SELECT 1; SELECT 2;\n", "[SELECT 1;][SELECT 2;]"},
	{"comments", "-- a;b\n/* c; /* d */ ; */ SELECT /* ; */ 1 -- ;\n;", "[SELECT /* ; */ 1 -- ;\n;]"},
	{"strings", "SELECT ';', E'\\';', 'it''s;';", "[SELECT ';', E'\\';', 'it''s;';]"},
	{"a-backslash-in-a-standard-string", "SELECT '\\'; SELECT ';';", "[SELECT '\\';][SELECT ';';]"},
	{"identifiers", "SELECT \"a;\"\"b\"; SELECT 1;", "[SELECT \"a;\"\"b\";][SELECT 1;]"},
	{"dollar-quotes", "DO $a$ ; $b$ ; $a $a$; DO $$;$$;", "[DO $a$ ; $b$ ; $a $a$;][DO $$;$$;]"},
	{"parameters-are-no-quotes", "SELECT $1; SELECT a$b; SELECT 2;",
	 "[SELECT $1;][SELECT a$b;][SELECT 2;]"},
	{"parentheses", "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3;",
	 "[CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);][SELECT 3;]"},
	{"a-body-of-the-standard",
	 "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; "
	 "END; SELECT 3;",
	 "[CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; "
	 "END;][SELECT 3;]"},
	{"begin-elsewhere-is-a-statement", "BEGIN; CREATE TABLE f (a int); COMMIT;",
	 "[BEGIN;][CREATE TABLE f (a int);][COMMIT;]"},
	{"commands", "\\restrict abc\nSELECT 1;\n\\unrestrict abc\n",
	 "[\\restrict abc][SELECT 1;][\\unrestrict abc]"},
	{"operators-that-are-no-comments", "SELECT 1-2, 3/4, -5;SELECT 6;",
	 "[SELECT 1-2, 3/4, -5;][SELECT 6;]"},
	{"cut", "SELECT 'a", "..."},
	{"empty-statements", ";;SELECT 1;;", "[SELECT 1;]"},
};

static void
test_split(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);

	/* Wherever the pieces are cut. */
	for (size_t piece = 1; piece <= strlen(splits[i].text); piece++) {
		g_autofree char *found = split(splits[i].text, piece);

		g_assert_cmpstr(found, ==, splits[i].statements);
	}
}

static const struct {
	const char *text;
	HfStatementKind kind;
	const char *table, *other, *setting;
} kinds[] = {
	{"CREATE INDEX i ON public.t USING btree (a);", HF_STATEMENT_INDEX, "public.t", NULL, NULL},
	{"CREATE UNIQUE INDEX \"i \"\"x\" ON ONLY public.\"T t\" (a);", HF_STATEMENT_INDEX, "public.\"T t\"",
	 NULL, NULL},
	{"ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (a);", HF_STATEMENT_KEY, "s.t", NULL, NULL},
	{"ALTER TABLE s.t ADD CONSTRAINT k UNIQUE (a);", HF_STATEMENT_KEY, "s.t", NULL, NULL},
	{"ALTER TABLE ONLY s.t ADD CONSTRAINT k EXCLUDE USING gist (a WITH &&);", HF_STATEMENT_KEY, "s.t",
	 NULL, NULL},
	{"ALTER TABLE ONLY s.t ADD CONSTRAINT \"references\" FOREIGN KEY (\"references\") REFERENCES "
	 "s.\"o\"(id);",
	 HF_STATEMENT_FOREIGN_KEY, "s.t", "s.\"o\"", NULL},
	{"ALTER TABLE s.t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;", HF_STATEMENT_OTHER, "s.t", NULL, NULL},
	{"ALTER TABLE s.t CLUSTER ON i;", HF_STATEMENT_DETAIL, "s.t", NULL, NULL},
	{"ALTER INDEX s.i ATTACH PARTITION s.j;", HF_STATEMENT_DETAIL, NULL, NULL, NULL},
	{"COMMENT ON INDEX s.i IS 'x';", HF_STATEMENT_DETAIL, NULL, NULL, NULL},
	{"COMMENT ON TABLE s.i IS 'x';", HF_STATEMENT_OTHER, NULL, NULL, NULL},
	{"SET default_tablespace = '';", HF_STATEMENT_SETTING, NULL, NULL, "default_tablespace"},
	{"SET SESSION AUTHORIZATION 'x';", HF_STATEMENT_OTHER, NULL, NULL, NULL},
	{"SELECT pg_catalog.set_config('search_path', '', false);", HF_STATEMENT_SETTING, NULL, NULL,
	 "search_path"},
	{"SELECT pg_catalog.setval('s.q', 1, false);", HF_STATEMENT_DATA, NULL, NULL, NULL},
	{"SELECT pg_catalog.lo_open('16', 131072);", HF_STATEMENT_DATA, NULL, NULL, NULL},
	{"BEGIN;", HF_STATEMENT_DATA, NULL, NULL, NULL},
	{"REFRESH MATERIALIZED VIEW s.m;", HF_STATEMENT_OTHER, NULL, NULL, NULL},
	{"CREATE TRIGGER i BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();", HF_STATEMENT_OTHER,
	 NULL, NULL, NULL},
};

static void
test_kinds(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_auto(HfStatement) statement = {0};

		hf_statement_parse(kinds[i].text, &statement);
		g_test_message("%s", kinds[i].text);
		g_assert_cmpint(statement.kind, ==, kinds[i].kind);
		g_assert_cmpstr(statement.table, ==, kinds[i].table);
		g_assert_cmpstr(statement.other, ==, kinds[i].other);
		g_assert_cmpstr(statement.setting, ==, kinds[i].setting);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(splits); i++) {
		g_autofree char *path = g_strconcat("/lexer/", splits[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_split);
	}
	g_test_add_func("/statement/kinds", test_kinds);
	return g_test_run();
}
