#include "config.h"

#include "backup/catalog/manifest-impl.h"
#include "backup/catalog/manifest-private.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host.h"
#include "common/json.h"

#include <string.h>

/* What encrypts the parts: backup/age/age.h. */
#define ENCRYPTION_NAME "age"
#define FORMAT_NAME "holdfast-set"
#define FORMAT_VERSION 1

HfManifest *
hf_manifest_new(const char *id)
{
	HfManifest *manifest = g_new0(HfManifest, 1);

	manifest->id = g_strdup(id);
	return manifest;
}

HfManifest *
hf_manifest_begin(const char *id, int64_t started_s)
{
	HfManifest *manifest = hf_manifest_new(id);

	manifest->started_s = started_s;
	manifest->host = g_strdup(hf_host_name());
	manifest->program = g_strdup(PACKAGE_STRING);
	manifest->metrics = hf_run_metrics_begin();
	return manifest;
}

/* What was read: archives of earlier sets cost nothing. */
static uint64_t
plain_bytes(const HfManifest *manifest)
{
	uint64_t bytes = manifest->database ? manifest->database->archive->plain_bytes : 0;

	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++) {
		const HfImageArchive *archive = manifest->images->archives->pdata[i];

		if (strcmp(archive->set_id, manifest->id) == 0)
			bytes += archive->archive->plain_bytes;
	}
	return bytes;
}

void
hf_manifest_end(HfManifest *manifest)
{
	manifest->finished_s = hf_clock_now_s();
	if (manifest->metrics)
		hf_run_metrics_end(manifest->metrics, plain_bytes(manifest));
}

void
hf_manifest_add_note(HfManifest *manifest, const char *note)
{
	g_autofree char *before = manifest->note;

	manifest->note = before ? g_strconcat(before, "; ", note, NULL) : g_strdup(note);
}

HfDatabaseRecord *
hf_database_record_new(void)
{
	return g_new0(HfDatabaseRecord, 1);
}

void
hf_database_record_free(HfDatabaseRecord *record)
{
	if (!record)
		return;
	g_free(record->name);
	g_free(record->server_version);
	g_free(record->dump_version);
	g_free(record->encoding);
	g_free(record->collate);
	g_free(record->ctype);
	hf_archive_free(record->archive);
	hf_archive_free(record->globals);
	g_free(record->globals_absent);
	hf_archive_free(record->index);
	g_free(record);
}

void
hf_manifest_free(HfManifest *manifest)
{
	if (!manifest)
		return;
	g_free(manifest->id);
	g_free(manifest->note);
	g_free(manifest->host);
	g_free(manifest->program);
	g_free(manifest->sealed);
	hf_database_record_free(manifest->database);
	hf_images_record_free(manifest->images);
	g_clear_pointer(&manifest->previous, g_array_unref);
	g_free(manifest->sha256);
	hf_run_metrics_free(manifest->metrics);
	if (manifest->alarms)
		g_ptr_array_unref(manifest->alarms);
	g_free(manifest->alarms_against);
	g_free(manifest);
}

static uint64_t
archive_bytes(const HfArchive *archive)
{
	return hf_archive_stored_bytes(archive);
}

uint64_t
hf_manifest_stored_bytes(const HfManifest *manifest)
{
	const HfDatabaseRecord *database = manifest->database;
	uint64_t bytes = manifest->images ? hf_images_record_stored_bytes(manifest->images, manifest->id) : 0;

	if (!database)
		return bytes;
	return bytes + archive_bytes(database->archive) + archive_bytes(database->globals) +
	       archive_bytes(database->index);
}

const char *
hf_manifest_kind(const HfManifest *manifest)
{
	if (!manifest->images)
		return "database";
	return manifest->database ? "full" : "images";
}

/* ---- out ---- */

static void
add_prologue(HfJson *item, const HfPart *part)
{
	g_autofree char *text = NULL;

	if (!part->prologue)
		return;
	text = g_base64_encode(g_bytes_get_data(part->prologue, NULL), g_bytes_get_size(part->prologue));
	hf_json_add_text(item, "prologue", text);
}

HfJson *
hf_archive_to_json(const HfArchive *archive)
{
	HfJson *object = json_object_new_object();
	HfJson *parts = json_object_new_array();

	hf_json_add_text(object, "compression", hf_compression_name(archive->compression));
	if (archive->is_encrypted)
		hf_json_add_text(object, "encryption", ENCRYPTION_NAME);
	hf_json_add_number(object, "plain_bytes", archive->plain_bytes);
	hf_json_add_number(object, "packed_bytes", archive->packed_bytes);
	for (guint i = 0; i < archive->parts->len; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "key", part->key);
		hf_json_add_number(item, "bytes", part->bytes);
		hf_json_add_text(item, "sha256", part->sha256);
		add_prologue(item, part);
		json_object_array_add(parts, item);
	}
	hf_json_add(object, "parts", parts);
	return object;
}

