#include "config.h"

#include "backup/source/references.h"
#include "backup/source/postgres-connection.h"
#include "common/error.h"

#include <string.h>

/* With keys of 1,024 bytes, the longest that S3 has, some 1 MiB. */
#define ROWS_AT_ONCE "1000"

#define SETTING "IMAGE_REFERENCES_SQL"

struct HfReferences {
	PGconn *connection;
	PGresult *rows;
	int row;
	GString *key;
};

/* The statement without what may stand behind its end, so that it can stand in brackets. */
static char *
inner_query(const char *sql)
{
	size_t len = strlen(sql);

	while (len > 0 && (g_ascii_isspace(sql[len - 1]) || sql[len - 1] == ';'))
		len--;
	return g_strndup(sql, len);
}

/* A query that was tried before fails here for its data, or for the server: no setting mends that. */
static PGresult *
ask(PGconn *connection, const char *sql, GError **error)
{
	PGresult *result = hf_pg_query(connection, sql, NULL, error);

	if (!result)
		g_prefix_error(error, SETTING ": ");
	return result;
}

/* A line end before the bracket: the query may end in a comment. */
bool
hf_references_check(HfPostgres *postgres, const char *sql, GError **error)
{
	g_autofree char *inner = inner_query(sql);
	g_autofree char *probe = g_strdup_printf("SELECT * FROM (%s\n) AS q LIMIT 0", inner);
	g_autoptr(GError) trouble = NULL;
	g_autoptr(PGresult) result = ask(hf_postgres_connection(postgres), probe, &trouble);

	if (hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	if (!result)
		return hf_error_set(error, HF_ERROR_USAGE, "%s", trouble->message);
	return PQnfields(result) == 1 ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    SETTING ": the query gives %d columns: it must give one, of keys",
			    PQnfields(result));
}

/* Binary, since the bytes are wanted as they are whatever the client's encoding and the database's collation. */
HfReferences *
hf_references_open(HfPostgres *postgres, const char *sql, GError **error)
{
	g_autofree char *inner = inner_query(sql);
	g_autofree char *declare = g_strdup_printf(
		"DECLARE holdfast_references BINARY NO SCROLL CURSOR FOR"
		" SELECT DISTINCT pg_catalog.convert_to(k::pg_catalog.text, 'UTF8') FROM (%s\n) AS q(k)"
		" WHERE k IS NOT NULL ORDER BY 1",
		inner);
	HfReferences *references;
	g_autoptr(PGresult) declared = ask(hf_postgres_connection(postgres), declare, error);

	if (!declared)
		return NULL;
	references = g_new0(HfReferences, 1);
	references->connection = hf_postgres_connection(postgres);
	references->key = g_string_new(NULL);
	return references;
}

static bool
fetch_rows(HfReferences *references, GError **error)
{
	PQclear(references->rows);
	references->row = 0;
	references->rows = ask(references->connection, "FETCH " ROWS_AT_ONCE " FROM holdfast_references",
			       error);
	return references->rows != NULL;
}

bool
hf_references_next(HfReferences *references, const char **key_out, GError **error)
{
	const char *bytes;
	int len;

	*key_out = NULL;
	if ((!references->rows || references->row == PQntuples(references->rows)) &&
	    !fetch_rows(references, error))
		return false;
	if (PQntuples(references->rows) == 0)
		return true;
	bytes = PQgetvalue(references->rows, references->row, 0);
	len = PQgetlength(references->rows, references->row, 0);
	references->row++;
	g_string_truncate(references->key, 0);
	g_string_append_len(references->key, bytes, len);
	*key_out = references->key->str;
	return true;
}

void
hf_references_free(HfReferences *references)
{
	if (!references)
		return;
	PQclear(references->rows);
	g_string_free(references->key, TRUE);
	g_free(references);
}
