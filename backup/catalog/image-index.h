/*
 * backup/catalog/image-index.h -- the index of a set's images: one line an object, in byte order of key, as
 * docs/format.md says.  It is written and read as a stream: memory does not grow with the number of objects.
 *
 * Every index is a full view of the bucket at one point in time; where an object's bytes lie may be in the archive of
 * an earlier set.  Lines are cut into pieces that are unpacked alone, so one key is found by one ranged read.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"

#define HF_SHA256_BYTES 32

typedef struct {
	const char *key;
	uint64_t bytes;
	const char *etag; /* of the source's store; NULL where it has none */
	int64_t modified_s;
	HfObjectMeta meta;
	const char *trouble; /* NULL, or why it could not be read: then nothing below is set */
	uint8_t sha256[HF_SHA256_BYTES];
	const char *
		path; /* its name in the tarball; NULL: the key itself (docs/format.md, "Names in the tarball") */
	/*
	 * Where the content lies: the manifest's archive of that number.  The entry there may be another object's with
	 * the same content; then the object's own name stands in archive named_in as a hard link.
	 */
	unsigned archive;
	unsigned named_in;
	uint64_t packed_offset; /* of the first member of the entry, through all parts of the archive */
	uint64_t packed_bytes;  /* of all members of the entry */
	uint64_t data_offset;   /* plain bytes of those members that come before the content (tar headers) */

	/* The line as it was read, without its end: written again as it stands.  NULL: made anew. */
	const char *line;
	size_t line_len;
} HfImage;

/* ---- writing ---- */

/* hf_image_index_add() turns images into lines and writes them into a chain. */
typedef struct HfImageIndexWriter HfImageIndexWriter;

/* into is borrowed: finishing or freeing it stays the caller's.  It must cut at marks (backup/stage/gzip.h). */
HfImageIndexWriter *hf_image_index_writer_new(HfStage *into, const char *set_id);
/* Keys must come in byte order; anything else is an assertion. */
bool hf_image_index_add(HfImageIndexWriter *writer, const HfImage *image,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Writes the closing line, without which a reader takes the index for cut. */
bool hf_image_index_end(HfImageIndexWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/*
 * After the chain was finished: where the pieces begin, of HfIndexPiece.  index is the record that it filled; each
 * piece became one member of it.
 */
GPtrArray *hf_image_index_pieces(const HfImageIndexWriter *writer, const HfArchive *index);
void hf_image_index_writer_free(HfImageIndexWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImageIndexWriter, hf_image_index_writer_free)

/* ---- reading: pulled, so that it can be merged with a listing ---- */

typedef struct HfImageIndexReader HfImageIndexReader;

/* Reads the set's stored index a piece at a time by ranged reads; checks sizes and digest as it goes.  Borrows both. */
HfImageIndexReader *hf_image_index_open(HfStore *store, const HfManifest *manifest);

/*
 * The next image, or NULL after the closing line.  Borrowed until the next call.  CORRUPT names the index and the
 * line: cut, damaged, out of order, or pointing outside.
 */
bool hf_image_index_next(HfImageIndexReader *reader, const HfImage **image_out,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_image_index_free(HfImageIndexReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImageIndexReader, hf_image_index_free)

/* ---- one of them ---- */

/* An image that owns what it points to. */
HfImage *hf_image_copy(const HfImage *image);
void hf_image_free(HfImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImage, hf_image_free)

/*
 * Finds one key without reading the rest: one ranged read of the index, and one of the list of pieces where the
 * manifest has none.  NOT_FOUND where the set has no such key.
 */
HfImage *hf_image_index_find(HfStore *store, const HfManifest *manifest, const char *key,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Writes the content of an image into the chain, which is left open, by one ranged read; its digest is checked.
 * CORRUPT names the object and the archive.  DENIED where the image has trouble.
 */
bool hf_image_read(HfStore *store, const HfManifest *manifest, const HfImage *image, HfStage *into,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;
