/*
 * backup/source/known.h -- contents that an archive of the set has already, so that they are not stored again.
 *
 * A table of fixed size: a newer content takes an older one's place, so what it does not find may still be stored
 * twice, which costs space and nothing else.  Only a content of the same SHA-256 and length counts as the same.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Where a content lies; shared by all images that have it.  It is known where the entry begins once the compressor is
 * through with it: is_settled.
 */
typedef struct {
	unsigned references;
	unsigned archive;
	unsigned named_in; /* the archive that holds the name of a file with this content */
	bool is_settled;
	uint64_t packed_offset, packed_bytes, data_offset;
} HfPlace;

HfPlace *hf_place_new(unsigned archive);
HfPlace *hf_place_ref(HfPlace *place);
void hf_place_unref(HfPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPlace, hf_place_unref)

typedef struct HfKnown HfKnown;

HfKnown *hf_known_new(void);
/* path: the name of a file with this content that is there when the archives have been extracted up to now. */
void hf_known_add(HfKnown *known, const uint8_t sha256[32], uint64_t bytes, const char *path, HfPlace *place);
/* The place, borrowed until the next add, or NULL; *path_out is borrowed, too. */
HfPlace *hf_known_find(const HfKnown *known, const uint8_t sha256[32], uint64_t bytes, const char **path_out);
void hf_known_free(HfKnown *known);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfKnown, hf_known_free)
