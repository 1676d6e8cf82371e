#include "config.h"

#include "auth/bearer.h"
#include "auth/internal.h"
#include "auth/metrics-token.h"
#include "backup/job/audit.h"
#include "common/clock.h"
#include "common/error.h"
#include "fcgi/handlers.h"
#include "fcgi/made.h"
#include "fcgi/service.h"

#include <string.h>

/* Accepted GETs are gathered: the status must not cost a write.  All else is noted before it is answered. */
#define AUDIT_GATHERED_MAX 256
#define AUDIT_GATHERED_S 1
/* A state that cannot be written is told once in so long. */
#define WARN_PAUSE_S 60

/* ---- the state ---- */

HfState *
hf_service_state(HfService *service, GError **error)
{
	if (!service->state)
		service->state = hf_state_open(hf_settings_text(service->settings, HF_SET_BACKUP_STATE_DIR),
					       error);
	return service->state;
}

HfJobProgram
hf_service_program(const HfService *service)
{
	return (HfJobProgram){.program = service->tool->program, .env_file = service->tool->env_file};
}

/* ---- the audit trail ---- */

static void
free_entry(gpointer data)
{
	HfAuditEntry *entry = data;
	const char *const texts[] = {entry->who,        entry->method, entry->path,
				     entry->request_id, entry->peer,   entry->what};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free((gpointer)(uintptr_t)texts[i]);
	g_free(entry);
}

static void
write_audit(HfService *service)
{
	g_autoptr(GError) error = NULL;
	HfState *state = hf_service_state(service, &error);
	int64_t now_s = hf_clock_now_s();

	if (service->audit->len == 0)
		return;
	if (!state || !hf_audit_add_all(state, service->audit, &error)) {
		if (now_s - service->warned_s >= WARN_PAUSE_S || now_s < service->warned_s)
			g_warning("the audit trail cannot be written: %s", error->message);
		service->warned_s = now_s;
	}
	/* Kept for later they would fill the memory; each of them is a line in the log as well. */
	g_ptr_array_set_size(service->audit, 0);
}

/* Not a scrape that was let in: one each quarter of a minute would push all else out of the trail within two days. */
static void
note(HfService *service, const HfRequest *request, const HfReply *reply)
{
	bool is_plain = strcmp(request->method, "GET") == 0 && reply->status < 400;
	HfAuditEntry *entry;

	if (is_plain && request->is_scrape)
		return;
	entry = g_new0(HfAuditEntry, 1);
	entry->at_s = hf_clock_now_s();
	entry->who = g_strdup(request->who);
	entry->method = g_strdup(request->is_head ? "HEAD" : request->method);
	entry->path = g_strdup(request->path);
	entry->status = (int)reply->status;
	entry->request_id = g_strdup(request->id);
	entry->peer = g_strdup(request->remote);
	entry->what = g_strdup(reply->what);
	if (service->audit->len == 0)
		service->audit_since_s = entry->at_s;
	g_ptr_array_add(service->audit, entry);
	if (!is_plain || service->audit->len >= AUDIT_GATHERED_MAX)
		write_audit(service);
}

int
hf_service_idle(HfService *service, int64_t now_s)
{
	if (service->audit->len == 0)
		return -1;
	if (now_s >= service->audit_since_s && now_s - service->audit_since_s < AUDIT_GATHERED_S)
		return AUDIT_GATHERED_S * 1000;
	write_audit(service);
	return -1;
}

/* ---- authorisation ---- */

/* RFC 6750 section 3: what may stand in the value of error_description. */
static char *
description(const char *text)
{
	char *copy = g_strdup(text);

	for (char *c = copy; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
			*c = '\'';
	return copy;
}

static HfReply *
refuse(HfAuthRefusal refusal, const char *why)
{
	g_autofree char *text = description(why);
	g_autofree char *challenge = NULL;
	bool is_forbidden = refusal == HF_AUTH_FORBIDDEN;
	HfReply *reply = hf_reply_problem(is_forbidden ? 403 : 401,
					  is_forbidden ? HF_CODE_DENIED : HF_CODE_UNAUTHORIZED,
					  is_forbidden ? "Forbidden" : "Unauthorized", why);

	if (refusal == HF_AUTH_MISSING)
		challenge = g_strdup("Bearer realm=\"holdfast\"");
	else
		challenge = g_strdup_printf(
			"Bearer realm=\"holdfast\", error=\"%s\", error_description=\"%s\"",
			is_forbidden ? "insufficient_scope" : "invalid_token", text);
	hf_reply_add_header(reply, "WWW-Authenticate", challenge);
	return reply;
}

/* Read each time: it is asked for a few times a day, and may be made anew with the state. */
static HfReply *
authorise_timer(HfService *service, HfRequest *request)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSecret) token = hf_internal_token(service->settings, &error);

	if (!token)
		g_warning("nobody can be let in at %sinternal/: %s", HF_API_PREFIX, error->message);
	if (!token || !hf_bearer_matches(token, request->authorization))
		return refuse(request->authorization ? HF_AUTH_INVALID : HF_AUTH_MISSING,
			      "the internal token is wanted here");
	request->who = g_strdup("timer");
	return NULL;
}

