#include "config.h"

#include "backup/catalog/private.h"
#include "common/error.h"

#include <string.h>

#define MEMBER "private"
#define FORMAT "format"

/* ---- taking apart ---- */

typedef enum {
	HIDDEN,
	PARTLY, /* some of its members are public */
	PUBLIC,
} Standing;

static Standing
standing_of(HfPublicMembers members, const char *path)
{
	size_t len = strlen(path);

	for (; *members; members++) {
		if (strcmp(*members, path) == 0)
			return PUBLIC;
		if (strncmp(*members, path, len) == 0 && (*members)[len] == '.')
			return PARTLY;
	}
	return HIDDEN;
}

/* The names first: members are moved while they are looked at. */
static GPtrArray *
names_of(HfJson *object)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

	json_object_object_foreach(object, name, value)
	{
		(void)value;
		g_ptr_array_add(names, g_strdup(name));
	}
	return names;
}

/* What is not public, taken out of object; prefix is "" or ends with a dot. */
static HfJson *
split(HfJson *object, HfPublicMembers members, const char *prefix)
{
	g_autoptr(GPtrArray) names = names_of(object);
	HfJson *hidden = json_object_new_object();

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		g_autofree char *path = g_strconcat(prefix, name, NULL);
		g_autofree char *below = g_strconcat(path, ".", NULL);
		HfJson *value = json_object_object_get(object, name);
		Standing standing = standing_of(members, path);

		if (standing == PUBLIC)
			continue;
		if (standing == PARTLY && json_object_is_type(value, json_type_object)) {
			g_autoptr(HfJson) its = split(value, members, below);

			if (json_object_object_length(its) > 0)
				hf_json_add(hidden, name, json_object_get(its));
			continue;
		}
		hf_json_add(hidden, name, json_object_get(value));
		json_object_object_del(object, name);
	}
	return hidden;
}

static GBytes *
text_of(HfJson *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
									  JSON_C_TO_STRING_NOSLASHESCAPE);

	return g_bytes_new(text, strlen(text));
}

bool
hf_private_hide(HfJson *object, HfPublicMembers members, const char *id_member, const HfKeyring *keyring,
		GError **error)
{
	g_autoptr(HfJson) hidden = split(object, members, "");
	g_autoptr(GBytes) plain = NULL;
	g_autoptr(GBytes) file = NULL;
	g_autofree char *text = NULL;

	if (json_object_object_length(hidden) == 0)
		return true;
	hf_json_add(hidden, FORMAT, json_object_get(json_object_object_get(object, FORMAT)));
	hf_json_add(hidden, id_member, json_object_get(json_object_object_get(object, id_member)));
	plain = text_of(hidden);
	file = hf_keyring_seal(keyring, plain, error);
	if (!file)
		return false;
	text = g_base64_encode(g_bytes_get_data(file, NULL), g_bytes_get_size(file));
	hf_json_add_text(object, MEMBER, text);
	return true;
}

bool
hf_private_strip(HfJson *object, HfPublicMembers members)
{
	g_autoptr(HfJson) hidden = split(object, members, "");

	return json_object_object_length(hidden) > 0;
}

/* ---- putting together ---- */

bool
hf_private_is_in(HfJson *object)
{
	return json_object_object_get_ex(object, MEMBER, NULL);
}

static bool
merge(HfJson *object, HfJson *hidden, GError **error)
{
	json_object_object_foreach(hidden, name, value)
	{
		HfJson *there;

		if (!json_object_object_get_ex(object, name, &there)) {
			hf_json_add(object, name, json_object_get(value));
			continue;
		}
		if (!json_object_is_type(there, json_type_object) ||
		    !json_object_is_type(value, json_type_object))
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "member \"%.40s\" is there twice, readable and encrypted", name);
		if (!merge(there, value, error))
			return false;
	}
	return true;
}

/* A word of the hidden part that must be the object's own; taken out, so that it is there once. */
static bool
take_bond(HfJson *object, HfJson *hidden, const char *name, GError **error)
{
	const char *own, *its;

	if (!hf_json_get_text(object, name, &own, error) || !hf_json_get_text(hidden, name, &its, error))
		return false;
	if (strcmp(own, its) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "it is of another object: its %s is \"%.40s\", not \"%.40s\"", name, its,
				    own);
	json_object_object_del(hidden, name);
	return true;
}

static HfJson *
open_hidden(const char *text, HfKeyring *keyring, GError **error)
{
	gsize len = 0;
	g_autofree guchar *decoded = g_base64_decode(text, &len);
	g_autoptr(GBytes) file = g_bytes_new_take(g_steal_pointer(&decoded), len);
	g_autoptr(GBytes) plain = hf_keyring_unseal(keyring, file, error);
	g_autoptr(HfJson) hidden = NULL;
	const char *json;

	if (!plain)
		return NULL;
	json = g_bytes_get_data(plain, &len);
	hidden = hf_json_parse(json ? json : "", len, error);
	if (!hidden)
		return NULL;
	if (json_object_is_type(hidden, json_type_object))
		return g_steal_pointer(&hidden);
	hf_error_set(error, HF_ERROR_CORRUPT, "it is no object");
	return NULL;
}

static bool
reveal(HfJson *object, const char *text, const char *id_member, HfKeyring *keyring, GError **error)
{
	g_autoptr(HfJson) hidden = open_hidden(text, keyring, error);

	return hidden && take_bond(object, hidden, FORMAT, error) &&
	       take_bond(object, hidden, id_member, error) && merge(object, hidden, error);
}

bool
hf_private_reveal(HfJson *object, const char *id_member, HfKeyring *keyring, char **sealed_out,
		  GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autofree char *text = NULL;
	const char *stored;

	*sealed_out = NULL;
	if (!hf_private_is_in(object))
		return true;
	if (!hf_json_get_text(object, MEMBER, &stored, error))
		return false;
	text = g_strdup(stored);
	json_object_object_del(object, MEMBER);
	if (reveal(object, text, id_member, keyring, &trouble))
		return true;
	if (hf_error_is(trouble, HF_ERROR_DENIED)) {
		*sealed_out = g_strdup(trouble->message);
		return true;
	}
	g_propagate_prefixed_error(error, g_steal_pointer(&trouble), "\"" MEMBER "\": ");
	return false;
}
