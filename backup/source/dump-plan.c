#include "config.h"

#include "backup/source/dump-plan.h"
#include "common/error.h"

#include <string.h>

/* Each is a word of pg_dump's command line, at most 280 bytes, and a query of its own there. */
#define TABLES_MAX_TEXT "512"
/*
 * Of the disk, with TOAST: 512 pages of a table without.  A reader's lane in the window (reorder.h) holds as much or more,
 * and asking for a piece costs little beside reading it.
 */
#define PIECE_BYTES ((uint64_t)4 << 20)
#define PIECE_PAGES_MAX 1024

/*
 * A function of the database's own that a row's way into a table may call, and that may look at other tables: not
 * one of an extension or in C, and not one that says that it is IMMUTABLE and whose text shows no query of its own.
 * Operators count as the functions behind them.
 */
static const char order_sql[] =
	"WITH called AS ("
	" SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d"
	"  JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass"
	"  AND d.objid = k.oid AND k.contype = 'c'"
	" UNION SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d"
	"  JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND "
	"d.objid = "
	"f.oid"
	"  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND "
	"a.attgenerated <> "
	"''),"
	" functions AS ("
	" SELECT refobjid AS oid FROM called WHERE refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
	" UNION SELECT o.oprcode FROM called JOIN pg_catalog.pg_operator o ON o.oid = refobjid"
	"  WHERE refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass)"
	" SELECT 1 FROM functions JOIN pg_catalog.pg_proc p USING (oid)"
	" JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
	" WHERE p.oid >= 16384 AND l.lanname NOT IN ('internal', 'c')"
	" AND NOT (p.provolatile = 'i' AND l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL"
	"  AND p.prosrc !~* '\\m(from|table|execute|perform|call)\\M')"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'"
	"  AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid) LIMIT 1";

/* What a table is: with the columns' types, since ALTER TYPE keeps a column's name and number. */
#define IDENTITY_SQL \
	"(SELECT pg_catalog.concat_ws(' ', c.oid, c.relfilenode, c.relnamespace, c.relname, " \
	"c.relrowsecurity," \
	" pg_catalog.string_agg(pg_catalog.concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod," \
	" a.attgenerated, a.attisdropped), ',' ORDER BY a.attnum))" \
	" FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)"

/*
 * The last condition is pg_dump's own (getPartitioningInfo): rows of a table that is partitioned by the hash of an enum are
 * loaded through its root.
 */
static const char tables_sql[] =
	"SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner),"
	" pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),"
	" (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)"
	"  FROM pg_catalog.pg_attribute a"
	"  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS "
	"columns,"
	" " IDENTITY_SQL " AS identity"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_catalog.pg_am m ON m.oid = c.relam"
	" WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u') AND c.oid >= 16384 AND m.amname = 'heap'"
	" AND NOT c.relrowsecurity AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'"
	"  AND (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid"
	"   OR d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid))"
	" AND EXISTS (SELECT FROM pg_catalog.pg_attribute a"
	"  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')"
	" AND NOT (c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS p "
	"(relid)"
	"  JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = p.relid"
	"  WHERE (SELECT o.oid FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am h ON h.oid = o.opcmethod"
	"   WHERE o.opcname = 'enum_ops' AND o.opcnamespace = 'pg_catalog'::pg_catalog.regnamespace"
	"   AND h.amname = 'hash') = ANY (t.partclass)))"
	" AND pg_catalog.pg_table_size(c.oid) >= %" G_GUINT64_FORMAT
	" ORDER BY pg_catalog.pg_table_size(c.oid) DESC LIMIT " TABLES_MAX_TEXT;

static void
table_free(gpointer data)
{
	HfPlanTable *table = data;

	g_free(table->schema);
	g_free(table->name);
	g_free(table->owner);
	g_free(table->target);
	g_free(table->columns);
	g_free(table->identity);
	g_free(table);
}

void
hf_dump_plan_free(HfDumpPlan *plan)
{
	if (!plan)
		return;
	g_ptr_array_unref(plan->tables);
	g_free(plan);
}

static const HfPlanTable *
table_at(const HfDumpPlan *plan, guint i)
{
	return g_ptr_array_index(plan->tables, i);
}

static int
compare_tables(gconstpointer a, gconstpointer b)
{
	const HfPlanTable *left = *(HfPlanTable *const *)a, *right = *(HfPlanTable *const *)b;
	int order = strcmp(left->schema, right->schema);

	return order ? order : strcmp(left->name, right->name);
}

/* ---- locks ---- */

static GString *
lock_statement(const HfDumpPlan *plan)
{
	GString *sql = g_string_new("LOCK TABLE ");

	for (guint i = 0; i < plan->tables->len; i++)
		g_string_append_printf(sql, "%sONLY %s", i ? ", " : "", table_at(plan, i)->target);
	return g_string_append(sql, " IN ACCESS SHARE MODE");
}