static HfJson *
database_to_json(const HfDatabaseRecord *database)
{
	HfJson *object = json_object_new_object();

	hf_json_add_bytes(object, "name", database->name);
	hf_json_add_text(object, "server_version", database->server_version);
	hf_json_add_text(object, "dump_version", database->dump_version);
	hf_json_add_text(object, "encoding", database->encoding);
	hf_json_add_bytes(object, "collate", database->collate);
	hf_json_add_bytes(object, "ctype", database->ctype);
	hf_json_add_number(object, "tables", database->tables);
	hf_json_add_number(object, "rows", database->rows);
	hf_json_add(object, "archive", hf_archive_to_json(database->archive));
	if (database->globals)
		hf_json_add(object, "globals", hf_archive_to_json(database->globals));
	hf_json_add_bytes(object, "globals_absent", database->globals_absent);
	hf_json_add(object, "index", hf_archive_to_json(database->index));
	return object;
}

static const char *
status_name(HfSetStatus status)
{
	switch (status) {
	case HF_SET_COMPLETE:
		return "complete";
	case HF_SET_PARTIAL:
		return "partial";
	}
	g_assert_not_reached();
}

GBytes *
hf_manifest_to_json(const HfManifest *manifest)
{
	g_autoptr(HfJson) object = json_object_new_object();
	g_autofree char *started = hf_clock_rfc3339(manifest->started_s);
	g_autofree char *finished = hf_clock_rfc3339(manifest->finished_s);
	char *text;

	hf_json_add_text(object, "format", FORMAT_NAME);
	hf_json_add_number(object, "version", FORMAT_VERSION);
	hf_json_add_text(object, "id", manifest->id);
	hf_json_add_text(object, "kind", hf_manifest_kind(manifest));
	hf_json_add_text(object, "status", status_name(manifest->status));
	hf_json_add_bytes(object, "note", manifest->note);
	hf_json_add_number(object, "level", 1);
	hf_json_add_text(object, "started", started);
	hf_json_add_text(object, "finished", finished);
	hf_json_add_bytes(object, "host", manifest->host);
	hf_json_add_text(object, "program", manifest->program);
	if (manifest->database)
		hf_json_add(object, "database", database_to_json(manifest->database));
	if (manifest->images)
		hf_json_add(object, "images", hf_images_record_to_json(manifest->images));
	hf_links_to_json(object, manifest->previous);
	if (manifest->metrics)
		hf_json_add(object, "metrics", hf_run_metrics_to_json(manifest->metrics));
	hf_manifest_strip_json(object, manifest);
	text = g_strconcat(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
									  JSON_C_TO_STRING_SPACED |
									  JSON_C_TO_STRING_NOSLASHESCAPE),
			   "\n", NULL);
	return g_bytes_new_take(text, strlen(text));
}

/* ---- in ---- */

bool
hf_is_sha256(const char *hex)
{
	return strlen(hex) == HF_SHA256_HEX_LEN && strspn(hex, "0123456789abcdef") == HF_SHA256_HEX_LEN;
}

static bool
parse_prologue(HfJson *item, HfArchive *archive, GError **error)
{
	const char *text;
	g_autoptr(GBytes) prologue = NULL;
	guchar *bytes;
	gsize len;

	if (!hf_json_get_text(item, "prologue", &text, error))
		return false;
	bytes = g_base64_decode(text, &len);
	prologue = g_bytes_new_take(bytes, len);
	return hf_archive_seal_part(archive, prologue, error);
}

static bool
parse_part(HfJson *item, const HfNaming *naming, HfArchive *archive, GError **error)
{
	g_autofree char *stem = hf_name_stem(naming->prefix, naming->id);
	g_autofree char *expected = hf_archive_part_key(archive, stem, naming->extension,
							archive->parts->len + 1);
	const char *key, *sha256;
	uint64_t bytes;

	if (!hf_json_get_text(item, "key", &key, error) ||
	    !hf_json_get_number(item, "bytes", &bytes, error) ||
	    !hf_json_get_text(item, "sha256", &sha256, error))
		return false;
	if (strcmp(key, expected) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "part \"%.200s\" is not an object of this set: \"%s\" belongs there", key,
				    expected);
	if (!hf_is_sha256(sha256))
		return hf_error_set(error, HF_ERROR_CORRUPT, "part \"%s\": its sha256 is not one", key);
	if (bytes > INT64_MAX - archive->packed_bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "part \"%s\": the archive's size is out of bounds", key);
	hf_archive_add_part(archive, key, bytes, sha256);
	return !archive->is_encrypted || parse_prologue(item, archive, error);
}

