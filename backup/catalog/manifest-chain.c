#include "config.h"

#include "backup/catalog/manifest-impl.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

GArray *
hf_links_new(void)
{
	return g_array_new(FALSE, TRUE, sizeof(HfLink));
}

void
hf_links_add(GArray *links, const char *id, const char *sha256)
{
	HfLink link = {{0}, {0}};

	g_strlcpy(link.id, id, sizeof link.id);
	g_strlcpy(link.sha256, sha256, sizeof link.sha256);
	g_array_append_val(links, link);
}

const HfLink *
hf_links_find(const GArray *links, const char *id)
{
	for (guint i = 0; links && i < links->len; i++) {
		const HfLink *link = &g_array_index(links, HfLink, i);

		if (strcmp(link->id, id) == 0)
			return link;
	}
	return NULL;
}

void
hf_links_to_json(HfJson *object, const GArray *links)
{
	HfJson *array;

	if (!links)
		return;
	array = json_object_new_array();
	for (guint i = 0; i < links->len; i++) {
		const HfLink *link = &g_array_index(links, HfLink, i);
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "id", link->id);
		hf_json_add_text(item, "sha256", link->sha256);
		json_object_array_add(array, item);
	}
	hf_json_add(object, "previous", array);
}

static bool
parse_link(HfJson *item, GArray *links, GError **error)
{
	const char *id, *sha256;
	int64_t time_s;

	if (!hf_json_get_text(item, "id", &id, error) || !hf_json_get_text(item, "sha256", &sha256, error))
		return false;
	if (strlen(id) != HF_SET_ID_LEN || !hf_clock_parse_set_id(id, &time_s))
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"previous\": \"%.40s\" is no set's id", id);
	if (!hf_is_sha256(sha256))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"previous\": set \"%s\": its sha256 is not one", id);
	hf_links_add(links, id, sha256);
	return true;
}

bool
hf_links_parse(HfJson *object, GArray **links_out, GError **error)
{
	g_autoptr(GArray) links = NULL;
	HfJson *array;

	*links_out = NULL;
	if (!json_object_object_get(object, "previous"))
		return true;
	if (!hf_json_get_array(object, "previous", &array, error))
		return false;
	if (json_object_array_length(array) > HF_LINKS_MAX)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"previous\" names more than %d sets",
				    HF_LINKS_MAX);
	links = hf_links_new();
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (!parse_link(json_object_array_get_idx(array, i), links, error))
			return false;
	*links_out = g_steal_pointer(&links);
	return true;
}
