#include "config.h"

#include "timer/service.h"
#include "auth/internal.h"
#include "common/error.h"
#include "common/json.h"
#include "fcgi/client.h"

#include <openssl/crypto.h>
#include <string.h>

/* A worker answers as soon as the job is started; all of them may be waiting for jobs of others. */
#define TIMEOUT_S 60

struct HfService {
	HfSettings *settings;
	int stop_fd;
};

HfService *
hf_service_new(HfSettings *settings, int stop_fd)
{
	HfService *service = g_new0(HfService, 1);

	service->settings = settings;
	service->stop_fd = stop_fd;
	return service;
}

void
hf_service_free(HfService *service)
{
	if (!service)
		return;
	hf_settings_free(service->settings);
	g_free(service);
}

/* ---- replies ---- */

/* What an error reply says of itself, on one line. */
static char *
words_of(HfJson *body)
{
	const char *words = NULL;

	if (!body || !hf_json_find_text(body, "error", &words, NULL))
		words = NULL;
	return g_strdup(words ? words : "without a word");
}

/* 2xx gives the body; everything else an error in the service's words. */
static bool
check_status(const HfFcgiReply *reply, HfJson *body, GError **error)
{
	g_autofree char *words = NULL;

	if (reply->status >= 200 && reply->status < 300 && body)
		return true;
	words = words_of(body);
	switch (reply->status) {
	case 409:
		return hf_error_set(error, HF_ERROR_CONFLICT, "%s", words);
	case 502:
	case 503:
	case 504:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "the service cannot now: %s", words);
	case 401:
	case 403:
		return hf_error_set(
			error, HF_ERROR_DENIED,
			"the service refuses the internal token (%u): timer and service must see the "
			"same INTERNAL_TOKEN or BACKUP_STATE_DIR",
			reply->status);
	default:
		return hf_error_set(error, HF_ERROR_FAILED, "the service answers %u: %s", reply->status,
				    words);
	}
}

/* The authorization header's value; wipe and free it. */
static char *
authorization(HfService *service, GError **error)
{
	g_autoptr(HfSecret) token = hf_internal_token(service->settings, error);

	return token ? g_strconcat("Bearer ", hf_secret_bytes(token), NULL) : NULL;
}

static HfJson *
exchange(HfService *service, HfFcgiRequest *request, GError **error)
{
	char *bearer = authorization(service, error);
	const char *headers[] = {"Authorization", bearer, NULL};
	g_autoptr(HfFcgiReply) reply = NULL;
	g_autoptr(HfJson) body = NULL;
	bool is_answered;
	const char *text;
	gsize len;

	if (!bearer)
		return NULL;
	request->headers = headers;
	request->stop_fd = &service->stop_fd;
	is_answered = hf_fcgi_request(hf_settings_text(service->settings, HF_SET_FCGI_SOCKET), request,
				      TIMEOUT_S, &reply, error);
	OPENSSL_cleanse(bearer, strlen(bearer));
	g_free(bearer);
	if (!is_answered)
		return NULL;
	text = g_bytes_get_data(reply->body, &len);
	body = hf_json_parse(text ? text : "", len, NULL);
	return check_status(reply, body, error) ? g_steal_pointer(&body) : NULL;
}

/* ---- what is asked ---- */

static bool
read_mark(HfJson *body, const char *name, int64_t *mark_out, GError **error)
{
	HfJson *run, *slot;
	uint64_t number;

	*mark_out = HF_SCHEDULE_NEVER;
	if (!hf_json_find_object(body, name, &run, error))
		return false;
	if (!run || !json_object_object_get_ex(run, "lastSlot", &slot) || !slot)
		return true;
	if (!hf_json_to_number(slot, "lastSlot", &number, error))
		return false;
	if (number > 0 && number <= INT64_MAX)
		*mark_out = (int64_t)number;
	return true;
}

bool
hf_service_ask(HfService *service, const HfRuns *runs, int64_t marks_s[HF_RUN_COUNT], GError **error)
{
	HfFcgiRequest request = {.method = "GET", .path = "/api/backup/internal/schedule"};
	g_autoptr(HfJson) body = exchange(service, &request, error);

	if (!body)
		return false;
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		if (!read_mark(body, runs->items[i].name, &marks_s[i], error))
			return false;
	return true;
}

bool
hf_service_fire(HfService *service, const HfRun *run, int64_t slot_s, char **job_out, GError **error)
{
	g_autofree char *text = g_strdup_printf("{\"schedule\":\"%s\",\"slot\":%" G_GINT64_FORMAT "}",
						run->name, slot_s);
	HfFcgiRequest request = {.method = "POST",
				 .path = "/api/backup/internal/run",
				 .content_type = "application/json",
				 .body = text,
				 .body_len = strlen(text)};
	g_autoptr(HfJson) body = exchange(service, &request, error);
	const char *job = NULL;

	if (!body || !hf_json_find_text(body, "job", &job, error))
		return false;
	*job_out = g_strdup(job);
	return true;
}
