/*
 * backup/source/objects.h -- what has become of the images since the last set: a live listing merged with the last
 * index and the last list of dead paths, all three in byte order of key, in constant memory.
 *
 * It decides under which path an object is stored (docs/format.md, "Names in the tarball"): it knows which keys are
 * folders of others.
 */
#pragma once

#include "backup/catalog/dead-paths.h"
#include "backup/catalog/image-index.h"

typedef enum {
	HF_OBJECT_UNCHANGED, /* last is set: its line is carried over */
	HF_OBJECT_ADDED,     /* object is set */
	HF_OBJECT_CHANGED,   /* object is set: to be read; also what could not be read by the last run */
	HF_OBJECT_MOVED, /* object and last are set: unchanged, but read again out of a worn archive's reach */
	HF_OBJECT_DELETED, /* last is set */
	HF_OBJECT_GONE,    /* neither: only its dead paths are still in earlier archives */
} HfObjectState;

/* All of it is borrowed until the next step. */
typedef struct {
	HfObjectState state;
	const char *key;
	const HfObject *object;
	const HfImage *last;
	char *path; /* ADDED, CHANGED, MOVED: under which it is to be stored; NULL: the key itself */
	/* What earlier archives hold under this key's paths, of HfDeadPaths: files that a restore of them brings. */
	unsigned stale;
} HfObjectStep;

typedef struct HfObjects HfObjects;

typedef struct {
	HfStore *source;
	const char *skip_prefix;  /* NULL, or keys that begin with it are passed over */
	HfImageIndexReader *last; /* NULL: a full run */
	HfDeadReader *dead;       /* NULL: there are none */
	/* NULL, or of unsigned: archives that the new set shall not refer to any more, most of what they hold is dead */
	const GArray *worn;
	bool is_unordered; /* the source is known to list out of order: sorted.h */
} HfObjectsOptions;

/* Borrows all. */
HfObjects *hf_objects_new(const HfObjectsOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next step, or NULL at the end of all. */
bool hf_objects_next(HfObjects *objects, const HfObjectStep **step_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The listing counts as ended after the last step, or where it failed: what the last index has behind it comes as
 * UNCHANGED from now on, since nothing is known of it.
 */
void hf_objects_cut(HfObjects *objects);

/* What would make a merge that failed succeed. */
typedef enum {
	HF_REMEDY_NONE,
	HF_REMEDY_FULL, /* a full run: the last index or its dead paths are damaged, or a name turned into a folder */
	HF_REMEDY_SORTED, /* is_unordered: the source does not list in byte order */
} HfRemedy;
HfRemedy hf_objects_remedy(const HfObjects *objects);

void hf_objects_free(HfObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfObjects, hf_objects_free)
