#include "config.h"

#include "common/json.h"
#include "common/error.h"

#include <limits.h>
#include <string.h>

#define DEPTH_MAX 32

typedef struct json_tokener Tokener;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tokener, json_tokener_free)

HfJson *
hf_json_parse(const char *text, size_t len, GError **error)
{
	g_autoptr(Tokener) tokener = json_tokener_new_ex(DEPTH_MAX);
	g_autoptr(HfJson) value = NULL;
	enum json_tokener_error result;

	if (len > INT_MAX || memchr(text, 0, len)) {
		hf_error_set(error, HF_ERROR_CORRUPT, "json: %zu bytes that hold a NUL or are too many", len);
		return NULL;
	}
	/* In strict mode json-c takes even white space behind the value for a fault. */
	while (len > 0 && g_ascii_isspace(text[len - 1]))
		len--;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tokener, text, (int)len);
	result = json_tokener_get_error(tokener);
	if (result != json_tokener_success) {
		hf_error_set(error, HF_ERROR_CORRUPT, "json: %s at byte %zu", json_tokener_error_desc(result),
			     json_tokener_get_parse_end(tokener));
		return NULL;
	}
	if (!value)
		hf_error_set(error, HF_ERROR_CORRUPT, "json: null is no value");
	return g_steal_pointer(&value);
}

/* NULL where it is absent or null. */
static HfJson *
member(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &value);
	return value;
}

static bool
check_type(HfJson *value, const char *name, json_type type, GError **error)
{
	if (!value)
		return hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" is missing", name);
	if (!json_object_is_type(value, type))
		return hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" is not of type %s", name,
				    json_type_to_name(type));
	return true;
}

static bool
text_of(HfJson *value, const char *name, const char **value_out, GError **error)
{
	const char *text = json_object_get_string(value);

	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" holds a NUL", name);
	*value_out = text;
	return true;
}

bool
hf_json_get_text(HfJson *object, const char *name, const char **value_out, GError **error)
{
	HfJson *value = member(object, name);

	return check_type(value, name, json_type_string, error) && text_of(value, name, value_out, error);
}

bool
hf_json_to_number(HfJson *value, const char *name, uint64_t *value_out, GError **error)
{
	if (!check_type(value, name, json_type_int, error))
		return false;
	/* json-c clamps: what is negative as int64 or above INT64_MAX as uint64 is out of our bounds. */
	if (json_object_get_int64(value) < 0 || json_object_get_uint64(value) > INT64_MAX)
		return hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" is not in 0 to 2^63-1", name);
	*value_out = json_object_get_uint64(value);
	return true;
}

bool
hf_json_get_number(HfJson *object, const char *name, uint64_t *value_out, GError **error)
{
	return hf_json_to_number(member(object, name), name, value_out, error);
}

bool
hf_json_get_object(HfJson *object, const char *name, HfJson **value_out, GError **error)
{
	HfJson *value = member(object, name);

	if (!check_type(value, name, json_type_object, error))
		return false;
	*value_out = value;
	return true;
}

bool
hf_json_get_array(HfJson *object, const char *name, HfJson **value_out, GError **error)
{
	HfJson *value = member(object, name);

	if (!check_type(value, name, json_type_array, error))
		return false;
	*value_out = value;
	return true;
}

bool
hf_json_find_text(HfJson *object, const char *name, const char **value_out, GError **error)
{
	*value_out = NULL;
	return !member(object, name) || hf_json_get_text(object, name, value_out, error);
}

bool
hf_json_find_object(HfJson *object, const char *name, HfJson **value_out, GError **error)
{
	*value_out = NULL;
	return !member(object, name) || hf_json_get_object(object, name, value_out, error);
}

bool
hf_json_find_bytes(HfJson *object, const char *name, char **value_out, GError **error)
{
	g_autofree char *base64_name = g_strconcat(name, "_base64", NULL);
	const char *text = NULL;
	g_autofree guchar *bytes = NULL;
	gsize len = 0;

	*value_out = NULL;
	if (!hf_json_find_text(object, name, &text, error))
		return false;
	if (text) {
		*value_out = g_strdup(text);
		return true;
	}
	if (!hf_json_find_text(object, base64_name, &text, error))
		return false;
	if (!text)
		return true;
	bytes = g_base64_decode(text, &len);
	if (memchr(bytes, 0, len))
		return hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" holds a NUL", base64_name);
	*value_out = g_strndup((const char *)bytes, len);
	return true;
}

bool
hf_json_get_bytes(HfJson *object, const char *name, char **value_out, GError **error)
{
	if (!hf_json_find_bytes(object, name, value_out, error))
		return false;
	return *value_out || hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" is missing", name);
}

void
hf_json_add_text(HfJson *object, const char *name, const char *value)
{
	if (value)
		hf_json_add(object, name, json_object_new_string(value));
}

void
hf_json_add_bytes(HfJson *object, const char *name, const char *value)
{
	g_autofree char *base64_name = NULL;
	g_autofree char *base64 = NULL;

	if (!value || g_utf8_validate(value, -1, NULL)) {
		hf_json_add_text(object, name, value);
		return;
	}
	base64_name = g_strconcat(name, "_base64", NULL);
	base64 = g_base64_encode((const guchar *)value, strlen(value));
	hf_json_add_text(object, base64_name, base64);
}

void
hf_json_add_number(HfJson *object, const char *name, uint64_t value)
{
	g_assert(value <= INT64_MAX);
	hf_json_add(object, name, json_object_new_uint64(value));
}

void
hf_json_add_flag(HfJson *object, const char *name, bool value)
{
	hf_json_add(object, name, json_object_new_boolean(value));
}

void
hf_json_add(HfJson *object, const char *name, HfJson *value)
{
	int result = json_object_object_add(object, name, value);

	g_assert(result == 0);
}
