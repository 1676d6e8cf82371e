#include "config.h"

#include "backup/job/seen.h"
#include "backup/catalog/deletion.h"
#include "backup/job/marks.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* Names among the marks, which hold a time each, as an id does. */
static char *
mark_of(const char *what, const HfStore *store)
{
	const char *endpoint = hf_store_endpoint(store);

	return g_strdup_printf("%s set of %s%s%s", what, hf_store_location(store), endpoint ? " at " : "",
			       endpoint ? endpoint : "");
}

static bool
is_among(const GPtrArray *ids, const char *id)
{
	for (guint i = ids->len; i > 0; i--)
		if (strcmp(ids->pdata[i - 1], id) == 0)
			return true;
	return false;
}

/* Whether a record says so; one that is not signed where it should be says nothing. */
static bool
find_deleted(HfStore *store, const char *id, bool *is_deleted_out, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfDeletion) deletion = hf_deletion_read(store, id, &trouble);

	*is_deleted_out = deletion && (deletion->is_signed == HF_SIGNED_YES ||
				       deletion->is_signed == HF_SIGNED_UNCHECKED);
	if (deletion || hf_error_is(trouble, HF_ERROR_NOT_FOUND) || hf_error_is(trouble, HF_ERROR_CORRUPT))
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

/* The set that was the newest is not there any more. */
static bool
note_missing(HfState *state, HfStore *store, int64_t seen_s, GError **error)
{
	g_autofree char *lost = mark_of("lost", store);
	g_autofree char *id = hf_clock_set_id(seen_s);
	bool is_deleted;

	if (!find_deleted(store, id, &is_deleted, error))
		return false;
	return is_deleted || hf_marks_set(state, lost, seen_s, error);
}

bool
hf_seen_update(HfState *state, HfStore *store, const GPtrArray *ids, GError **error)
{
	g_autofree char *newest = mark_of("newest", store);
	g_autofree char *id = NULL;
	int64_t seen_s, now_s = 0;

	if (!hf_marks_get(state, newest, &seen_s, error))
		return false;
	if (ids->len > 0 && !hf_clock_parse_set_id(ids->pdata[ids->len - 1], &now_s))
		now_s = 0;
	if (seen_s == now_s)
		return true;
	id = hf_clock_set_id(seen_s);
	if (seen_s > 0 && !is_among(ids, id) && !note_missing(state, store, seen_s, error))
		return false;
	return hf_marks_set(state, newest, now_s, error);
}

bool
hf_seen_lost(HfState *state, const HfStore *store, int64_t *lost_s_out, GError **error)
{
	g_autofree char *lost = mark_of("lost", store);

	return hf_marks_get(state, lost, lost_s_out, error);
}

bool
hf_seen_forget(HfState *state, const HfStore *store, const char *id, GError **error)
{
	g_autofree char *lost = mark_of("lost", store);
	int64_t lost_s, id_s;

	if (!hf_marks_get(state, lost, &lost_s, error))
		return false;
	if (lost_s == 0 || !hf_clock_parse_set_id(id, &id_s) || id_s != lost_s)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" is not missed", id);
	return hf_marks_set(state, lost, 0, error);
}
