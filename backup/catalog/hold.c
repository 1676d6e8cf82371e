#include "config.h"

#include "backup/catalog/hold.h"
#include "backup/catalog/mark.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host.h"

#include <string.h>

#define FORMAT "holdfast-hold"

static bool
check_set(const HfSet *set, GError **error)
{
	int64_t time_s;

	return (strlen(set->id) == HF_SET_ID_LEN && hf_clock_parse_set_id(set->id, &time_s)) ||
	       hf_error_set(
		       error, HF_ERROR_USAGE,
		       "\"%s\" has no time in its name, and cannot be held: copy it to a place of its own",
		       set->id);
}

bool
hf_hold_set(HfStore *store, const HfSet *set, const char *reason, int64_t now_s, GError **error)
{
	g_autoptr(HfJson) object = hf_mark_begin(FORMAT, set->id, now_s);
	g_autofree char *key = hf_name_hold(set->id);

	if (!check_set(set, error))
		return false;
	if (reason && strlen(reason) > HF_HOLD_REASON_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "the reason has %zu bytes: at most %d are allowed",
				    strlen(reason), HF_HOLD_REASON_MAX);
	hf_json_add_bytes(object, "host", hf_host_name());
	hf_json_add_bytes(object, "reason", reason && *reason ? reason : NULL);
	return hf_mark_write(store, key, object, error);
}

bool
hf_hold_release(HfStore *store, const HfSet *set, GError **error)
{
	g_autofree char *key = hf_name_hold(set->id);
	const char *const keys[] = {key, NULL};

	if (!check_set(set, error))
		return false;
	if (!set->is_held)
		return hf_error_set(error, HF_ERROR_CONFLICT, "set \"%s\" is not held", set->id);
	return hf_store_remove(store, keys, error);
}

bool
hf_hold_read_reason(HfStore *store, const char *id, char **reason_out, GError **error)
{
	g_autofree char *key = hf_name_hold(id);
	g_autofree char *sealed = NULL;
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfJson) object = hf_mark_read(store, key, FORMAT, &sealed, &trouble);

	*reason_out = NULL;
	if (object && !hf_json_find_bytes(object, "reason", reason_out, NULL))
		*reason_out = NULL;
	if (hf_error_is(trouble, HF_ERROR_TRANSIENT) || hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	return true;
}
