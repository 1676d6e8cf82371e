#include "config.h"

#include "backup/job/cached-sets.h"
#include "backup/job/elsewhere.h"
#include "common/clock.h"
#include "common/error.h"
#include "fcgi/answer.h"
#include "fcgi/catalogue.h"

/* A store that does not answer is asked again after so long, behind replies. */
#define REFRESH_PAUSE_S 30

void
hf_catalogue_refresh(HfService *service)
{
	static const char *const words[] = {"refresh", NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfJson) reply = hf_tool_run(service->tool, words, &error);

	if (!reply)
		g_warning("the list of sets could not be refreshed: %s", error->message);
}

/* In the background, by one worker at a time as far as it is known. */
static void
refresh_behind(HfService *service)
{
	int64_t now_s = hf_clock_now_s();
	HfJobProgram program = hf_service_program(service);
	g_autoptr(GError) error = NULL;

	if (now_s >= service->refreshed_s && now_s - service->refreshed_s < REFRESH_PAUSE_S)
		return;
	service->refreshed_s = now_s;
	if (!hf_refresh_start(&program, &error))
		g_warning("the list of sets cannot be refreshed: %s", error->message);
}

void
hf_catalogue_look(HfService *service, int64_t as_of_s)
{
	int64_t now_s = hf_clock_now_s();

	/* A clock that was set back makes it look young for ever. */
	if (now_s < as_of_s || now_s - as_of_s > HF_CATALOGUE_OLD_S)
		refresh_behind(service);
}

GPtrArray *
hf_catalogue_list(HfService *service, int64_t *as_of_s_out, GError **error)
{
	static const char *const words[] = {"refresh", NULL};
	HfState *state = hf_service_state(service, error);
	g_autoptr(GPtrArray) sets = state ? hf_cached_sets_list(state, as_of_s_out, error) : NULL;

	if (!sets)
		return NULL;
	if (*as_of_s_out == 0) {
		g_autoptr(HfJson) reply = hf_tool_run(service->tool, words, error);

		return reply ? hf_cached_sets_list(state, as_of_s_out, error) : NULL;
	}
	hf_catalogue_look(service, *as_of_s_out);
	return g_steal_pointer(&sets);
}

/* One process a half minute at most, whoever of the workers is asked: as_of is everybody's. */
static void
look_elsewhere_behind(HfService *service)
{
	int64_t now_s = hf_clock_now_s();
	HfJobProgram program = hf_service_program(service);
	g_autoptr(GError) error = NULL;

	if (now_s >= service->looked_elsewhere_s && now_s - service->looked_elsewhere_s < REFRESH_PAUSE_S)
		return;
	service->looked_elsewhere_s = now_s;
	if (!hf_refresh_leases_start(&program, &error))
		g_warning("other hosts' jobs cannot be looked for: %s", error->message);
}

GPtrArray *
hf_catalogue_elsewhere(HfService *service, HfState *state)
{
	int64_t as_of_s, now_s = hf_clock_now_s();
	GPtrArray *elsewhere = hf_jobs_elsewhere(state, &as_of_s);

	if (g_strcmp0(hf_settings_text(service->settings, HF_SET_LEASES), "off") != 0 &&
	    (now_s < as_of_s || now_s - as_of_s > HF_ELSEWHERE_OLD_S))
		look_elsewhere_behind(service);
	return elsewhere;
}

HfJson *
hf_catalogue_store(const HfService *service, int64_t as_of_s)
{
	const HfSettings *settings = service->settings;
	const char *bucket = hf_settings_text(settings, HF_SET_S3_BACKUP_BUCKET);
	const char *prefix = hf_settings_text(settings, HF_SET_S3_BACKUP_PREFIX);
	HfJson *store = json_object_new_object();
	g_autofree char *location = NULL;
	g_autofree char *as_of = as_of_s > 0 ? hf_answer_time(as_of_s * 1000) : NULL;

	if (!bucket && !hf_settings_is_empty(settings, HF_SET_S3_BACKUP_BUCKET))
		bucket = hf_settings_text(settings, HF_SET_AWS_BUCKET_NAME);
	location = bucket ? g_strdup_printf("s3://%s%s%s", bucket, prefix ? "/" : "", prefix ? prefix : "")
			  : g_strdup(hf_settings_text(settings, HF_SET_BACKUP_DIR));
	hf_json_add_text(store, "location", location);
	hf_json_add_text(store, "asOf", as_of);
	return store;
}
