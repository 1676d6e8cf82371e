#include "config.h"

#include "backup/catalog/hold.h"
#include "backup/catalog/names.h"
#include "backup/stage/sink.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host.h"
#include "common/json.h"

#include <string.h>

/* A reason in JSON may take six bytes for one. */
#define HOLD_BYTES_MAX ((size_t)8 * HF_HOLD_REASON_MAX)

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
	g_autoptr(HfJson) object = json_object_new_object();
	g_autofree char *at = hf_clock_rfc3339(now_s);
	g_autofree char *text = NULL;
	g_autofree char *key = NULL;
	g_autoptr(HfStage) stage = NULL;

	if (!check_set(set, error))
		return false;
	if (reason && strlen(reason) > HF_HOLD_REASON_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "the reason has %zu bytes: at most %d are allowed",
				    strlen(reason), HF_HOLD_REASON_MAX);
	hf_json_add_text(object, "format", "holdfast-hold");
	hf_json_add_number(object, "version", 1);
	hf_json_add_text(object, "set", set->id);
	hf_json_add_text(object, "at", at);
	hf_json_add_bytes(object, "host", hf_host_name());
	hf_json_add_bytes(object, "reason", reason && *reason ? reason : NULL);
	text = g_strconcat(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), "\n", NULL);
	key = hf_name_hold(set->id);
	stage = hf_store_write(store, key, NULL, error);
	return stage && hf_stage_write(stage, text, strlen(text), error) && hf_stage_finish(stage, error);
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

static char *
parse_reason(HfStage *sink)
{
	g_autoptr(GBytes) bytes = hf_sink_bytes_get(sink);
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);
	g_autoptr(HfJson) object = len > 0 ? hf_json_parse(text, len, NULL) : NULL;
	char *reason = NULL;

	if (object && json_object_is_type(object, json_type_object) &&
	    !hf_json_find_bytes(object, "reason", &reason, NULL))
		return NULL;
	return reason;
}

bool
hf_hold_read_reason(HfStore *store, const char *id, char **reason_out, GError **error)
{
	g_autofree char *key = hf_name_hold(id);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(HOLD_BYTES_MAX);
	g_autoptr(GError) trouble = NULL;

	*reason_out = NULL;
	if (hf_store_read(store, key, HF_WHOLE, sink, &trouble) && hf_stage_finish(sink, &trouble)) {
		*reason_out = parse_reason(sink);
		return true;
	}
	if (hf_error_is(trouble, HF_ERROR_TRANSIENT) || hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	return true;
}