static bool
parse_parts(HfJson *object, const HfNaming *naming, HfArchive *archive, GError **error)
{
	HfJson *parts;
	uint64_t packed_bytes;

	if (!hf_json_get_array(object, "parts", &parts, error) ||
	    !hf_json_get_number(object, "packed_bytes", &packed_bytes, error))
		return false;
	for (size_t i = 0; i < json_object_array_length(parts); i++)
		if (!parse_part(json_object_array_get_idx(parts, i), naming, archive, error))
			return false;
	if (archive->parts->len == 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "an archive has no parts");
	return packed_bytes == archive->packed_bytes ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "the parts' sizes do not add up to packed_bytes");
}

HfArchive *
hf_archive_parse_json(HfJson *object, const HfNaming *naming, GError **error)
{
	g_autoptr(HfArchive) archive = hf_archive_new(HF_COMPRESSION_GZIP);
	const char *compression, *encryption;

	if (!hf_json_get_text(object, "compression", &compression, error) ||
	    !hf_json_get_number(object, "plain_bytes", &archive->plain_bytes, error))
		return NULL;
	if (!hf_compression_from_name(compression, &archive->compression)) {
		hf_error_set(error, HF_ERROR_CORRUPT, "compression \"%.40s\" is not known", compression);
		return NULL;
	}
	if (!hf_json_find_text(object, "encryption", &encryption, error))
		return NULL;
	archive->is_encrypted = encryption != NULL;
	if (encryption && strcmp(encryption, ENCRYPTION_NAME) != 0) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "encryption \"%.40s\" is not known: a newer holdfast is needed", encryption);
		return NULL;
	}
	return parse_parts(object, naming, archive, error) ? g_steal_pointer(&archive) : NULL;
}

bool
hf_archive_get_json(HfJson *object, const char *member, const HfNaming *naming, HfArchive **archive_out,
		    GError **error)
{
	HfJson *value;

	if (!hf_json_get_object(object, member, &value, error))
		return false;
	*archive_out = hf_archive_parse_json(value, naming, error);
	if (!*archive_out)
		g_prefix_error(error, "\"%s\": ", member);
	return *archive_out != NULL;
}

static bool
parse_globals(HfJson *object, const char *id, HfDatabaseRecord *database, GError **error)
{
	const HfNaming naming = {id, HF_DATABASE_PREFIX, HF_EXT_GLOBALS};
	HfJson *value;

	if (!hf_json_find_object(object, "globals", &value, error))
		return false;
	return value ? hf_archive_get_json(object, "globals", &naming, &database->globals, error)
		     : hf_json_get_bytes(object, "globals_absent", &database->globals_absent, error);
}

static bool
find_copy(HfJson *object, const char *name, char **copy_out, GError **error)
{
	const char *text;

	if (!hf_json_find_text(object, name, &text, error))
		return false;
	*copy_out = g_strdup(text);
	return true;
}

static bool
parse_database(HfJson *object, const char *id, HfDatabaseRecord *database, GError **error)
{
	const HfNaming dump = {id, HF_DATABASE_PREFIX, HF_EXT_DUMP};
	const HfNaming index = {id, HF_DATABASE_PREFIX, HF_EXT_INDEX};

	return hf_json_get_bytes(object, "name", &database->name, error) &&
	       find_copy(object, "server_version", &database->server_version, error) &&
	       find_copy(object, "dump_version", &database->dump_version, error) &&
	       find_copy(object, "encoding", &database->encoding, error) &&
	       hf_json_find_bytes(object, "collate", &database->collate, error) &&
	       hf_json_find_bytes(object, "ctype", &database->ctype, error) &&
	       hf_json_get_number(object, "tables", &database->tables, error) &&
	       hf_json_get_number(object, "rows", &database->rows, error) &&
	       hf_archive_get_json(object, "archive", &dump, &database->archive, error) &&
	       parse_globals(object, id, database, error) &&
	       hf_archive_get_json(object, "index", &index, &database->index, error);
}

