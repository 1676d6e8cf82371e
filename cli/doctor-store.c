#include "config.h"

#include "backup/catalog/prune.h"
#include "backup/job/lease-keeper.h"
#include "backup/stage/sink.h"
#include "backup/store/open.h"
#include "backup/store/s3-credentials.h"
#include "cli/doctor.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>
#include <sys/statvfs.h>

#define STALE_AFTER_S (INT64_C(48) * 3600)
#define PROBE_BYTES 64
/* S3 refuses what is signed more than 15 minutes off (API Reference, "RequestTimeTooSkewed"); a host that keeps its time
 * is never off by one. */
#define CLOCK_OFF_S 60

/* Whether what was stored is what is read; the caller removes it whatever comes of it. */
static bool
probe_there_and_back(HfStore *store, const char *key, GError **error)
{
	static const char text[PROBE_BYTES] = "holdfast doctor wrote this; it may be removed";
	g_autoptr(HfStage) out = hf_store_write(store, key, NULL, error);
	g_autoptr(HfStage) in = hf_sink_bytes_new(PROBE_BYTES);
	g_autoptr(GBytes) read = NULL;

	if (!out || !hf_stage_write(out, text, sizeof text, error) || !hf_stage_finish(out, error))
		return false;
	if (!hf_store_read(store, key, HF_WHOLE, in, error) || !hf_stage_finish(in, error))
		return false;
	read = hf_sink_bytes_get(in);
	if (g_bytes_get_size(read) != sizeof text ||
	    memcmp(g_bytes_get_data(read, NULL), text, sizeof text) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" does not read as it was written", key);
	return true;
}

static bool
probe_is_listed(HfStore *store, const char *key, int64_t *modified_s_out, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, key, NULL, error);
	const HfObject *object;

	if (!listing || !hf_listing_next(listing, &object, error))
		return false;
	if (!object || strcmp(object->key, key) != 0)
		return hf_error_set(error, HF_ERROR_FAILED, "\"%s\" was written but is not listed", key);
	*modified_s_out = object->modified_s;
	return true;
}

/* The key is none of a backup's names (docs/format.md), and of nobody else's.  *modified_s_out: by the store's clock. */
static bool
probe(HfStore *store, int64_t *modified_s_out, GError **error)
{
	g_autofree char *key = g_strdup_printf("holdfast_doctor_%08x%08x.probe", g_random_int(),
					       g_random_int());
	const char *const keys[] = {key, NULL};
	g_autoptr(GError) cause = NULL;
	g_autoptr(GError) removal = NULL;
	bool ok = probe_there_and_back(store, key, &cause) &&
		  probe_is_listed(store, key, modified_s_out, &cause);

	if (!hf_store_remove(store, keys, &removal) && ok) {
		g_propagate_prefixed_error(error, g_steal_pointer(&removal), "\"%s\" is left over: ", key);
		return false;
	}
	if (cause)
		g_propagate_error(error, g_steal_pointer(&cause));
	return ok;
}

/* The probe has just been written: its time by the store's clock is now. */
static void
check_clock(HfDoctor *doctor, int64_t modified_s)
{
	int64_t ahead_s = modified_s - hf_clock_now_s();
	g_autofree char *off = hf_text_duration((double)ABS(ahead_s));

	if (ABS(ahead_s) < CLOCK_OFF_S)
		hf_doctor_report(doctor, HF_MARK_OK, "clock", "agrees with the store's");
	else
		hf_doctor_report(doctor, HF_MARK_WARN, "clock",
				 "this host's is %s %s the store's: set it (timedatectl set-ntp true)", off,
				 ahead_s > 0 ? "behind" : "ahead of");
}

