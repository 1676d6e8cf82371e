/*
 * auth/lists.h -- settings that are lists, separated by commas.
 */
#pragma once

#include <glib.h>

/* The items without blanks around them, empty ones left out; NULL where text is NULL.  g_strfreev() it. */
char **hf_list_parse(const char *text);
