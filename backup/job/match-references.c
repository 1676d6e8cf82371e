#include "config.h"

#include "backup/job/match-references.h"
#include "backup/catalog/image-index.h"
#include "backup/catalog/names.h"
#include "backup/catalog/reference-list.h"
#include "backup/source/references.h"

#include <string.h>

typedef struct {
	HfSetWriter *writer;
	HfCompressionKind compression;
	HfReferencesRecord *record;
	HfReferences *named;
	HfImageIndexReader *stored;
	const char *key;      /* the next that a row names; NULL at the end */
	const HfImage *image; /* the next of the index; NULL at the end */
	HfStage *list;        /* NULL until something differs */
} Match;

static bool
note(Match *match, HfReferenceKind kind, const char *key, GError **error)
{
	const HfArchiveOptions options = {.extension = HF_EXT_REFERENCES,
					  .is_metadata = true,
					  .compression = {.kind = match->compression}};

	hf_references_record_add(match->record, kind, key);
	if (!match->list) {
		match->record->list = hf_archive_new(match->compression);
		match->list = hf_set_writer_archive(match->writer, HF_IMAGES_PREFIX, &options,
						    match->record->list, error);
	}
	return match->list && hf_reference_write(match->list, kind, key, error);
}

static bool
advance_named(Match *match, GError **error)
{
	if (!hf_references_next(match->named, &match->key, error))
		return false;
	if (match->key)
		match->record->named++;
	return true;
}

static bool
advance_stored(Match *match, GError **error)
{
	return hf_image_index_next(match->stored, &match->image, error);
}

/* An image that could not be read is in the index, but not in the set. */
static bool
match_pair(Match *match, GError **error)
{
	if (match->image->trouble && !note(match, HF_REFERENCE_MISSING, match->key, error))
		return false;
	return advance_named(match, error) && advance_stored(match, error);
}

static bool
go_on(Match *match, GError **error)
{
	int order = !match->key ? 1 : !match->image ? -1 : strcmp(match->key, match->image->key);

	if (order == 0)
		return match_pair(match, error);
	if (order < 0)
		return note(match, HF_REFERENCE_MISSING, match->key, error) && advance_named(match, error);
	if (!match->image->trouble && !note(match, HF_REFERENCE_UNNAMED, match->image->key, error))
		return false;
	return advance_stored(match, error);
}

static bool
match_all(Match *match, GError **error)
{
	if (!advance_named(match, error) || !advance_stored(match, error))
		return false;
	while (match->key || match->image)
		if (!go_on(match, error))
			return false;
	return !match->list || hf_stage_finish(match->list, error);
}

bool
hf_match_references(HfSetWriter *writer, HfStore *store, HfPostgres *postgres, const char *sql,
		    HfManifest *manifest, GError **error)
{
	g_autoptr(HfReferencesRecord) record = hf_references_record_new();
	g_autoptr(HfReferences) named = hf_references_open(postgres, sql, error);
	g_autoptr(HfImageIndexReader) stored = NULL;
	Match match = {.writer = writer, .record = record, .named = named};
	bool is_done;

	if (!named)
		return false;
	match.stored = stored = hf_image_index_open(store, manifest);
	match.compression = manifest->images->index->compression;
	is_done = match_all(&match, error);
	hf_stage_free(match.list);
	if (is_done)
		manifest->images->references = g_steal_pointer(&record);
	return is_done;
}
