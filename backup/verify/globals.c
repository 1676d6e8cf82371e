#include "config.h"

#include "backup/verify/globals.h"

#include <string.h>

/* pg_dumpall writes a statement a line; in comments and passwords a line end is possible and does no harm here. */
static void
add_tablespace(GString *out, const char *line, const char *folder, unsigned number)
{
	const char *location = g_strrstr(line, " LOCATION '");

	g_string_append_len(out, line, location - line);
	g_string_append(out, " LOCATION '");
	for (const char *byte = folder; *byte; byte++) {
		if (*byte == '\'')
			g_string_append_c(out, '\'');
		g_string_append_c(out, *byte);
	}
	g_string_append_printf(out, "/ts%u';\n", number);
}

static void
add_grant(GString *out, const char *line)
{
	const char *granted = g_strrstr(line, " GRANTED BY ");

	if (granted)
		g_string_append_printf(out, "%.*s;\n", (int)(granted - line), line);
	else
		g_string_append_printf(out, "%s\n", line);
}

char *
hf_scratch_globals(const char *sql, const char *folder, unsigned *tablespaces_out)
{
	g_auto(GStrv) lines = g_strsplit(sql, "\n", -1);
	GString *out = g_string_new(NULL);

	*tablespaces_out = 0;
	for (char **line = lines; *line; line++) {
		if (g_str_has_prefix(*line, "CREATE TABLESPACE ") && g_strrstr(*line, " LOCATION '"))
			add_tablespace(out, *line, folder, (*tablespaces_out)++);
		else if (g_str_has_prefix(*line, "GRANT "))
			add_grant(out, *line);
		else if (!g_str_has_prefix(*line, "ALTER ROLE ") || !strstr(*line, " IN DATABASE "))
			g_string_append_printf(out, "%s\n", *line);
	}
	return g_string_free(out, FALSE);
}
