/*
 * backup/store/meta.h -- an HfObjectMeta that owns what it holds, and the names of its fields outside.
 *
 * A bucket keeps them as headers.  A folder keeps them as extended attributes where its file system has these:
 * user.mime_type is the freedesktop convention ("Shared MIME-info Database", section "Storing the MIME type using
 * Extended Attributes"), the others are ours.
 */
#pragma once

#include "backup/store/store.h"

typedef enum {
	HF_META_TYPE,
	HF_META_CACHE,
	HF_META_DISPOSITION,
	HF_META_ENCODING,
	HF_META_FIELDS,
} HfMetaField;

/* Before the name of each member of HfObjectMeta.user. */
#define HF_META_USER_HEADER "x-amz-meta-"
#define HF_META_USER_ATTRIBUTE "user.holdfast.meta."

/* "content-type", "user.mime_type" and so on. */
const char *hf_meta_header(HfMetaField field);
const char *hf_meta_attribute(HfMetaField field);

/* NULL where it is not set.  Borrowed. */
const char *hf_meta_get(const HfObjectMeta *meta, HfMetaField field);

/* Zeroed, it is empty. */
typedef struct {
	HfObjectMeta view; /* borrows from the rest */
	char *fields[HF_META_FIELDS];
} HfMeta;

/* Both take value; name is copied. */
void hf_meta_set(HfMeta *meta, HfMetaField field, char *value);
void hf_meta_add_user(HfMeta *meta, const char *name, char *value);

void hf_meta_clear(HfMeta *meta);
