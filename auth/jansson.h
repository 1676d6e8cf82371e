/*
 * auth/jansson.h -- jansson, which is here for one thing: it can refuse an object that has a member twice.
 *
 * json-c exports json_object_get() and json_object_iter_next() as well, and a program that links both gets whichever
 * comes first.  So these two are never called; hf_jansson_member() does their work.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

#pragma GCC poison json_object_get json_object_iter_next

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* The member, borrowed; NULL where object is no object or has none of this name. */
static inline json_t *
hf_jansson_member(json_t *object, const char *name)
{
	return json_object_iter_value(json_object_iter_at(object, name));
}

/* The text of a member that is a string; NULL where it is absent or of another type. */
static inline const char *
hf_jansson_text(json_t *object, const char *name)
{
	return json_string_value(hf_jansson_member(object, name));
}
