#include "config.h"

#include "backup/catalog/signed.h"
#include "backup/age/keyring.h"
#include "backup/sign/minisign.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

#define FILE_FIELD "file:"

const char *
hf_signed_word(HfSigned is_signed)
{
	switch (is_signed) {
	case HF_SIGNED_UNCHECKED:
		return "unchecked";
	case HF_SIGNED_NO:
		return "no";
	case HF_SIGNED_YES:
		return "yes";
	case HF_SIGNED_BAD:
		return "bad";
	}
	g_assert_not_reached();
}

/* As minisign itself writes it, so that what it signed by hand counts as well. */
bool
hf_signed_write(HfStore *store, const char *key, GBytes *bytes, int64_t now_s, GError **error)
{
	static const HfObjectMeta meta = {.content_type = "text/plain; charset=utf-8"};
	const HfSignKey *signing = hf_keyring_signing_key(hf_store_keyring(store));
	g_autofree char *name = g_strconcat(key, HF_MINISIGN_SUFFIX, NULL);
	g_autofree char *comment = g_strdup_printf("timestamp:%" G_GINT64_FORMAT "\t" FILE_FIELD "%s\thashed",
						   now_s, key);
	g_autoptr(GBytes) signature = NULL;
	g_autoptr(HfStage) stage = NULL;

	if (!signing)
		return true;
	signature = hf_minisign_sign(signing, bytes, comment, error);
	stage = signature ? hf_store_write(store, name, &meta, error) : NULL;
	return stage &&
	       hf_stage_write(stage, g_bytes_get_data(signature, NULL), g_bytes_get_size(signature), error) &&
	       hf_stage_finish(stage, error);
}

/* Fields are set apart by tabs. */
static bool
names_key(const char *comment, const char *key)
{
	g_auto(GStrv) fields = g_strsplit(comment, "\t", -1);

	for (char **field = fields; *field; field++)
		if (g_str_has_prefix(*field, FILE_FIELD) && strcmp(*field + strlen(FILE_FIELD), key) == 0)
			return true;
	return false;
}

/* *signature_out is NULL where there is none; one that is too long is CORRUPT. */
static bool
read_signature(HfStore *store, const char *name, GBytes **signature_out, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(HF_MINISIGN_BYTES_MAX);
	g_autoptr(GError) trouble = NULL;

	*signature_out = NULL;
	if (hf_store_read(store, name, HF_WHOLE, sink, &trouble) && hf_stage_finish(sink, &trouble)) {
		*signature_out = hf_sink_bytes_get(sink);
		return true;
	}
	if (hf_error_is(trouble, HF_ERROR_NOT_FOUND))
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

static bool
check(HfStore *store, const char *key, GBytes *bytes, HfSigned *signed_out, GError **error)
{
	const GArray *trusted = hf_keyring_trusted(hf_store_keyring(store));
	g_autofree char *name = g_strconcat(key, HF_MINISIGN_SUFFIX, NULL);
	g_autoptr(GBytes) signature = NULL;
	g_autofree char *comment = NULL;

	*signed_out = HF_SIGNED_BAD;
	if (!read_signature(store, name, &signature, error))
		return false;
	if (!signature) {
		*signed_out = HF_SIGNED_NO;
		return true;
	}
	if (!hf_minisign_verify(trusted, signature, bytes, &comment, error))
		return false;
	if (!names_key(comment, key))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the signature is of another file: its trusted comment does not say "
				    "\"" FILE_FIELD "%s\"",
				    key);
	*signed_out = HF_SIGNED_YES;
	return true;
}

bool
hf_signed_check(HfStore *store, const char *key, GBytes *bytes, HfSigned *signed_out, GError **error)
{
	const HfKeyring *keyring = hf_store_keyring(store);
	g_autoptr(GError) trouble = NULL;

	*signed_out = HF_SIGNED_UNCHECKED;
	if (!hf_keyring_trusted(keyring) || check(store, key, bytes, signed_out, &trouble))
		return true;
	if (!hf_error_is(trouble, HF_ERROR_CORRUPT) || !hf_keyring_bypasses_signatures(keyring)) {
		g_propagate_prefixed_error(error, g_steal_pointer(&trouble),
					   "\"%s" HF_MINISIGN_SUFFIX "\": ", key);
		return false;
	}
	g_warning("going on although \"%s" HF_MINISIGN_SUFFIX "\" is wrong: %s", key, trouble->message);
	return true;
}