static bool
check_probe(HfDoctor *doctor, HfStore *store)
{
	g_autoptr(GError) error = NULL;
	int64_t modified_s = 0;
	bool works = probe(store, &modified_s, &error);

	if (works && hf_store_settings_bucket(doctor->cli->settings))
		check_clock(doctor, modified_s);
	if (works)
		hf_doctor_report(doctor, HF_MARK_OK, "store", "%s: write, read, list and remove work",
				 hf_store_location(store));
	else
		hf_doctor_report(doctor, HF_MARK_FAIL, "store", "%s: %s", hf_store_location(store),
				 error->message);
	return works;
}

/* Whether several hosts can be kept out of each other's way in this store. */
static void
check_leases(HfDoctor *doctor, HfStore *store)
{
	g_autofree char *key = g_strdup_printf("holdfast_probe_%08x%08x.probe", g_random_int(),
					       g_random_int());
	g_autoptr(GError) error = NULL;
	HfConditions found = {false, false};
	HfLeaseMode mode;

	if (!hf_lease_mode(doctor->cli->settings, &mode, &error))
		doctor->has_wrong_settings = true;
	else if (mode == HF_LEASES_OFF)
		return;
	else if (hf_store_probe(store, key, &found, &error) && found.has_create && found.has_replace) {
		hf_doctor_report(doctor, HF_MARK_OK, "leases",
				 "the store heeds conditional writes: several hosts may share it");
		return;
	}
	if (error)
		hf_doctor_report(doctor, HF_MARK_FAIL, "leases", "%s", error->message);
	else
		hf_doctor_report(
			doctor, mode == HF_LEASES_REQUIRED ? HF_MARK_FAIL : HF_MARK_WARN, "leases",
			"the store does not heed conditional writes (%s): let only one host back up into it, "
			"and set LEASES=off",
			found.has_create ? "If-Match" : "If-None-Match");
}

static void
check_credentials(HfDoctor *doctor)
{
	const HfSettings *settings = doctor->cli->settings;
	g_autoptr(GError) error = NULL;
	HfCredentials *found;
	HfAccessKey key;

	if (hf_settings_text(settings, HF_SET_AWS_ACCESS_KEY_ID)) {
		hf_doctor_report(doctor, HF_MARK_OK, "credentials", "access key %s, from %s",
				 hf_settings_text(settings, HF_SET_AWS_ACCESS_KEY_ID),
				 hf_settings_origin(settings, HF_SET_AWS_ACCESS_KEY_ID));
		return;
	}
	found = hf_store_settings_credentials(settings, &error);
	if (found && hf_credentials_get(found, &key, &error))
		hf_doctor_report(doctor, HF_MARK_OK, "credentials", "access key %s, from %s", key.access_key,
				 hf_settings_text(settings, HF_SET_AWS_ROLE_ARN)
					 ? "AWS_ROLE_ARN by its web identity"
					 : "the container or the instance");
	else
		hf_doctor_report(doctor, HF_MARK_FAIL, "credentials", "%s", error->message);
	hf_credentials_free(found);
}

/* What becomes of what is deleted; a bucket that keeps versions for ever grows for ever. */
static void
check_upkeep(HfDoctor *doctor, HfStore *store)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	HfUpkeep upkeep;

	if (!hf_store_upkeep(store, &upkeep, &error)) {
		hf_doctor_report(doctor, HF_MARK_WARN, "versions", "%s", error->message);
		return;
	}
	text = hf_prune_upkeep_to_text(&upkeep);
	if (text)
		hf_doctor_report(
			doctor, upkeep.is_expiry_known && upkeep.expiry_days == 0 ? HF_MARK_WARN : HF_MARK_OK,
			"versions", "%s", text);
	if (!upkeep.has_lock && hf_settings_number(doctor->cli->settings, HF_SET_S3_OBJECT_LOCK_DAYS) > 0)
		hf_doctor_report(doctor, HF_MARK_WARN, "object lock",
				 "S3_OBJECT_LOCK_DAYS is set, and the bucket does not say that Object Lock "
				 "is on: backups will "
				 "fail where it is not");
	if (upkeep.has_lock)
		hf_doctor_report(doctor, HF_MARK_OK, "object lock",
				 "on: \"holdfast prune\" leaves a set in its place until its lock ends");
}

