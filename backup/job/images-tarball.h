/*
 * backup/job/images-tarball.h -- the tarball of a set in its archive, and where its entries lie in the packed stream.
 *
 * The compressor works in threads, so an entry's place is settled some entries later.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/source/known.h"
#include "backup/source/tarball.h"
#include "backup/store/fetch.h"

typedef struct HfImagesTarball HfImagesTarball;

/* record as in hf_set_writer_archive(). */
HfImagesTarball *hf_images_tarball_new(HfSetWriter *writer, const HfArchiveOptions *options,
				       HfArchive *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An entry with its content; place is settled later. */
bool hf_images_tarball_add(HfImagesTarball *tarball, const HfTarEntry *entry, GBytes *content, HfPlace *place,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A hard link: entry->link. */
bool hf_images_tarball_link(HfImagesTarball *tarball, const HfTarEntry *entry,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * An entry whose content is read now, from what hf_fetch_next() has handed out; its digest goes to sha256_out.  Where
 * the object cannot be read to its end, the rest of the entry is zeros, and *trouble_out says why; that is no error.
 */
bool hf_images_tarball_stream(HfImagesTarball *tarball, const HfTarEntry *entry, HfFetch *fetch,
			      HfPlace *place, uint8_t *sha256_out, GError **trouble_out,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Settles the places of what has come out of the compressor by now. */
void hf_images_tarball_settle(HfImagesTarball *tarball);

/* Waits until all entries so far have come out of it. */
bool hf_images_tarball_drain(HfImagesTarball *tarball, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How long the packed stream is by now. */
uint64_t hf_images_tarball_packed_bytes(const HfImagesTarball *tarball);

/* Adds manifest.json, closes the tarball and stores the archive; all places are settled by the next settle. */
bool hf_images_tarball_finish(HfImagesTarball *tarball, const char *source,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_images_tarball_free(HfImagesTarball *tarball);
