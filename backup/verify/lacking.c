#include "config.h"

#include "backup/verify/lacking.h"
#include "backup/source/postgres-connection.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/* What lies in front of the first table: types, functions.  More of it is not looked at. */
#define HEAD_BYTES_MAX ((size_t)64 << 20)
#define CREATE "CREATE EXTENSION IF NOT EXISTS "

/* ---- extensions ---- */

/* The name behind CREATE, without its quotes. */
static char *
read_name(const char *at)
{
	GString *name = g_string_new(NULL);

	if (*at != '"') {
		g_string_append_len(name, at, (gssize)strcspn(at, " ;\n"));
		return g_string_free(name, FALSE);
	}
	for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
		if (*at == '"')
			at++;
		g_string_append_c(name, *at);
	}
	return g_string_free(name, FALSE);
}

/* The extensions that the dump makes; they all stand in front of the first table's rows. */
static GPtrArray *
list_wanted(const HfRestored *restored)
{
	const HfArchive *archive = restored->manifest->database->archive;
	g_autoptr(HfStage) sink = hf_sink_bytes_new(HEAD_BYTES_MAX);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GBytes) bytes = NULL;
	g_auto(GStrv) lines = NULL;
	g_autofree char *text = NULL;
	uint64_t end = archive->plain_bytes;

	if (restored->tables && restored->tables->len > 0)
		end = ((const HfTable *)restored->tables->pdata[0])->offset;
	if (!archive->members || end > HEAD_BYTES_MAX ||
	    !hf_archive_read_range(restored->store, archive, (HfRange){0, end}, sink, NULL) ||
	    !hf_stage_finish(sink, NULL))
		return names;
	bytes = hf_sink_bytes_get(sink);
	text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (g_str_has_prefix(*line, CREATE))
			g_ptr_array_add(names, read_name(*line + strlen(CREATE)));
	return names;
}

static GHashTable *
list_available(const HfRestored *restored)
{
	g_autoptr(HfPgTarget)
		target = hf_pg_target_with_database(hf_scratch_target(restored->scratch), "template1");
	g_autoptr(PGconn) connection = hf_pg_connect(target, NULL);
	g_autoptr(PGresult) result = NULL;
	GHashTable *names;

	if (connection)
		result = hf_pg_query(connection, "SELECT name FROM pg_catalog.pg_available_extensions", NULL,
				     NULL);
	if (!result)
		return NULL;
	names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (int i = 0; i < PQntuples(result); i++)
		g_hash_table_add(names, g_strdup(PQgetvalue(result, i, 0)));
	return names;
}

/* NULL where it cannot be told. */
static char *
name_lacking(const HfRestored *restored)
{
	g_autoptr(GPtrArray) wanted = list_wanted(restored);
	g_autoptr(GHashTable) available = list_available(restored);
	g_autoptr(GString) names = g_string_new(NULL);

	for (guint i = 0; available && i < wanted->len; i++)
		if (!g_hash_table_contains(available, wanted->pdata[i]))
			g_string_append_printf(names, "%s%s", names->len ? ", " : "",
					       (char *)wanted->pdata[i]);
	return names->len ? g_string_free(g_steal_pointer(&names), FALSE) : NULL;
}

/* ---- the verdict ---- */

static bool
is_about_extensions(const char *message)
{
	return (strstr(message, "extension \"") && strstr(message, "is not available")) ||
	       strstr(message, "could not open extension control file") ||
	       strstr(message, "could not access file \"$libdir");
}

static bool
note_extensions(const HfRestored *restored, const GError *failure, HfProof *proof)
{
	g_autofree char *names = name_lacking(restored);

	if (names)
		hf_proof_add_unproved(
			proof,
			"the restore: the scratch server lacks the extension(s) %s: install their "
			"packages",
			names);
	else
		hf_proof_add_unproved(proof, "the restore: %s", failure->message);
	return true;
}

static bool
is_about_space(const char *message)
{
	return strstr(message, "No space left") || strstr(message, "could not extend file");
}

static bool
is_about_server(const HfRestored *restored, const GError *failure)
{
	if (is_about_space(failure->message))
		return true;
	switch ((HfError)failure->code) {
	case HF_ERROR_TRANSIENT:
	case HF_ERROR_USAGE:
	case HF_ERROR_CONFLICT:
		return true;
	case HF_ERROR_FAILED:
	case HF_ERROR_DENIED:
		/* In a cluster of its own there is nothing that the set did not bring. */
		return !hf_scratch_is_own(restored->scratch);
	case HF_ERROR_NOT_FOUND:
		return strstr(failure->message, "psql") != NULL;
	case HF_ERROR_CORRUPT:
	case HF_ERROR_CANCELLED:
		return false;
	}
	g_assert_not_reached();
}

bool
hf_lacking_note(const HfRestored *restored, const GError *failure, HfProof *proof)
{
	if (hf_error_is(failure, HF_ERROR_CORRUPT) || hf_error_is(failure, HF_ERROR_CANCELLED))
		return false;
	if (is_about_extensions(failure->message))
		return note_extensions(restored, failure, proof);
	if (!is_about_server(restored, failure))
		return false;
	hf_proof_add_unproved(proof, "the restore: %s%s", failure->message,
			      is_about_space(failure->message) && hf_scratch_is_own(restored->scratch)
				      ? ": free some space, or set SCRATCH_DIR to a folder with more"
				      : "");
	return true;
}
