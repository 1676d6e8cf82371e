#include "config.h"

#include "backup/store/s3-storing.h"
#include "common/clock.h"
#include "common/error.h"

#include <openssl/evp.h>
#include <string.h>

/* S3 User Guide, "Categorizing your storage using tags": per object, and characters of a name and a value. */
#define TAGS_MAX 10
#define TAG_NAME_MAX 128
#define TAG_VALUE_MAX 256
/* KMS API Reference, "KeyId" */
#define KEY_ID_BYTES_MAX 2048
#define SECONDS_A_DAY 86400

struct HfS3Storing {
	char *encryption, *kms_key_id, *storage_class;
	char *tagging;     /* as the header has it */
	char *tagging_xml; /* as a body has it */
	unsigned lock_days;
	char *lock_mode;
	HfKeepingFunc keeping;
};

/* ---- checking ---- */

static bool
check_word(const char *setting, const char *word, const char *const *allowed, GError **error)
{
	g_autofree char *list = g_strjoinv(", ", (char **)(uintptr_t)allowed);

	return !word || g_strv_contains(allowed, word) ||
	       hf_error_set(error, HF_ERROR_USAGE, "%s \"%s\": one of %s is wanted", setting, word, list);
}

static bool
check_key_id(const HfS3StoringOptions *options, GError **error)
{
	const char *id = options->kms_key_id;

	if (!id)
		return true;
	if (g_strcmp0(options->encryption, "aws:kms") != 0)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"S3_SSE_KMS_KEY_ID is set, and S3_SSE is not aws:kms: set that, or unset this");
	for (const char *c = id; *c; c++)
		if (!g_ascii_isgraph(*c))
			return hf_error_set(
				error, HF_ERROR_USAGE,
				"S3_SSE_KMS_KEY_ID: a key's id, ARN or alias is wanted, without blanks");
	return strlen(id) <= KEY_ID_BYTES_MAX ||
	       hf_error_set(error, HF_ERROR_USAGE, "S3_SSE_KMS_KEY_ID: at most %d letters are allowed",
			    KEY_ID_BYTES_MAX);
}

/* ---- tags ---- */

/* "Categorizing your storage using tags": letters, numbers and blanks of any language, and + - = . _ : / @ */
static bool
is_tag_text(const char *text)
{
	for (const char *c = text; *c; c += g_utf8_skip[(guchar)*c]) {
		gunichar letter = g_utf8_get_char(c);

		if (!g_unichar_isalnum(letter) && letter != ' ' &&
		    (letter > 127 || !strchr("+-=._:/@", (int)letter)))
			return false;
	}
	return true;
}

static bool
check_tag(const char *name, const char *value, GError **error)
{
	glong name_len = g_utf8_strlen(name, -1), value_len = g_utf8_strlen(value, -1);

	if (name_len < 1 || name_len > TAG_NAME_MAX || value_len > TAG_VALUE_MAX)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"S3_TAGS \"%.300s\": names of 1 to %d characters and values of up to %d are wanted",
			name, TAG_NAME_MAX, TAG_VALUE_MAX);
	if (!is_tag_text(name) || !is_tag_text(value))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "S3_TAGS \"%s\": letters, digits, blanks and + - = . _ : / @ are allowed",
				    name);
	return g_ascii_strncasecmp(name, "aws:", 4) != 0 ||
	       hf_error_set(error, HF_ERROR_USAGE, "S3_TAGS \"%s\": names that begin with aws: are Amazon's",
			    name);
}

static bool
add_tag(const char *pair, GHashTable *names, GString *tagging, GString *xml, GError **error)
{
	const char *equals = strchr(pair, '=');
	g_autofree char *name = equals ? g_strstrip(g_strndup(pair, (gsize)(equals - pair))) : NULL;
	g_autofree char *value = equals ? g_strstrip(g_strdup(equals + 1)) : NULL;
	g_autofree char *escaped_name = NULL, *escaped_value = NULL, *tag = NULL;

	if (!equals)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "S3_TAGS \"%.300s\": name=value is wanted, with commas between several",
				    pair);
	if (!check_tag(name, value, error))
		return false;
	if (!g_hash_table_add(names, g_strdup(name)))
		return hf_error_set(error, HF_ERROR_USAGE, "S3_TAGS \"%s\": the name comes twice", name);
	escaped_name = hf_s3_sign_escape(name, false);
	escaped_value = hf_s3_sign_escape(value, false);
	tag = g_markup_printf_escaped("<Tag><Key>%s</Key><Value>%s</Value></Tag>", name, value);
	g_string_append(xml, tag);
	g_string_append_printf(tagging, "%s%s=%s", tagging->len > 0 ? "&" : "", escaped_name, escaped_value);
	return true;
}

static bool
read_tags(HfS3Storing *storing, const char *text, GError **error)
{
	g_auto(GStrv) pairs = text ? g_strsplit(text, ",", -1) : NULL;
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GString) tagging = g_string_new(NULL);
	g_autoptr(GString) xml = g_string_new("<Tagging><TagSet>");

	if (!text)
		return true;
	if (!g_utf8_validate(text, -1, NULL))
		return hf_error_set(error, HF_ERROR_USAGE, "S3_TAGS is not UTF-8");
	if (g_strv_length(pairs) > TAGS_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "S3_TAGS: %u tags, and S3 takes %d at most",
				    g_strv_length(pairs), TAGS_MAX);
	for (char **pair = pairs; *pair; pair++)
		if (!add_tag(*pair, names, tagging, xml, error))
			return false;
	storing->tagging = g_string_free(g_steal_pointer(&tagging), FALSE);
	g_string_append(xml, "</TagSet></Tagging>");
	storing->tagging_xml = g_string_free(g_steal_pointer(&xml), FALSE);
	return true;
}

