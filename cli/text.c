#include "config.h"

#include "cli/text.h"
#include "common/log.h"

#include <string.h>

struct HfGrid {
	char *alignment;
	GPtrArray *rows; /* of char ** */
};

char *
hf_text_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 999.5 && unit + 1 < G_N_ELEMENTS(units); unit++)
		value /= 1024;
	if (unit == 0 || value >= 99.95)
		return g_strdup_printf("%.0f %s", value, units[unit]);
	return g_strdup_printf("%.1f %s", value, units[unit]);
}

char *
hf_text_count(uint64_t count)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text, "%" G_GUINT64_FORMAT, count);
	for (gssize at = (gssize)text->len - 3; at > 0; at -= 3)
		g_string_insert_c(text, at, ',');
	return g_string_free(text, FALSE);
}

char *
hf_text_duration(double seconds)
{
	uint64_t whole = (uint64_t)(MAX(seconds, 0) + 0.5);

	if (seconds < 9.95)
		return g_strdup_printf("%.1f s", MAX(seconds, 0));
	if (whole < 60)
		return g_strdup_printf("%u s", (unsigned)whole);
	if (whole < 3600)
		return g_strdup_printf("%u min %02u s", (unsigned)(whole / 60), (unsigned)(whole % 60));
	return g_strdup_printf("%" G_GUINT64_FORMAT " h %02u min", whole / 3600, (unsigned)(whole / 60 % 60));
}

char *
hf_text_age(int64_t then_s, int64_t now_s)
{
	int64_t age = now_s - then_s;

	if (age < 0)
		return g_strdup("in the future");
	if (age < 60)
		return g_strdup("just now");
	if (age < 3600)
		return g_strdup_printf("%d min", (int)(age / 60));
	if (age < INT64_C(48) * 3600)
		return g_strdup_printf("%d h", (int)(age / 3600));
	return g_strdup_printf("%" G_GINT64_FORMAT " d", age / 86400);
}

const char *
hf_text_level(int level)
{
	static const char *const words[] = {"unverified", "stored", "read", "restored", "equal"};

	return words[CLAMP(level, 0, (int)G_N_ELEMENTS(words) - 1)];
}

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
