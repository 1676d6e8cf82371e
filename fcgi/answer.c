#include "config.h"

#include "common/clock.h"
#include "common/error.h"
#include "fcgi/answer.h"

#include <string.h>

char *
hf_answer_time(int64_t unix_ms)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(unix_ms / 1000);
	g_autofree char *text = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S")
				     : g_strdup("1970-01-01T00:00:00");

	return g_strdup_printf("%s.%03dZ", text, (int)(unix_ms % 1000));
}

bool
hf_answer_limit(const HfRequest *request, const HfRoute *route, unsigned *limit_out, HfReply **refusal_out)
{
	const char *text = hf_request_query(request, "limit");
	guint64 limit = HF_PAGE_DEFAULT;

	if (text && !g_ascii_string_to_unsigned(text, 10, 1, HF_PAGE_MAX, &limit, NULL)) {
		*refusal_out = hf_reply_problem(400, HF_CODE_USAGE, route->failure,
						"limit: a number from 1 to 1000 is wanted");
		return false;
	}
	*limit_out = (unsigned)limit;
	return true;
}

HfReply *
hf_answer_check_query(const HfRequest *request, const HfRoute *route, const char *const *names)
{
	GHashTableIter iter;
	gpointer name;

	g_hash_table_iter_init(&iter, request->query);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!g_strv_contains(names, name)) {
			g_autofree char *text = g_strdup_printf("parameter \"%s\" is not known here",
								(const char *)name);

			return hf_reply_problem(400, HF_CODE_USAGE, route->failure, text);
		}
	}
	return NULL;
}

HfReply *
hf_answer_check_set(const char *id, const HfRoute *route)
{
	g_autofree char *text = NULL;
	size_t length = strlen(id);
	bool is_sane = length > 0 && length <= 255 && g_ascii_isalnum(id[0]);

	for (const char *c = id; *c; c++)
		is_sane = is_sane && (g_ascii_isalnum(*c) || strchr("._-", *c));
	if (is_sane)
		return NULL;
	text = g_strdup_printf("there is no set \"%s\": see GET " HF_API_PREFIX "sets", id);
	return hf_reply_problem(404, HF_CODE_NOT_FOUND, route->failure, text);
}

HfReply *
hf_answer_start(HfService *service, const HfRequest *request, const HfRoute *route, const char *kind,
		HfJson *parameters, char **id_out)
{
	g_autoptr(HfJson) owned = parameters;
	g_autoptr(GError) error = NULL;
	g_autofree char *by = g_strconcat("api:", request->who, NULL);
	g_autofree char *running = NULL;
	HfState *state = hf_service_state(service, &error);
	HfJobProgram program = hf_service_program(service);
	HfJobRequest job = {
		.kind = kind,
		.parameters = owned ? json_object_to_json_string_ext(owned, JSON_C_TO_STRING_PLAIN) : NULL,
		.requested_by = by};
	HfJson *members = NULL;
	const char *code;
	unsigned status;

	if (state && hf_job_start(state, &job, &program, id_out, &running, &error))
		return NULL;
	if (!running)
		return hf_reply_error(error, route->failure);
	members = json_object_new_object();
	hf_json_add_text(members, "job", running);
	status = hf_reply_status_of(error, &code);
	return hf_reply_problem_with(status, code, route->failure, error->message, members);
}

HfReply *
hf_answer_accepted(const char *job, const char *message)
{
	g_autofree char *location = g_strconcat(HF_API_PREFIX "jobs/", job, NULL);
	HfJson *members = json_object_new_object();
	HfReply *reply;

	hf_json_add_flag(members, "success", true);
	hf_json_add_text(members, "message", message);
	hf_json_add_text(members, "job", job);
	reply = hf_reply_json(202, members);
	reply->what = g_strdup(job);
	hf_reply_add_header(reply, "Location", location);
	return reply;
}

char *
hf_answer_etag(GBytes *body)
{
	g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, body);

	return g_strdup_printf("\"%.32s\"", digest);
}

/* RFC 9110 section 13.1.2: by the weak comparison. */
bool
hf_answer_is_known(const HfRequest *request, const char *etag)
{
	g_auto(GStrv) tags = g_strsplit(request->if_none_match ? request->if_none_match : "", ",", 64);

	for (char **tag = tags; *tag; tag++) {
		const char *known = g_strstrip(*tag);

		if (g_str_has_prefix(known, "W/"))
			known += 2;
		if (strcmp(known, etag) == 0 || strcmp(known, "*") == 0)
			return true;
	}
	return false;
}