/* ---- the object ---- */

HfS3Storing *
hf_s3_storing_new(const HfS3StoringOptions *options, GError **error)
{
	static const char *const encryptions[] = {"AES256", "aws:kms", NULL};
	static const char *const classes[] = {
		"STANDARD",   "STANDARD_IA", "ONEZONE_IA",   "INTELLIGENT_TIERING",
		"GLACIER_IR", "GLACIER",     "DEEP_ARCHIVE", NULL};
	static const char *const modes[] = {"GOVERNANCE", "COMPLIANCE", NULL};
	g_autoptr(HfS3Storing) storing = g_new0(HfS3Storing, 1);

	if (!check_word("S3_SSE", options->encryption, encryptions, error) || !check_key_id(options, error) ||
	    !check_word("S3_STORAGE_CLASS", options->storage_class, classes, error) ||
	    !check_word("S3_OBJECT_LOCK_MODE", options->lock_mode, modes, error) ||
	    !read_tags(storing, options->tags, error))
		return NULL;
	storing->encryption = g_strdup(options->encryption);
	storing->kms_key_id = g_strdup(options->kms_key_id);
	storing->storage_class = g_strdup(options->storage_class);
	storing->lock_days = options->lock_days;
	storing->lock_mode = g_strdup(options->lock_mode ? options->lock_mode : modes[0]);
	storing->keeping = options->keeping;
	return g_steal_pointer(&storing);
}

HfS3Storing *
hf_s3_storing_copy(const HfS3Storing *storing)
{
	HfS3Storing *copy;

	if (!storing)
		return NULL;
	copy = g_new0(HfS3Storing, 1);
	copy->encryption = g_strdup(storing->encryption);
	copy->kms_key_id = g_strdup(storing->kms_key_id);
	copy->storage_class = g_strdup(storing->storage_class);
	copy->tagging = g_strdup(storing->tagging);
	copy->tagging_xml = g_strdup(storing->tagging_xml);
	copy->lock_days = storing->lock_days;
	copy->lock_mode = g_strdup(storing->lock_mode);
	copy->keeping = storing->keeping;
	return copy;
}

void
hf_s3_storing_free(HfS3Storing *storing)
{
	if (!storing)
		return;
	g_free(storing->encryption);
	g_free(storing->kms_key_id);
	g_free(storing->storage_class);
	g_free(storing->tagging);
	g_free(storing->tagging_xml);
	g_free(storing->lock_mode);
	g_free(storing);
}

/* ---- headers ---- */

static HfKeeping
keeping_of(const HfS3Storing *storing, const char *key)
{
	return storing && storing->keeping ? storing->keeping(key) : HF_KEEPING_LOOSE;
}

static void
add(GStringChunk *texts, GArray *headers, const char *name, const char *value)
{
	HfPair pair = {name, value ? g_string_chunk_insert(texts, value) : NULL};

	if (value)
		g_array_append_val(headers, pair);
}

void
hf_s3_storing_headers(const HfS3Storing *storing, const char *key, int64_t now_s, GStringChunk *texts,
		      GArray *headers)
{
	HfKeeping keeping = keeping_of(storing, key);
	g_autofree char *until = NULL;

	if (!storing)
		return;
	add(texts, headers, "x-amz-server-side-encryption", storing->encryption);
	add(texts, headers, "x-amz-server-side-encryption-aws-kms-key-id", storing->kms_key_id);
	add(texts, headers, "x-amz-tagging", storing->tagging);
	if (keeping == HF_KEEPING_BULK)
		add(texts, headers, "x-amz-storage-class", storing->storage_class);
	if (keeping == HF_KEEPING_LOOSE || storing->lock_days == 0)
		return;
	until = hf_clock_rfc3339(now_s + (int64_t)storing->lock_days * SECONDS_A_DAY);
	add(texts, headers, "x-amz-object-lock-mode", storing->lock_mode);
	add(texts, headers, "x-amz-object-lock-retain-until-date", until);
}

bool
hf_s3_storing_wants_md5(const HfS3Storing *storing, const char *key)
{
	return storing && storing->lock_days > 0 && keeping_of(storing, key) != HF_KEEPING_LOOSE;
}

char *
hf_s3_storing_retention_xml(const HfS3Storing *storing, const char *key, int64_t now_s)
{
	g_autofree char *until = NULL;

	if (!hf_s3_storing_wants_md5(storing, key))
		return NULL;
	until = hf_clock_rfc3339(now_s + (int64_t)storing->lock_days * SECONDS_A_DAY);
	return g_strdup_printf("<Retention><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
			       storing->lock_mode, until);
}

char *
hf_s3_storing_tagging_xml(const HfS3Storing *storing)
{
	return g_strdup(storing ? storing->tagging_xml : NULL);
}

char *
hf_s3_md5(const void *bytes, size_t len, GError **error)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;

	if (EVP_Digest(bytes ? bytes : "", len, digest, &digest_len, EVP_md5(), NULL) == 1)
		return g_base64_encode(digest, digest_len);
	hf_error_set(
		error, HF_ERROR_FAILED,
		"OpenSSL refuses MD5, which S3 wants for deletions and for locked objects: is FIPS mode on?");
	return NULL;
}
