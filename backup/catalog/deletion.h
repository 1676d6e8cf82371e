/*
 * backup/catalog/deletion.h -- the record that a set was deleted by one who may: backup_T.deleted.json, signed like a manifest.
 *
 * It is stored before the manifest goes.  A set that others name and that is neither there nor recorded was taken away; one that
 * is there and recorded was put back (chain.h).
 */
#pragma once

#include "backup/catalog/manifest.h"

typedef struct {
	char *id;
	char *sha256; /* of the manifest that the set had */
	GArray *previous; /* of HfLink: the sets before it, in place of those that were deleted the ones before these */
	int64_t at_s;
	char *host; /* NULL: not known */
	HfSigned is_signed;
} HfDeletion;

void hf_deletion_free(HfDeletion *deletion);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDeletion, hf_deletion_free)

/*
 * Records that set id, whose manifest is still there, is about to be deleted.  USAGE where signatures are checked and this host
 * has no key to sign with: the set would look as if somebody had taken it away.
 */
bool hf_deletion_record(HfStore *store, const char *id, int64_t now_s,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stores a record as it is; its signature first. */
bool hf_deletion_write(HfStore *store, const HfDeletion *deletion, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NOT_FOUND where there is none; CORRUPT also where its signature is wrong. */
HfDeletion *hf_deletion_read(HfStore *store, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The record parsed, without a look at its signature: what comes from a store is checked by the one above. */
HfDeletion *hf_deletion_parse(GBytes *json, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
