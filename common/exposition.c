#include "config.h"

#include "common/exposition.h"

#include <string.h>

static void
add_escaped(GString *text, const char *value, const char *special)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);

	for (const char *c = valid; *c; c++) {
		if (*c == '\n')
			g_string_append(text, "\\n");
		else if (strchr(special, *c))
			g_string_append_printf(text, "\\%c", *c);
		else
			g_string_append_c(text, *c);
	}
}

void
hf_exposition_begin(GString *text, const char *name, const char *help)
{
	g_string_append_printf(text, "# HELP %s ", name);
	add_escaped(text, help, "\\");
	g_string_append_printf(text, "\n# TYPE %s gauge\n", name);
}

static void
begin_sample(GString *text, const char *name, const HfLabel *labels)
{
	g_string_append(text, name);
	for (const HfLabel *label = labels; label && label->name; label++) {
		g_string_append_printf(text, "%c%s=\"", label == labels ? '{' : ',', label->name);
		add_escaped(text, label->value, "\\\"");
		g_string_append_c(text, '"');
	}
	g_string_append(text, labels && labels->name ? "} " : " ");
}

void
hf_exposition_add(GString *text, const char *name, const HfLabel *labels, uint64_t value)
{
	begin_sample(text, name, labels);
	g_string_append_printf(text, "%" G_GUINT64_FORMAT "\n", value);
}

void
hf_exposition_add_ms(GString *text, const char *name, const HfLabel *labels, uint64_t value_ms)
{
	begin_sample(text, name, labels);
	g_string_append_printf(text, "%" G_GUINT64_FORMAT ".%03u\n", value_ms / 1000,
			       (unsigned)(value_ms % 1000));
}