/* The version first: what a newer one means by the rest is not known. */
static bool
check_head(HfJson *object, const char *id, GError **error)
{
	const char *format, *its_id;
	uint64_t version;

	if (!hf_json_get_text(object, "format", &format, error) ||
	    !hf_json_get_number(object, "version", &version, error))
		return false;
	if (strcmp(format, FORMAT_NAME) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "format \"%.40s\" is not \"" FORMAT_NAME "\"",
				    format);
	if (version > FORMAT_VERSION)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "version %" G_GUINT64_FORMAT
				    " is newer than this program reads (%d): install a newer holdfast, or "
				    "follow the set's RESTORE.txt",
				    version, FORMAT_VERSION);
	if (version != FORMAT_VERSION)
		return hf_error_set(error, HF_ERROR_CORRUPT, "version %" G_GUINT64_FORMAT " never was",
				    version);
	if (!hf_json_get_text(object, "id", &its_id, error))
		return false;
	return strcmp(its_id, id) == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "it is the manifest of set \"%.40s\"", its_id);
}

static bool
parse_status(HfJson *object, HfSetStatus *status_out, GError **error)
{
	const char *status;

	if (!hf_json_get_text(object, "status", &status, error))
		return false;
	for (int i = HF_SET_COMPLETE; i <= HF_SET_PARTIAL; i++)
		if (strcmp(status, status_name((HfSetStatus)i)) == 0) {
			*status_out = (HfSetStatus)i;
			return true;
		}
	return hf_error_set(error, HF_ERROR_CORRUPT, "status \"%.40s\" is not known", status);
}

static bool
parse_time(HfJson *object, const char *name, int64_t *time_out, GError **error)
{
	const char *text;

	if (!hf_json_get_text(object, name, &text, error))
		return false;
	return hf_clock_parse_rfc3339(text, time_out) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "member \"%s\" is not a time", name);
}

/* The database, the images, or both. */
static bool
parse_halves(HfJson *object, HfManifest *manifest, GError **error)
{
	HfJson *database, *images;

	if (!hf_json_find_object(object, "database", &database, error) ||
	    !hf_json_find_object(object, "images", &images, error))
		return false;
	if (!database && !images)
		return hf_error_set(error, HF_ERROR_CORRUPT, "it names neither a database nor images");
	if (database) {
		manifest->database = hf_database_record_new();
		if (!parse_database(database, manifest->id, manifest->database, error)) {
			g_prefix_error(error, "database: ");
			return false;
		}
	}
	if (images) {
		manifest->images = hf_images_record_new();
		if (!hf_images_record_parse(images, manifest->id, manifest->images, error)) {
			g_prefix_error(error, "images: ");
			return false;
		}
	}
	return true;
}

static bool
parse_metrics(HfJson *object, HfManifest *manifest, GError **error)
{
	HfJson *metrics;

	if (!hf_json_find_object(object, "metrics", &metrics, error))
		return false;
	if (!metrics)
		return true;
	manifest->metrics = hf_run_metrics_parse(metrics, error);
	if (!manifest->metrics)
		g_prefix_error(error, "metrics: ");
	return manifest->metrics != NULL;
}

static bool
parse_manifest(HfJson *object, HfKeyring *keyring, HfManifest *manifest, GError **error)
{
	return check_head(object, manifest->id, error) &&
	       hf_manifest_reveal(object, keyring, manifest, error) &&
	       parse_status(object, &manifest->status, error) &&
	       hf_json_find_bytes(object, "note", &manifest->note, error) &&
	       parse_time(object, "started", &manifest->started_s, error) &&
	       parse_time(object, "finished", &manifest->finished_s, error) &&
	       hf_json_find_bytes(object, "host", &manifest->host, error) &&
	       find_copy(object, "program", &manifest->program, error) &&
	       hf_links_parse(object, &manifest->previous, error) && parse_halves(object, manifest, error) &&
	       parse_metrics(object, manifest, error);
}

HfManifest *
hf_manifest_parse(GBytes *json, const char *id, HfKeyring *keyring, GError **error)
{
	g_autoptr(HfManifest) manifest = hf_manifest_new(id);
	gsize len;
	const char *text = g_bytes_get_data(json, &len);
	g_autoptr(HfJson) object = hf_json_parse(text ? text : "", len, error);

	if (object && parse_manifest(object, keyring, manifest, error)) {
		hf_manifest_blank(manifest);
		return g_steal_pointer(&manifest);
	}
	g_prefix_error(error, "manifest of set \"%s\": ", id);
	return NULL;
}
