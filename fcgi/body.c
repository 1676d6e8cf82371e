#include "config.h"

#include "fcgi/body.h"

#include <string.h>

/* "application/json", whatever parameters follow, and the like of "application/merge-patch+json" not. */
static bool
is_json(const char *type)
{
	g_autofree char *name = g_strndup(type ? type : "", strcspn(type ? type : "", ";"));

	return g_ascii_strcasecmp(g_strstrip(name), "application/json") == 0;
}

static const HfMember *
find_member(const HfMember *members, const char *name)
{
	for (; members->name; members++)
		if (strcmp(members->name, name) == 0)
			return members;
	return NULL;
}

/* NULL where all is well. */
static char *
check_members(HfJson *object, const HfMember *members)
{
	json_object_object_foreach(object, name, value)
	{
		const HfMember *member = find_member(members, name);

		if (!member)
			return g_strdup_printf("member \"%s\" is not known here", name);
		if (!json_object_is_type(value, member->type))
			return g_strdup_printf("member \"%s\" is of type %s: %s is wanted", name,
					       json_type_to_name(json_object_get_type(value)),
					       json_type_to_name(member->type));
	}
	return NULL;
}

HfJson *
hf_body_parse(const HfRequest *request, const HfMember *members, const char *message, HfReply **refusal_out)
{
	g_autoptr(HfJson) object = NULL;
	g_autoptr(GError) trouble = NULL;
	g_autofree char *wrong = NULL;

	*refusal_out = NULL;
	if (request->body->len == 0)
		return json_object_new_object();
	if (!is_json(request->content_type)) {
		*refusal_out = hf_reply_problem(415, HF_CODE_MEDIA_TYPE, message,
						"the body must be JSON: Content-Type: application/json");
		return NULL;
	}
	object = hf_json_parse((const char *)request->body->data, request->body->len, &trouble);
	if (!object)
		wrong = g_strdup(trouble->message);
	else if (!json_object_is_type(object, json_type_object))
		wrong = g_strdup("it is not an object");
	else
		wrong = check_members(object, members);
	if (wrong) {
		g_autofree char *text = g_strdup_printf("the body is refused: %s", wrong);

		*refusal_out = hf_reply_problem(400, HF_CODE_USAGE, message, text);
		return NULL;
	}
	return g_steal_pointer(&object);
}
