#include "config.h"

#include "backup/notify/result.h"

#include <string.h>

HfJson *
hf_result_parse(const char *text)
{
	HfJson *object = text ? hf_json_parse(text, strlen(text), NULL) : NULL;

	if (json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	return NULL;
}

const char *
hf_result_text(HfJson *object, const char *name)
{
	const char *text = NULL;

	return object && hf_json_find_text(object, name, &text, NULL) ? text : NULL;
}

bool
hf_result_number(HfJson *object, const char *name, uint64_t *number_out)
{
	return object && hf_json_get_number(object, name, number_out, NULL);
}

bool
hf_result_flag(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return object && json_object_object_get_ex(object, name, &value) && json_object_get_boolean(value);
}

HfJson *
hf_result_object(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return object && hf_json_find_object(object, name, &value, NULL) ? value : NULL;
}