/* Prometheus cannot sign tokens: this secret opens the one route that it reads. */
static bool
is_scrape(const HfService *service, const HfRequest *request)
{
	return service->metrics_token && strcmp(request->method, "GET") == 0 && request->segments->len == 1 &&
	       strcmp(request->segments->pdata[0], HF_METRICS_ROUTE) == 0 &&
	       hf_bearer_matches(service->metrics_token, request->authorization);
}

/* NULL where the request may go on. */
static HfReply *
authorise(HfService *service, HfRequest *request)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPrincipal) principal = NULL;
	HfAuthRefusal refusal = HF_AUTH_MISSING;

	if (request->is_internal)
		return authorise_timer(service, request);
	if (is_scrape(service, request)) {
		request->is_scrape = true;
		request->who = g_strdup("metrics");
		return NULL;
	}
	principal = hf_auth_check(service->auth, request->authorization, hf_clock_now_s(), &refusal, &error);
	if (!principal)
		return refuse(refusal, error->message);
	request->who = g_strdup(principal->subject);
	return NULL;
}

/* ---- the answer ---- */

static HfReply *
unknown(const HfRequest *request, const char *allow)
{
	g_autofree char *text = NULL;
	HfReply *reply;

	if (!allow) {
		text = g_strdup_printf("there is no \"%s\": see " HF_API_PREFIX "openapi.json",
				       request->path);
		return hf_reply_problem(404, HF_CODE_NOT_FOUND, "Not found", text);
	}
	text = g_strdup_printf("\"%s\" takes %s", request->path, allow);
	reply = hf_reply_problem(405, HF_CODE_METHOD, "Method not allowed", text);
	hf_reply_add_header(reply, "Allow", allow);
	return reply;
}

static HfReply *
answer(HfService *service, HfRequest *request)
{
	g_auto(GStrv) arguments = NULL;
	g_autofree char *allow = NULL;
	const HfRoute *route;
	HfReply *reply = authorise(service, request);

	if (reply)
		return reply;
	if (request->refusal)
		return hf_reply_problem(request->refusal->status, request->refusal->code, "Request refused",
					request->refusal->text);
	route = hf_route_find(request, &arguments, &allow);
	if (!route)
		return unknown(request, allow);
	return route->handler(service, request, arguments, route);
}

/* One line each; those that were only looked at are for whoever wants all of it. */
static void
say(const HfRequest *request, const HfReply *reply)
{
	bool is_plain = strcmp(request->method, "GET") == 0 && reply->status < 400;

	g_log(G_LOG_DOMAIN, is_plain ? G_LOG_LEVEL_INFO : G_LOG_LEVEL_MESSAGE, "%s %s %s %u %s%s%s%s",
	      request->id, request->is_head ? "HEAD" : request->method, request->path, reply->status,
	      request->who ? request->who : "-", reply->what ? " (" : "", reply->what ? reply->what : "",
	      reply->what ? ")" : "");
}

HfReply *
hf_service_answer(HfService *service, HfRequest *request)
{
	HfReply *reply = answer(service, request);

	hf_reply_add_header(reply, "X-Request-Id", request->id);
	note(service, request, reply);
	say(request, reply);
	return reply;
}

/* ---- the service ---- */

HfService *
hf_service_new(const HfSettings *settings, HfAuth *auth, HfTool *tool, GError **error)
{
	g_autoptr(HfService) service = g_new0(HfService, 1);
	g_autoptr(GError) trouble = NULL;

	service->settings = settings;
	service->auth = auth;
	service->tool = tool;
	service->workers = (unsigned)hf_settings_number(settings, HF_SET_FCGI_WORKERS);
	service->audit = g_ptr_array_new_with_free_func(free_entry);
	service->runs = hf_runs_load(settings, error);
	if (!service->runs || !hf_metrics_token(settings, &service->metrics_token, error))
		return NULL;
	if (!hf_service_state(service, &trouble))
		g_warning("%s", trouble->message);
	return g_steal_pointer(&service);
}

void
hf_service_free(HfService *service)
{
	if (!service)
		return;
	write_audit(service);
	g_ptr_array_unref(service->audit);
	hf_state_free(service->state);
	hf_runs_free(service->runs);
	hf_tool_free(service->tool);
	hf_auth_free(service->auth);
	hf_made_clear(&service->status);
	hf_made_clear(&service->metrics);
	g_free(service);
}
