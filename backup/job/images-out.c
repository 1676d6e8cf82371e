#include "config.h"

#include "backup/job/images-out.h"
#include "backup/catalog/names.h"
#include "backup/job/images-tarball.h"
#include "backup/job/images-view-out.h"
#include "backup/source/known.h"
#include "backup/source/tarball.h"
#include "common/error.h"

#include <string.h>

/* Keys that wait: some 4 MiB with lines of usual length. */
#define WAITING_MAX 4096

struct HfOutItem {
	GList link;
	char *key;
	char *path; /* NULL: the key */
	unsigned dead;
	HfImage *image; /* NULL: none is left */
	HfImage *last;  /* NULL, or what is carried over where it cannot be read */
	HfPlace *place; /* NULL: the image is carried over or has trouble */
	bool is_settled;
};

struct HfImagesOut {
	HfSetWriter *writer;
	const HfBackupImages *options;
	HfImagesRecord *record;
	unsigned own_number;
	HfImagesTarball *tarball; /* NULL until there is something to store */
	HfImagesViewOut *view;
	GQueue waiting; /* of HfOutItem, in order of key */
	HfKnown *known;
};

static unsigned
next_number(const HfImagesRecord *record)
{
	unsigned number = 0;

	for (guint i = 0; i < record->archives->len; i++) {
		const HfImageArchive *archive = g_ptr_array_index(record->archives, i);

		number = MAX(number, archive->number + 1);
	}
	return number;
}

HfImagesOut *
hf_images_out_new(HfSetWriter *writer, HfStore *store, const HfBackupImages *options, HfImagesRecord *record,
		  GError **error)
{
	g_autoptr(HfImagesOut) out = g_new0(HfImagesOut, 1);

	out->writer = writer;
	out->options = options;
	out->record = record;
	out->own_number = next_number(record);
	out->known = hf_known_new();
	g_queue_init(&out->waiting);
	out->view = hf_images_view_out_new(writer, store, options->compression.kind, record, error);
	return out->view ? g_steal_pointer(&out) : NULL;
}

static void
item_free(HfOutItem *item)
{
	g_free(item->key);
	g_free(item->path);
	hf_image_free(item->image);
	hf_image_free(item->last);
	hf_place_unref(item->place);
	g_free(item);
}

void
hf_images_out_free(HfImagesOut *out)
{
	if (!out)
		return;
	hf_images_tarball_free(out->tarball);
	hf_images_view_out_free(out->view);
	for (GList *link; (link = g_queue_pop_head_link(&out->waiting));)
		item_free(link->data);
	hf_known_free(out->known);
	g_free(out);
}

/* ---- leaving ---- */

static void
take_place(HfImage *image, const HfPlace *place, unsigned own_number)
{
	image->archive = place->archive;
	image->named_in = own_number;
	image->packed_offset = place->packed_offset;
	image->packed_bytes = place->packed_bytes;
	image->data_offset = place->data_offset;
}

/* Lets those out that wait for nothing any more. */
static bool
let_out(HfImagesOut *out, GError **error)
{
	if (out->tarball)
		hf_images_tarball_settle(out->tarball);
	for (;;) {
		HfOutItem *item = g_queue_peek_head(&out->waiting);

		if (!item || !item->is_settled || (item->place && !item->place->is_settled))
			return true;
		if (item->place)
			take_place(item->image, item->place, out->own_number);
		if ((item->image && !hf_images_view_out_write(out->view, item->image, error)) ||
		    !hf_images_view_out_bury(out->view, item->key, item->dead, error))
			return false;
		g_queue_unlink(&out->waiting, &item->link);
		item_free(item);
	}
}

bool
hf_images_out_is_crowded(const HfImagesOut *out)
{
	return out->waiting.length >= WAITING_MAX;
}

bool
hf_images_out_drain(HfImagesOut *out, GError **error)
{
	if (out->tarball && !hf_images_tarball_drain(out->tarball, error))
		return false;
	return let_out(out, error);
}

/* ---- coming ---- */

