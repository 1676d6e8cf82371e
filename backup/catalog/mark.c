#include "config.h"

#include "backup/catalog/mark.h"
#include "backup/catalog/names.h"
#include "backup/catalog/private.h"
#include "backup/stage/sink.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* A thousand lines of some hundred bytes fit by far, in Base64, too. */
#define MARK_BYTES_MAX ((size_t)4 << 20)
#define ID "set"

static const char *const public_members[] = {"format",
					     "version",
					     ID,
					     "at",
					     "level",
					     "failed",
					     "drill",
					     "milliseconds",
					     "recover_milliseconds",
					     "tables",
					     "rows",
					     "objects",
					     "difference_count",
					     "reason_count",
					     "against",
					     NULL};

HfJson *
hf_mark_begin(const char *format, const char *id, int64_t now_s)
{
	HfJson *object = json_object_new_object();
	g_autofree char *at = hf_clock_rfc3339(now_s);

	hf_json_add_text(object, "format", format);
	hf_json_add_number(object, "version", 1);
	hf_json_add_text(object, ID, id);
	hf_json_add_text(object, "at", at);
	return object;
}

/* A set whose names are encrypted has an encrypted RESTORE.txt. */
static bool
is_of_hidden(HfStore *store, const char *id, bool *is_hidden_out, GError **error)
{
	g_autofree char *key = hf_name_restore_sealed(id);
	g_autoptr(HfListing) listing = hf_store_list(store, key, NULL, error);
	const HfObject *object;

	if (!listing || !hf_listing_next(listing, &object, error))
		return false;
	*is_hidden_out = object && strcmp(object->key, key) == 0;
	return true;
}

static bool
hide(HfStore *store, HfJson *object, const char *key, GError **error)
{
	const HfKeyring *keyring = hf_store_keyring(store);
	const char *id = json_object_get_string(json_object_object_get(object, ID));
	bool is_hidden = hf_keyring_hides_names(keyring);

	if (!is_hidden && !is_of_hidden(store, id, &is_hidden, error))
		return false;
	if (!is_hidden)
		return true;
	if (hf_keyring_recipients(keyring))
		return hf_private_hide(object, public_members, ID, keyring, error);
	if (hf_private_strip(object, public_members))
		g_warning("\"%s\" says less than it could: the set's names are encrypted, and "
			  "BACKUP_RECIPIENTS, which would encrypt them here as well, is not set",
			  key);
	return true;
}

bool
hf_mark_write(HfStore *store, const char *key, HfJson *object, GError **error)
{
	const HfObjectMeta meta = {.content_type = "text/plain; charset=utf-8"};
	g_autofree char *text = NULL;
	g_autoptr(HfStage) stage = NULL;

	if (!hide(store, object, key, error))
		return false;
	text = g_strconcat(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), "\n", NULL);
	stage = hf_store_write(store, key, &meta, error);
	return stage && hf_stage_write(stage, text, strlen(text), error) && hf_stage_finish(stage, error);
}

static HfJson *
read_object(HfStore *store, const char *key, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(MARK_BYTES_MAX);
	g_autoptr(GBytes) bytes = NULL;
	const char *text;
	gsize len;
	HfJson *object;

	if (!hf_store_read(store, key, HF_WHOLE, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	bytes = hf_sink_bytes_get(sink);
	text = g_bytes_get_data(bytes, &len);
	object = hf_json_parse(text ? text : "", len, error);
	if (!object)
		g_prefix_error(error, "\"%s\": ", key);
	return object;
}

HfJson *
hf_mark_read(HfStore *store, const char *key, const char *wanted, char **sealed_out, GError **error)
{
	g_autoptr(HfJson) object = read_object(store, key, error);
	const char *format;

	*sealed_out = NULL;
	if (!object)
		return NULL;
	if (!hf_json_get_text(object, "format", &format, error)) {
		g_prefix_error(error, "\"%s\": ", key);
		return NULL;
	}
	if (strcmp(format, wanted) != 0) {
		hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\": it is no %s", key, wanted);
		return NULL;
	}
	if (hf_private_reveal(object, ID, hf_store_keyring(store), sealed_out, error))
		return g_steal_pointer(&object);
	g_prefix_error(error, "\"%s\": ", key);
	return NULL;
}