/* 55P03 lock_not_available, 42P01 undefined_table, 3F000 invalid_schema_name. */
static bool
explain_lock(PGconn *connection, const char *state, GError *cause, GError **error)
{
	g_autofree char *denied = g_strdup(strstr(cause->message, "permission denied"));
	const char *remedy =
		strcmp(state, "55P03") == 0
			? "others have locked a table, or wait for that: run it again when they are done, or "
			  "raise DB_LOCK_SECONDS"
		: strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0
			? "it was dropped or renamed since the snapshot was taken: run it again"
			: NULL;

	if (denied)
		return hf_pg_dump_error(denied, PQdb(connection), PQuser(connection), cause, error);
	if (!remedy) {
		g_propagate_error(error, cause);
		return false;
	}
	hf_error_set(error, HF_ERROR_CONFLICT, "%s: %s", cause->message, remedy);
	g_error_free(cause);
	return false;
}

/* A statement that may wait for somebody's lock. */
static PGresult *
query_locked(PGconn *connection, const char *sql, GError **error)
{
	char state[6];
	GError *cause = NULL;
	PGresult *result = hf_pg_query(connection, sql, state, &cause);

	if (!result)
		(void)explain_lock(connection, state, cause, error);
	return result;
}

static bool
run_lock(PGconn *connection, const char *sql, GError **error)
{
	g_autoptr(PGresult) result = query_locked(connection, sql, error);

	return result != NULL;
}

static bool
set_patience(PGconn *connection, unsigned seconds, GError **error)
{
	g_autofree char *sql = g_strdup_printf("SET lock_timeout = '%us'", seconds);

	return run_lock(connection, sql, error);
}

static bool
lock_all(const HfDumpPlan *plan, PGconn *connection, GError **error)
{
	g_autoptr(GString) lock = lock_statement(plan);

	return run_lock(connection, lock->str, error);
}

bool
hf_dump_plan_lock(const HfDumpPlan *plan, PGconn *connection, GError **error)
{
	g_autoptr(GString) lock = lock_statement(plan);

	g_string_append(lock, " NOWAIT");
	return run_lock(connection, lock->str, error);
}

/* ---- what is taken ---- */

static bool
order_matters(PGconn *connection, bool *matters_out, GError **error)
{
	g_autoptr(PGresult) result = hf_pg_query(connection, order_sql, NULL, error);

	if (!result)
		return false;
	*matters_out = PQntuples(result) > 0;
	return true;
}

static bool
read_tables(HfDumpPlan *plan, PGconn *connection, uint64_t table_bytes, GError **error)
{
	g_autofree char *sql = g_strdup_printf(tables_sql, table_bytes);
	g_autoptr(PGresult) result = query_locked(connection, sql, error); /* for the sizes */

	if (!result)
		return false;
	for (int row = 0; row < PQntuples(result); row++) {
		HfPlanTable *table = g_new0(HfPlanTable, 1);

		table->schema = g_strdup(PQgetvalue(result, row, 1));
		table->name = g_strdup(PQgetvalue(result, row, 2));
		table->owner = g_strdup(PQgetvalue(result, row, 3));
		table->target = g_strdup(PQgetvalue(result, row, 4));
		table->columns = g_strdup(PQgetvalue(result, row, 5));
		table->identity = g_strdup(PQgetvalue(result, row, 6));
		g_ptr_array_add(plan->tables, table);
	}
	g_ptr_array_sort(plan->tables, compare_tables);
	return true;
}

/* ---- pieces ---- */

/* The tables' oids, which lead their identities, as an array in the plan's order. */
static void
append_oids(const HfDumpPlan *plan, GString *sql)
{
	g_string_append(sql, "unnest('{");
	for (guint i = 0; i < plan->tables->len; i++)
		g_string_append_printf(sql, "%s%" G_GUINT64_FORMAT, i ? "," : "",
				       g_ascii_strtoull(table_at(plan, i)->identity, NULL, 10));
	g_string_append(sql, "}'::pg_catalog.oid[])");
}

/*
 * After the lock: a row of the snapshot never moves to another page from then on, and lies in a page that is there
 * by now.
 */
static bool
cut(HfDumpPlan *plan, PGconn *connection, GError **error)
{
	g_autoptr(GString) sql = g_string_new("SELECT pg_catalog.pg_relation_size(o),"
					      " pg_catalog.pg_table_size(o),"
					      " pg_catalog.current_setting('block_size') FROM ");
	g_autoptr(PGresult) result = NULL;

	append_oids(plan, sql);
	g_string_append(sql, " WITH ORDINALITY AS t (o, i) ORDER BY i");
	result = hf_pg_query(connection, sql->str, NULL, error);
	if (!result)
		return false;
	for (int row = 0; row < PQntuples(result); row++) {
		HfPlanTable *table = g_ptr_array_index(plan->tables, row);
		uint64_t bytes = g_ascii_strtoull(PQgetvalue(result, row, 0), NULL, 10);
		uint64_t all_bytes = g_ascii_strtoull(PQgetvalue(result, row, 1), NULL, 10);
		uint64_t page_bytes = g_ascii_strtoull(PQgetvalue(result, row, 2), NULL, 10);

		table->pages = bytes / page_bytes;
		table->piece_pages = (uint64_t)((double)table->pages * (double)PIECE_BYTES /
						(double)MAX(all_bytes, 1));
		table->piece_pages = CLAMP(table->piece_pages, 1, PIECE_PAGES_MAX);
		table->piece_count = MAX(1, (table->pages + table->piece_pages - 1) / table->piece_pages);
		table->first_piece = plan->piece_count;
		plan->piece_count += table->piece_count;
	}
	return true;
}

