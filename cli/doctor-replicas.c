#include "config.h"

#include "backup/job/replicas.h"
#include "backup/store/replica.h"
#include "cli/doctor.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* Asks for one name: whether it is there, and lets us list. */
static bool
ask(const HfSettings *settings, unsigned number, char **place_out, GError **error)
{
	g_autoptr(HfStore) replica = hf_replica_open(settings, number, error);
	g_autoptr(HfListing) listing = replica ? hf_store_list(replica, "backup_", NULL, error) : NULL;
	const HfObject *object;

	if (replica)
		*place_out = g_strdup(hf_store_location(replica));
	if (listing && hf_listing_next(listing, &object, error))
		return true;
	if (replica && *error)
		hf_replica_name_settings(number, *error);
	return false;
}

static void
report_state(HfDoctor *doctor, const HfReplicaState *replica, const char *place)
{
	int64_t now_s = hf_clock_now_s();
	g_autofree char *level = replica->level_s > 0 ? hf_text_age(replica->level_s, now_s) : NULL;
	g_autofree char *behind = replica->behind_since_s > 0 ? hf_text_age(replica->behind_since_s, now_s)
							      : NULL;

	/* What is known is of the place that the settings named then. */
	if (g_strcmp0(replica->place, place) != 0)
		g_clear_pointer(&level, g_free);
	if (behind)
		hf_doctor_report(doctor, HF_MARK_WARN, replica->name,
				 "%s: behind since %s (%" G_GUINT64_FORMAT
				 " sets are missing): %s: \"holdfast replicate\" catches up",
				 place, behind, replica->missing,
				 replica->error ? replica->error : "not level");
	else if (level)
		hf_doctor_report(doctor, HF_MARK_OK, replica->name, "%s: level when last seen, %s", place,
				 level);
	else
		hf_doctor_report(doctor, HF_MARK_WARN, replica->name,
				 "%s: never brought level yet: \"holdfast replicate\" fills it", place);
}

static void
check_one(HfDoctor *doctor, unsigned number, const HfReplicaState *replica)
{
	g_autoptr(GError) trouble = NULL;
	g_autofree char *place = NULL;

	if (ask(doctor->cli->settings, number, &place, &trouble)) {
		report_state(doctor, replica, place);
		return;
	}
	hf_doctor_report(doctor, HF_MARK_FAIL, replica->name, "%s", trouble->message);
	doctor->has_wrong_settings |= hf_error_is(trouble, HF_ERROR_USAGE);
}

void
hf_doctor_check_replicas(HfDoctor *doctor)
{
	const HfSettings *settings = doctor->cli->settings;
	const char *folder = hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR);
	g_autoptr(HfState) state = folder ? hf_state_open(folder, NULL) : NULL;
	g_autoptr(GPtrArray) known = state ? hf_replicas_of(state, settings, NULL) : NULL;
	guint at = 0;

	for (unsigned number = 1; number <= HF_REPLICAS_MAX; number++) {
		HfReplicaState unknown = {.name = (char *)(guintptr)hf_replica_name(number)};

		if (hf_settings_has_replica(settings, number))
			check_one(doctor, number, known ? known->pdata[at++] : &unknown);
	}
}
