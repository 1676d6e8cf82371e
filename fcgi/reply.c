#include "config.h"

#include "common/error.h"
#include "common/log.h"
#include "fcgi/reply.h"

#include <string.h>

static const struct {
	unsigned status;
	const char *line;
} lines[] = {
	{200, "200 OK"},
	{202, "202 Accepted"},
	{304, "304 Not Modified"},
	{400, "400 Bad Request"},
	{401, "401 Unauthorized"},
	{403, "403 Forbidden"},
	{404, "404 Not Found"},
	{405, "405 Method Not Allowed"},
	{408, "408 Request Timeout"},
	{409, "409 Conflict"},
	{413, "413 Content Too Large"},
	{414, "414 URI Too Long"},
	{415, "415 Unsupported Media Type"},
	{422, "422 Unprocessable Content"},
	{503, "503 Service Unavailable"},
	{500, "500 Internal Server Error"},
};

/* As the command line names them, too (docs/openapi.yaml). */
static const struct {
	const char *code;
	unsigned status;
} errors[] = {
	[HF_ERROR_FAILED] = {"failed", 500},
	[HF_ERROR_USAGE] = {HF_CODE_USAGE, 422},
	[HF_ERROR_TRANSIENT] = {HF_CODE_TRANSIENT, 503},
	[HF_ERROR_NOT_FOUND] = {HF_CODE_NOT_FOUND, 404},
	[HF_ERROR_DENIED] = {HF_CODE_DENIED, 403},
	[HF_ERROR_CONFLICT] = {HF_CODE_CONFLICT, 409},
	[HF_ERROR_CORRUPT] = {"corrupt", 500},
	[HF_ERROR_CANCELLED] = {"cancelled", 500},
};

const char *
hf_reply_status_line(unsigned status)
{
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		if (lines[i].status == status)
			return lines[i].line;
	return "500 Internal Server Error";
}

unsigned
hf_reply_status_of(const GError *error, const char **code_out)
{
	bool is_ours = error->domain == HF_ERROR && error->code < (int)G_N_ELEMENTS(errors);
	int row = is_ours ? error->code : HF_ERROR_FAILED;

	*code_out = errors[row].code;
	return errors[row].status;
}

HfReply *
hf_reply_new(unsigned status)
{
	HfReply *reply = g_new0(HfReply, 1);

	reply->status = status;
	reply->headers = g_string_new(NULL);
	return reply;
}

void
hf_reply_free(HfReply *reply)
{
	if (!reply)
		return;
	g_string_free(reply->headers, TRUE);
	g_free(reply->type_owned);
	if (reply->body)
		g_bytes_unref(reply->body);
	if (reply->source)
		reply->source->free(reply->source);
	g_free(reply->what);
	g_free(reply);
}

HfReply *
hf_reply_bytes(unsigned status, const char *type, GBytes *body)
{
	HfReply *reply = hf_reply_new(status);

	reply->type_owned = g_strdup(type);
	reply->type = reply->type_owned;
	reply->body = g_bytes_ref(body);
	return reply;
}

HfReply *
hf_reply_json(unsigned status, HfJson *members)
{
	HfReply *reply = hf_reply_new(status);
	g_autofree char *text = NULL;

	if (!json_object_object_get_ex(members, "success", NULL))
		hf_json_add_flag(members, "success", true);
	text = g_strconcat(json_object_to_json_string_ext(members, JSON_C_TO_STRING_PLAIN |
									   JSON_C_TO_STRING_NOSLASHESCAPE),
			   "\n", NULL);
	reply->type = "application/json";
	reply->body = g_bytes_new_take(text, strlen(text));
	text = NULL;
	json_object_put(members);
	return reply;
}

HfReply *
hf_reply_problem_with(unsigned status, const char *code, const char *message, const char *text,
		      HfJson *members)
{
	HfJson *object = json_object_new_object();
	g_autofree char *line = hf_log_one_line(text);
	HfReply *reply;

	hf_json_add_flag(object, "success", false);
	hf_json_add_text(object, "message", message);
	hf_json_add_text(object, "error", line);
	hf_json_add_text(object, "code", code);
	if (members) {
		json_object_object_foreach(members, name, value)
			hf_json_add(object, name, json_object_get(value));
		json_object_put(members);
	}
	reply = hf_reply_json(status, object);
	reply->what = g_steal_pointer(&line);
	return reply;
}

HfReply *
hf_reply_problem(unsigned status, const char *code, const char *message, const char *text)
{
	return hf_reply_problem_with(status, code, message, text, NULL);
}

HfReply *
hf_reply_error(const GError *error, const char *message)
{
	const char *code;
	unsigned status = hf_reply_status_of(error, &code);
	HfReply *reply = hf_reply_problem(status, code, message, error->message);

	if (status == 503)
		hf_reply_add_header(reply, "Retry-After", "5");
	return reply;
}

void
hf_reply_add_header(HfReply *reply, const char *name, const char *value)
{
	if (value && !strpbrk(value, "\r\n"))
		g_string_append_printf(reply->headers, "%s: %s\r\n", name, value);
}