/* The newest set that is whole and ours, or NULL. */
static const HfSet *
last_good(const GPtrArray *sets)
{
	for (guint i = sets->len; i > 0; i--) {
		const HfSet *set = sets->pdata[i - 1];

		if (!set->is_damaged && !set->is_adopted && set->status == HF_SET_COMPLETE)
			return set;
	}
	return NULL;
}

static void
check_last_good(HfDoctor *doctor, const GPtrArray *sets, const HfSet *good)
{
	g_autofree char *age = NULL;
	bool is_stale;
	unsigned damaged = 0;

	for (guint i = 0; i < sets->len; i++)
		damaged += ((const HfSet *)sets->pdata[i])->is_damaged;
	if (damaged > 0)
		hf_doctor_report(doctor, HF_MARK_WARN, "sets",
				 "%u of %u are damaged: \"holdfast list\" says which", damaged, sets->len);
	if (!good) {
		hf_doctor_report(doctor, HF_MARK_WARN, "last good",
				 "there is none yet: \"holdfast backup database\" makes the first");
		return;
	}
	age = hf_text_age(good->started_s, hf_clock_now_s());
	is_stale = hf_clock_now_s() - good->started_s > STALE_AFTER_S;
	hf_doctor_report(doctor, is_stale ? HF_MARK_WARN : HF_MARK_OK, "last good", "%s, %s%s, level %d %s%s",
			 good->id, age, hf_clock_now_s() - good->started_s >= 60 ? " old" : "", good->level,
			 hf_text_level(good->level), is_stale ? ": do the nightly backups run?" : "");
}

/* Twice what the last set took: the next one must fit beside it and grow. */
static void
check_free_space(HfDoctor *doctor, const char *folder, const HfSet *good)
{
	g_autofree char *existing = g_strdup(folder);
	g_autofree char *free_text = NULL;
	g_autofree char *needed_text = NULL;
	struct statvfs disk;
	uint64_t free_bytes, needed = good ? good->bytes * 2 : 0;

	while (statvfs(existing, &disk) != 0) {
		char *parent = g_path_get_dirname(existing);
		bool is_root = strcmp(parent, existing) == 0;

		g_free(existing);
		existing = parent;
		if (is_root)
			return;
	}
	free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	free_text = hf_text_bytes(free_bytes);
	needed_text = hf_text_bytes(needed);
	if (free_bytes < needed)
		hf_doctor_report(doctor, HF_MARK_WARN, "free disk",
				 "%s at \"%s\", less than twice the last set (%s): free some space",
				 free_text, existing, needed_text);
	else
		hf_doctor_report(doctor, HF_MARK_OK, "free disk", "%s at \"%s\"", free_text, existing);
}

static void
check_sets(HfDoctor *doctor, HfStore *store)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) sets = hf_catalog_list(store, &error);
	const HfSet *good;

	if (!sets) {
		hf_doctor_report(doctor, HF_MARK_FAIL, "sets", "%s", error->message);
		return;
	}
	good = last_good(sets);
	if (!hf_store_settings_bucket(doctor->cli->settings))
		check_free_space(doctor, hf_store_location(store), good);
	check_last_good(doctor, sets, good);
}

void
hf_doctor_check_store(HfDoctor *doctor)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = hf_store_open_settings(doctor->cli->settings, &error);

	if (!store) {
		hf_doctor_report(doctor, HF_MARK_FAIL, "store", "%s", error->message);
		doctor->has_wrong_settings = true;
		return;
	}
	if (hf_store_settings_bucket(doctor->cli->settings))
		check_credentials(doctor);
	if (!check_probe(doctor, store))
		return;
	check_leases(doctor, store);
	if (hf_store_settings_bucket(doctor->cli->settings))
		check_upkeep(doctor, store);
	hf_doctor_check_signing(doctor, store);
	check_sets(doctor, store);
}
