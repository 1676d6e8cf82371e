#include "config.h"

#include "cli/text.h"
#include "common/log.h"

#include <string.h>

struct HfGrid {
	char *alignment;
	GPtrArray *rows; /* of char ** */
};

unsigned
hf_text_width(const char *text)
{
	unsigned width = 0;

	for (; *text; text += g_utf8_skip[(unsigned char)*text]) {
		gunichar c = g_utf8_get_char(text);

		width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
	}
	return width;
}

HfGrid *
hf_grid_new(const char *alignment)
{
	HfGrid *grid = g_new0(HfGrid, 1);

	grid->alignment = g_strdup(alignment);
	grid->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	return grid;
}

void
hf_grid_add(HfGrid *grid, const char *const *cells)
{
	size_t columns = strlen(grid->alignment);
	char **row = g_new0(char *, columns + 1);

	for (size_t i = 0; i < columns; i++)
		row[i] = hf_log_one_line(cells[i]);
	g_ptr_array_add(grid->rows, row);
}

static unsigned
column_width(const HfGrid *grid, size_t column)
{
	unsigned width = 0;

	for (guint i = 0; i < grid->rows->len; i++)
		width = MAX(width, hf_text_width(((char **)grid->rows->pdata[i])[column]));
	return width;
}

static void
append_row(GString *text, const char *alignment, char *const *row, const unsigned *widths)
{
	gsize end;

	for (size_t i = 0; alignment[i]; i++) {
		int pad = (int)(widths[i] - hf_text_width(row[i]));

		if (alignment[i] == 'r')
			g_string_append_printf(text, "%*s%s  ", pad, "", row[i]);
		else
			g_string_append_printf(text, "%s%*s  ", row[i], pad, "");
	}
	for (end = text->len; end > 0 && text->str[end - 1] == ' '; end--)
		;
	g_string_truncate(text, end);
	g_string_append_c(text, '\n');
}

char *
hf_grid_to_text(const HfGrid *grid)
{
	GString *text = g_string_new(NULL);
	g_autofree unsigned *widths = g_new0(unsigned, strlen(grid->alignment));

	for (size_t i = 0; grid->alignment[i]; i++)
		widths[i] = column_width(grid, i);
	for (guint i = 0; i < grid->rows->len; i++)
		append_row(text, grid->alignment, grid->rows->pdata[i], widths);
	return g_string_free(text, FALSE);
}

void
hf_grid_free(HfGrid *grid)
{
	if (!grid)
		return;
	g_free(grid->alignment);
	g_ptr_array_unref(grid->rows);
	g_free(grid);
}