HfDumpPlan *
hf_dump_plan_make(PGconn *connection, const HfDumpPlanOptions *options, GError **error)
{
	g_autoptr(HfDumpPlan) plan = g_new0(HfDumpPlan, 1);
	bool is_ordered = false;

	plan->tables = g_ptr_array_new_with_free_func(table_free);
	if (!set_patience(connection, options->lock_seconds, error) ||
	    !order_matters(connection, &is_ordered, error))
		return NULL;
	if (!is_ordered && !read_tables(plan, connection, options->table_bytes, error))
		return NULL;
	if (plan->tables->len > 0 && (!lock_all(plan, connection, error) || !cut(plan, connection, error)))
		return NULL;
	return g_steal_pointer(&plan);
}

bool
hf_dump_plan_check(const HfDumpPlan *plan, PGconn *present, GError **error)
{
	g_autoptr(GString) sql = g_string_new("SELECT " IDENTITY_SQL " FROM ");
	g_autoptr(PGresult) result = NULL;

	append_oids(plan, sql);
	g_string_append(
		sql,
		" WITH ORDINALITY AS t (o, i) LEFT JOIN pg_catalog.pg_class c ON c.oid = t.o ORDER BY i");
	result = hf_pg_query(present, sql->str, NULL, error);
	if (!result)
		return false;
	for (int row = 0; row < PQntuples(result); row++) {
		const HfPlanTable *table = table_at(plan, (guint)row);

		if (strcmp(PQgetvalue(result, row, 0), table->identity) != 0)
			return hf_error_set(
				error, HF_ERROR_CONFLICT,
				"database \"%s\": table %s was altered, truncated or rewritten when the dump "
				"had just begun: run it again",
				PQdb(present), table->target);
	}
	return true;
}

/* ---- words ---- */

/* Within quotes pg_dump takes every byte as it is but a quote, which is doubled (processSQLNamePattern, string_utils.c). */
char *
hf_dump_plan_exclusion(const HfPlanTable *table)
{
	GString *word = g_string_new("--exclude-table-data=\"");

	for (const char *at = table->schema; *at; at++)
		g_string_append(word, *at == '"' ? "\"\"" : (const char[]){*at, 0});
	g_string_append(word, "\".\"");
	for (const char *at = table->name; *at; at++)
		g_string_append(word, *at == '"' ? "\"\"" : (const char[]){*at, 0});
	g_string_append_c(word, '"');
	return g_string_free(word, FALSE);
}

/* A comment ends with its line (sanitize_line, pg_backup_archiver.c). */
static char *
on_one_line(const char *name)
{
	return g_strdelimit(g_strdup(name), "\r\n", ' ');
}

char *
hf_dump_plan_rows_head(const HfPlanTable *table)
{
	g_autofree char *schema = on_one_line(table->schema);
	g_autofree char *name = on_one_line(table->name);
	g_autofree char *owner = on_one_line(table->owner);

	return g_strdup_printf("--\n-- Data for Name: %s; Type: TABLE DATA; Schema: %s; Owner: %s\n--\n\n"
			       "COPY %s (%s) FROM stdin;\n",
			       name, schema, owner, table->target, table->columns);
}

static const HfPlanTable *
table_of(const HfDumpPlan *plan, uint64_t piece)
{
	guint low = 0, high = plan->tables->len - 1;

	while (low < high) {
		guint middle = (low + high + 1) / 2;

		if (table_at(plan, middle)->first_piece <= piece)
			low = middle;
		else
			high = middle - 1;
	}
	return table_at(plan, low);
}

/* The last piece has no upper bound: what came behind it since is not in the snapshot. */
char *
hf_dump_plan_copy(const HfDumpPlan *plan, uint64_t piece, const HfPlanTable **table_out)
{
	const HfPlanTable *table = table_of(plan, piece);
	uint64_t from = (piece - table->first_piece) * table->piece_pages;
	bool is_last = piece + 1 == table->first_piece + table->piece_count;
	GString *sql = g_string_new(NULL);

	*table_out = table;
	if (table->piece_count == 1) {
		g_string_printf(sql, "COPY %s (%s) TO STDOUT", table->target, table->columns);
		return g_string_free(sql, FALSE);
	}
	g_string_printf(
		sql, "COPY (SELECT %s FROM ONLY %s WHERE ctid >= '(%" G_GUINT64_FORMAT ",0)'::pg_catalog.tid",
		table->columns, table->target, from);
	if (!is_last)
		g_string_append_printf(sql, " AND ctid < '(%" G_GUINT64_FORMAT ",0)'::pg_catalog.tid",
				       from + table->piece_pages);
	g_string_append(sql, ") TO STDOUT");
	return g_string_free(sql, FALSE);
}
