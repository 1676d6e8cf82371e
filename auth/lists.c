#include "config.h"

#include "auth/lists.h"

char **
hf_list_parse(const char *text)
{
	g_auto(GStrv) items = NULL;
	GStrvBuilder *list;
	char **found;

	if (!text)
		return NULL;
	items = g_strsplit(text, ",", -1);
	list = g_strv_builder_new();
	for (char **item = items; *item; item++)
		if (*g_strstrip(*item))
			g_strv_builder_add(list, *item);
	found = g_strv_builder_end(list);
	g_strv_builder_unref(list);
	return found;
}
