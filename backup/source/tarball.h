/*
 * backup/source/tarball.h -- objects into a pax tarball (POSIX.1-2017 pax, "pax Interchange Format"), by libarchive.
 *
 * Each entry is one object under a name that stock tar extracts inside the target folder and nowhere else; content
 * type and the other metadata are pax attributes (SCHILY.xattr).  Behind each entry the stream is marked, so that a
 * compressing stage can begin a new member and an archive a new part there.
 */
#pragma once

#include "backup/stage/stage.h"
#include "backup/store/store.h"

typedef struct HfTarball HfTarball;

/* What an entry is made from. */
typedef struct {
	const char *key;
	const char *path; /* its name in the tarball: hf_tarball_path() */
	uint64_t bytes;
	int64_t modified_s;
	const HfObjectMeta *meta;
	/* NULL, or the path of an earlier entry whose content it shares: a hard link; bytes is then 0. */
	const char *link;
} HfTarEntry;

/*
 * The name under which a key is stored, or NULL where that is the key itself.  A key that tar could not extract safely
 * and as it is (empty parts, ".", "..", a leading or closing "/", a drive's letter, control characters, bytes that are not UTF-8, parts
 * over 255 bytes, our own names) or that has_ancestor says collides with another object that is its parent folder
 * ("a" and "a/b") gets an escaped one: docs/format.md, "Names in the tarball".  g_free() it.
 */
char *hf_tarball_path(const char *key, bool has_ancestor);

/* What escaped names begin with. */
#define HF_TARBALL_ESCAPED "_escaped/"

/* The key that is stored under path, or NULL where hf_tarball_path() makes no such path.  g_free() it. */
char *hf_tarball_key(const char *path);

/* into is borrowed: finishing or freeing it stays the caller's. */
HfTarball *hf_tarball_new(HfStage *into);

/*
 * One entry: begin, then exactly entry->bytes bytes by write, then end, which marks the stream.
 * *data_offset_out: plain bytes of the entry before its content.
 */
bool hf_tarball_begin(HfTarball *tarball, const HfTarEntry *entry, uint64_t *data_offset_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_tarball_write(HfTarball *tarball, const void *buf, size_t len,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_tarball_end(HfTarball *tarball, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the plain stream stands: the offset of the next entry. */
uint64_t hf_tarball_offset(const HfTarball *tarball);

/* Writes the end blocks.  The chain is then the caller's to finish. */
bool hf_tarball_close(HfTarball *tarball, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_tarball_free(HfTarball *tarball);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfTarball, hf_tarball_free)