static HfOutItem *
queue(HfImagesOut *out, const char *key, const char *path, unsigned dead)
{
	HfOutItem *item = g_new0(HfOutItem, 1);

	item->link.data = item;
	item->key = g_strdup(key);
	item->path = g_strdup(path);
	item->dead = dead;
	g_queue_push_tail_link(&out->waiting, &item->link);
	return item;
}

static const char *
name_of(const HfImage *image)
{
	return image->path ? image->path : image->key;
}

/* A later image of the same content becomes a link to this one, which nothing overwrites in this set. */
static void
remember_carried(HfImagesOut *out, const HfImage *image)
{
	g_autoptr(HfPlace) place = NULL;

	if (image->trouble || image->bytes == 0)
		return;
	place = hf_place_new(image->archive);
	place->named_in = image->named_in;
	place->packed_offset = image->packed_offset;
	place->packed_bytes = image->packed_bytes;
	place->data_offset = image->data_offset;
	place->is_settled = true;
	hf_known_add(out->known, image->sha256, image->bytes, name_of(image), place);
}

bool
hf_images_out_carry(HfImagesOut *out, const HfImage *image, unsigned dead, GError **error)
{
	HfOutItem *item;

	remember_carried(out, image);
	if (out->waiting.length == 0)
		return hf_images_view_out_write(out->view, image, error) &&
		       hf_images_view_out_bury(out->view, image->key, dead, error);
	item = queue(out, image->key, NULL, dead);
	item->image = hf_image_copy(image);
	item->is_settled = true;
	return true;
}

bool
hf_images_out_bury(HfImagesOut *out, const char *key, unsigned dead, GError **error)
{
	if (out->waiting.length == 0)
		return hf_images_view_out_bury(out->view, key, dead, error);
	queue(out, key, NULL, dead)->is_settled = true;
	return true;
}

HfOutItem *
hf_images_out_reserve(HfImagesOut *out, const HfObject *object, const char *path, unsigned stale)
{
	HfOutItem *item = queue(out, object->key, path, stale);
	const HfImage as_listed = {.key = object->key,
				   .bytes = object->bytes,
				   .etag = object->etag,
				   .modified_s = object->modified_s};

	item->image = hf_image_copy(&as_listed);
	return item;
}

/* ---- settling ---- */

static bool
open_tarball(HfImagesOut *out, GError **error)
{
	const HfArchiveOptions options = {.extension = HF_EXT_TARBALL,
					  .compression = out->options->compression,
					  .archive_bytes = out->options->archive_bytes,
					  .cuts_at_marks = true};
	HfImageArchive *archive;

	if (out->tarball)
		return true;
	archive = hf_images_record_add_archive(out->record, out->own_number, hf_set_writer_id(out->writer));
	archive->archive = hf_archive_new(options.compression.kind);
	out->tarball = hf_images_tarball_new(out->writer, &options, archive->archive, error);
	return out->tarball != NULL;
}

static HfTarEntry
entry_of(const HfOutItem *item)
{
	return (HfTarEntry){
		.key = item->key,
		.path = item->path ? item->path : item->key,
		.bytes = item->image->bytes,
		.modified_s = item->image->modified_s,
		.meta = &item->image->meta,
	};
}

static unsigned
path_flag(const HfOutItem *item)
{
	return item->path ? HF_DEAD_ESCAPED : HF_DEAD_PLAIN;
}

static bool
begin_settling(HfImagesOut *out, HfOutItem *item, const HfImage *image, GError **error)
{
	hf_image_free(item->image);
	item->image = hf_image_copy(image);
	item->image->path = g_strdup(item->path);
	item->is_settled = true;
	return open_tarball(out, error);
}

static void
note_link(HfImagesOut *out, const HfPlace *place)
{
	HfImageArchive *own = hf_images_record_archive(out->record, out->own_number);

	own->links_from = MIN(own->links_from, MIN(place->archive, place->named_in));
}

