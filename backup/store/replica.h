/*
 * backup/store/replica.h -- the places of second copies, REPLICA_1_* to REPLICA_4_*, and opening a store by name.
 *
 * A replica is a store like any other: the same names, the same bytes, for which any command that reads works as well.
 * What is not set of a bucket's endpoint, region, keys and CA is as it is for the backups' own bucket.
 *
 * A replica that lies in the backups' place, in another replica's, or among the images is refused: it would be pruned by
 * rules of its own, or be backed up itself.
 */
#pragma once

#include "backup/store/store.h"
#include "common/settings.h"

/* "replica-1" to "replica-4".  Static. */
const char *hf_replica_name(unsigned number);

/* The number that "replica-1", or "1", names; USAGE where there is none, or its place is not set. */
bool hf_replica_parse(const HfSettings *settings, const char *name, unsigned *number_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Opens it, with the keyring of the settings.  USAGE names the setting that is wrong. */
HfStore *hf_replica_open(const HfSettings *settings, unsigned number,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The store of the settings where from is NULL, else the replica that it names. */
HfStore *hf_store_open_from(const HfSettings *settings, const char *from,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What stock tools need to reach a bucket; all of it borrowed from settings, and NULL where it is not set. */
typedef struct {
	const char *access_key;
	const HfSecret *secret_key, *session_token;
	const char *region;
	const char *ca_file;
} HfStoreAccess;

/* Of the store that hf_store_open_from() opens; from is a name that it takes. */
HfStoreAccess hf_store_access(const HfSettings *settings, const char *from);

/* The errors of a bucket name the settings of the backups' own; this makes them those of the replica. */
void hf_replica_name_settings(unsigned number, GError *error);