bool
hf_images_out_store(HfImagesOut *out, HfOutItem *item, const HfImage *image, GBytes *content, GError **error)
{
	HfPlace *known = NULL;
	const char *known_path;
	HfTarEntry entry;

	if (!begin_settling(out, item, image, error))
		return false;
	if (image->bytes > 0)
		known = hf_known_find(out->known, image->sha256, image->bytes, &known_path);
	entry = entry_of(item);
	item->dead &= ~path_flag(item);
	if (known) {
		note_link(out, known);
		item->place = hf_place_ref(known);
		entry.link = known_path;
		entry.bytes = 0;
		return hf_images_tarball_link(out->tarball, &entry, error) && let_out(out, error);
	}
	item->place = hf_place_new(out->own_number);
	if (!hf_images_tarball_add(out->tarball, &entry, content, item->place, error))
		return false;
	if (image->bytes > 0)
		hf_known_add(out->known, image->sha256, image->bytes, entry.path, item->place);
	return let_out(out, error);
}

static void
set_trouble(HfOutItem *item, const char *reason)
{
	const HfImage troubled = {.key = item->key,
				  .bytes = item->image->bytes,
				  .etag = item->image->etag,
				  .modified_s = item->image->modified_s,
				  .trouble = reason};
	HfImage *copy = hf_image_copy(&troubled);

	hf_image_free(item->image);
	item->image = copy;
	item->is_settled = true;
}

bool
hf_images_out_stream(HfImagesOut *out, HfOutItem *item, const HfImage *image, HfFetch *fetch, GError **error)
{
	g_autoptr(HfPlace) place = hf_place_new(out->own_number);
	g_autoptr(GError) trouble = NULL;
	HfTarEntry entry;

	if (!begin_settling(out, item, image, error))
		return false;
	entry = entry_of(item);
	if (!hf_images_tarball_stream(out->tarball, &entry, fetch, place, item->image->sha256, &trouble,
				      error))
		return false;
	if (trouble) {
		/* A name without its content lies in the archive now. */
		item->dead |= path_flag(item);
		set_trouble(item, trouble->message);
		return let_out(out, error);
	}
	item->dead &= ~path_flag(item);
	item->place = g_steal_pointer(&place);
	return let_out(out, error);
}

void
hf_images_out_fall_back(HfOutItem *item, const HfImage *last)
{
	item->last = hf_image_copy(last);
}

/* As if it had been carried over in the first place. */
static void
carry_last(HfOutItem *item)
{
	hf_image_free(item->image);
	item->image = g_steal_pointer(&item->last);
	item->dead &= ~(unsigned)(item->image->path ? HF_DEAD_ESCAPED : HF_DEAD_PLAIN);
	item->is_settled = true;
}

bool
hf_images_out_trouble(HfImagesOut *out, HfOutItem *item, const char *reason, GError **error)
{
	if (item->last)
		carry_last(item);
	else
		set_trouble(item, reason);
	return let_out(out, error);
}

/* ---- the end ---- */

bool
hf_images_out_has_part(const HfImagesOut *out)
{
	uint64_t part_bytes = out->options->archive_bytes ? out->options->archive_bytes
							  : HF_ARCHIVE_BYTES_DEFAULT;

	return out->tarball && hf_images_tarball_packed_bytes(out->tarball) > part_bytes;
}

static bool
finish_tarball(HfImagesOut *out, GError **error)
{
	return !out->tarball || hf_images_tarball_finish(out->tarball, out->record->source, error);
}

/*
 * Nothing of the view lies in them, and no hard link of a newer one leads to them or further back: the set can do
 * without.  The own one stays, since the set stored it.
 */
static void
drop_dead_archives(HfImagesOut *out)
{
	GPtrArray *archives = out->record->archives;
	unsigned needed_from = UINT_MAX;

	for (guint i = archives->len; i > 0; i--) {
		const HfImageArchive *archive = g_ptr_array_index(archives, i - 1);

		if (archive->live_objects == 0 && archive->number != out->own_number &&
		    archive->number < needed_from)
			g_ptr_array_remove_index(archives, i - 1);
		else
			needed_from = MIN(needed_from, archive->links_from);
	}
}

bool
hf_images_out_finish(HfImagesOut *out, GError **error)
{
	if (!finish_tarball(out, error) || !let_out(out, error))
		return false;
	g_assert(out->waiting.length == 0);
	if (!hf_images_view_out_finish(out->view, error))
		return false;
	drop_dead_archives(out);
	return true;
}
