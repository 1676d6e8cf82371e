/* fcgi/request.c, path.c, routes.c, reply.c, body.c: a request as data, and what is made of it. */
#include "config.h"

#include "common/error.h"
#include "fcgi/body.h"
#include "fcgi/path.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "fcgi/routes.h"
#include "fcgi/waiters.h"

#include <string.h>
#include <unistd.h>

/* NAME, value, NAME, value, NULL */
static const char *
from_list(void *context, const char *name)
{
	for (const char *const *list = context; *list; list += 2)
		if (strcmp(list[0], name) == 0)
			return list[1];
	return NULL;
}

static HfRequest *
request_for(const char *method, const char *uri)
{
	const char *list[] = {"REQUEST_METHOD", method, "REQUEST_URI", uri, NULL};

	return hf_request_new(from_list, list);
}

static void
test_path_is_decoded_into_segments(void)
{
	g_autoptr(HfRequest)
		request = request_for("GET", "/api/backup/sets/X/objects/a%2Fb%20c/%C5%BC?prefix=a+b%2B&x");

	g_assert_null(request->refusal);
	g_assert_cmpuint(request->segments->len, ==, 6);
	g_assert_cmpstr(request->segments->pdata[3], ==, "a");
	g_assert_cmpstr(request->segments->pdata[4], ==, "b c");
	g_assert_cmpstr(request->segments->pdata[5], ==, "ż");
	g_assert_cmpstr(hf_request_query(request, "prefix"), ==, "a b+");
	g_assert_cmpstr(hf_request_query(request, "x"), ==, "");
	g_assert_null(hf_request_query(request, "y"));
}

static void
test_odd_paths_are_refused(void)
{
	static const struct {
		const char *uri;
		unsigned status;
	} cases[] = {
		{"/api/backup/", 400},
		{"/api/backup/a//b", 400},
		{"/api/backup/../x", 400},
		{"/api/backup/%2e%2e/x", 400},
		{"/api/backup/a/.", 400},
		{"/api/backup/a/", 400},
		{"/api/backup/%00", 400},
		{"/api/backup/%c0%af", 400},
		{"/api/backup/%e0%80%ae", 400},
		{"/api/backup/%", 400},
		{"/api/backup/%2", 400},
		{"/api/backup/%zz", 400},
		{"/api/backup/%ff", 400},
		{"/api/backup/x?a=1&a=2", 400},
		{"/api/backup/x?%zz", 400},
		{"/api/backup/x?a=%00", 400},
		{"/api/backup", 404},
		{"/other", 404},
		{"", 404},
		{"/api/backupx/status", 404},
		{"//api/backup/status", 404},
		{"http://h/api/backup/x", 404},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfRequest) request = request_for("GET", cases[i].uri);

		g_test_message("%s", cases[i].uri);
		g_assert_nonnull(request->refusal);
		g_assert_cmpuint(request->refusal->status, ==, cases[i].status);
		g_assert_cmpuint(request->segments->len, ==, 0);
	}
}

static void
test_missing_parameters_are_no_crash(void)
{
	const char *list[] = {NULL};
	g_autoptr(HfRequest) request = hf_request_new(from_list, list);

	g_assert_cmpuint(request->refusal->status, ==, 400);
	g_assert_cmpstr(request->method, ==, "");
	g_assert_cmpuint(strlen(request->id), ==, 32);
}

static void
test_a_path_is_bounded(void)
{
	g_autofree char *tail = g_strnfill(HF_REQUEST_URI_MAX, 'x');
	g_autofree char *uri = g_strconcat("/api/backup/", tail, NULL);
	g_autoptr(HfRequest) request = request_for("GET", uri);
	g_autoptr(GString) deep = g_string_new("/api/backup/x");
	g_autoptr(HfRequest) many = NULL;

	g_assert_cmpuint(request->refusal->status, ==, 414);
	for (int i = 0; i < HF_REQUEST_SEGMENTS_MAX; i++)
		g_string_append(deep, "/x");
	many = request_for("GET", deep->str);
	g_assert_cmpuint(many->refusal->status, ==, 400);
}

static void
test_head_is_a_get(void)
{
	g_autoptr(HfRequest) request = request_for("HEAD", "/api/backup/status");

	g_assert_cmpstr(request->method, ==, "GET");
	g_assert_true(request->is_head);
}

static void
test_a_length_is_a_number(void)
{
	static const struct {
		const char *length;
		unsigned status;
	} cases[] = {{"0", 0},    {"65536", 0}, {"65537", 413},
		     {"-1", 400}, {"+1", 400},  {" 1", 400},
		     {"1x", 400}, {"", 0},      {"99999999999999999999", 400}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *list[] = {"REQUEST_METHOD", "POST",          "REQUEST_URI", "/api/backup/trigger",
				      "CONTENT_LENGTH", cases[i].length, NULL};
		g_autoptr(HfRequest) request = hf_request_new(from_list, list);

		g_assert_cmpuint(request->refusal ? request->refusal->status : 0, ==, cases[i].status);
	}
}

static void
test_respond_async_is_found(void)
{
	static const struct {
		const char *prefer;
		bool expected;
	} cases[] = {{"respond-async", true},
		     {"Respond-Async", true},
		     {"wait=5, respond-async", true},
		     {"respond-async; x=1", true},
		     {" respond-async ,x", true},
		     {"respond-asynchronous", false},
		     {"x=respond-async", false},
		     {"", false},
		     {NULL, false}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *list[] = {"REQUEST_URI", "/api/backup/trigger",
				      cases[i].prefer ? "HTTP_PREFER" : NULL, cases[i].prefer, NULL};
		g_autoptr(HfRequest) request = hf_request_new(from_list, list);

		g_assert_cmpint(hf_request_prefers_async(request), ==, cases[i].expected);
	}
}

static void
test_gzip_is_taken_where_it_is_wanted(void)
{
	static const struct {
		const char *accepted;
		bool expected;
	} cases[] = {{"gzip", true},
		     {"deflate, GZIP;q=0.5, br", true},
		     {"gzip; q=0", false},
		     {"gzip;q=0.000", false},
		     {"x-gzip2, br", false},
		     {"identity", false},
		     {"", false},
		     {NULL, false}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *list[] = {"REQUEST_URI", "/api/backup/status",
				      cases[i].accepted ? "HTTP_ACCEPT_ENCODING" : NULL, cases[i].accepted,
				      NULL};
		g_autoptr(HfRequest) request = hf_request_new(from_list, list);

		g_assert_cmpint(hf_request_accepts_gzip(request), ==, cases[i].expected);
	}
}

/* ---- routes ---- */

static void
test_routes_are_found(void)
{
	static const struct {
		const char *method, *uri, *pattern, *allow, *first, *second;
	} cases[] = {
		{"GET", "status", "status", NULL, NULL, NULL},
		{"POST", "status", NULL, "GET, HEAD", NULL, NULL},
		{"PUT", "sets/A/hold", "sets/*/hold", NULL, "A", NULL},
		{"GET", "sets/A/hold", NULL, "PUT, DELETE", NULL, NULL},
		{"GET", "sets/A/objects", "sets/*/objects", NULL, "A", NULL},
		{"GET", "sets/A/objects/b/c/d", "sets/*/objects/**", NULL, "A", "b/c/d"},
		{"GET", "sets/objects", "sets/*", NULL, "objects", NULL},
		{"GET", "nothing", NULL, NULL, NULL, NULL},
		{"GET", "status/x", NULL, NULL, NULL, NULL},
		{"get", "status", NULL, "GET, HEAD", NULL, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *uri = g_strconcat(HF_API_PREFIX, cases[i].uri, NULL);
		g_autoptr(HfRequest) request = request_for(cases[i].method, uri);
		g_auto(GStrv) arguments = NULL;
		g_autofree char *allow = NULL;
		const HfRoute *route = hf_route_find(request, &arguments, &allow);

		g_test_message("%s %s", cases[i].method, cases[i].uri);
		g_assert_cmpstr(route ? route->pattern : NULL, ==, cases[i].pattern);
		g_assert_cmpstr(allow, ==, cases[i].allow);
		if (cases[i].first)
			g_assert_cmpstr(arguments[0], ==, cases[i].first);
		if (cases[i].second)
			g_assert_cmpstr(arguments[1], ==, cases[i].second);
	}
}

/* ---- replies ---- */

static void
test_an_error_becomes_a_problem(void)
{
	static const struct {
		HfError error;
		unsigned status;
		const char *code;
	} cases[] = {{HF_ERROR_FAILED, 500, "failed"},       {HF_ERROR_USAGE, 422, "usage"},
		     {HF_ERROR_TRANSIENT, 503, "transient"}, {HF_ERROR_NOT_FOUND, 404, "not_found"},
		     {HF_ERROR_DENIED, 403, "denied"},       {HF_ERROR_CONFLICT, 409, "conflict"},
		     {HF_ERROR_CORRUPT, 500, "corrupt"},     {HF_ERROR_CANCELLED, 500, "cancelled"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = g_error_new(HF_ERROR, cases[i].error, "a \"b\"\nc");
		g_autoptr(HfReply) reply = hf_reply_error(error, "Backup failed");
		gsize len;
		const char *text = g_bytes_get_data(reply->body, &len);
		g_autofree char *expected = g_strdup_printf(
			"{\"success\":false,\"message\":\"Backup failed\",\"error\":"
			"\"a \\\"b\\\" c\",\"code\":\"%s\"}\n",
			cases[i].code);

		g_assert_cmpuint(reply->status, ==, cases[i].status);
		g_assert_cmpuint(len, ==, strlen(expected));
		g_assert_cmpint(memcmp(text, expected, len), ==, 0);
	}
}

static void
test_a_header_cannot_be_two(void)
{
	g_autoptr(HfReply) reply = hf_reply_new(200);

	hf_reply_add_header(reply, "A", "b");
	hf_reply_add_header(reply, "C", "d\r\nE: f");
	hf_reply_add_header(reply, "G", NULL);
	g_assert_cmpstr(reply->headers->str, ==, "A: b\r\n");
}

/* ---- bodies ---- */

static void
test_bodies_are_checked(void)
{
	static const HfMember members[] = {{"level", json_type_int}, {"reason", json_type_string}, {0}};
	static const struct {
		const char *type, *body;
		unsigned status; /* 0: taken */
	} cases[] = {
		{NULL, "", 0},
		{"text/plain", "", 0},
		{"application/json", "{}", 0},
		{"Application/Json ; charset=utf-8", "{\"level\":1,\"reason\":\"it's\"}\n", 0},
		{"application/json", "{\"reason\":\"\\\"'\"}", 0},
		{NULL, "{}", 415},
		{"text/plain", "{}", 415},
		{"application/json", "[]", 400},
		{"application/json", "null", 400},
		{"application/json", "{\"level\":1", 400},
		{"application/json", "{\"level\":\"1\"}", 400},
		{"application/json", "{\"level\":1.5}", 400},
		{"application/json", "{\"level\":null}", 400},
		{"application/json", "{\"levels\":1}", 400},
		{"application/json", "{'level':1}", 400},
		{"application/json", "{\"level\":1}x", 400},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *list[] = {"REQUEST_URI", "/api/backup/trigger",
				      cases[i].type ? "CONTENT_TYPE" : NULL, cases[i].type, NULL};
		g_autoptr(HfRequest) request = hf_request_new(from_list, list);
		g_autoptr(HfReply) refusal = NULL;
		g_autoptr(HfJson) body = NULL;

		g_test_message("%s", cases[i].body);
		g_byte_array_append(request->body, (const guint8 *)cases[i].body,
				    (guint)strlen(cases[i].body));
		body = hf_body_parse(request, members, "Failed", &refusal);
		g_assert_cmpint(body != NULL, ==, cases[i].status == 0);
		g_assert_cmpuint(refusal ? refusal->status : 0, ==, cases[i].status);
	}
}

/* ---- who waits ---- */

static void
test_places_are_bounded_and_come_back(void)
{
	g_autofree char *folder = g_dir_make_tmp("holdfast-waiters.XXXXXX", NULL);
	g_autofree char *file = g_build_filename(folder, "waiting", NULL);
	int first = hf_waiters_enter(folder, 2), second = hf_waiters_enter(folder, 2);

	g_assert_cmpint(first, >=, 0);
	g_assert_cmpint(second, >=, 0);
	g_assert_cmpint(hf_waiters_enter(folder, 2), ==, -1);
	close(first);
	first = hf_waiters_enter(folder, 2);
	g_assert_cmpint(first, >=, 0);
	close(first);
	close(second);
	g_assert_cmpint(hf_waiters_enter("/nonexistent", 2), ==, -1);
	g_assert_cmpuint(hf_waiters_places(1), ==, 1);
	g_assert_cmpuint(hf_waiters_places(2), ==, 1);
	g_assert_cmpuint(hf_waiters_places(8), ==, 4);
	(void)unlink(file);
	(void)rmdir(folder);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/request/path-is-decoded-into-segments", test_path_is_decoded_into_segments);
	g_test_add_func("/request/odd-paths-are-refused", test_odd_paths_are_refused);
	g_test_add_func("/request/missing-parameters-are-no-crash", test_missing_parameters_are_no_crash);
	g_test_add_func("/request/a-path-is-bounded", test_a_path_is_bounded);
	g_test_add_func("/request/head-is-a-get", test_head_is_a_get);
	g_test_add_func("/request/a-length-is-a-number", test_a_length_is_a_number);
	g_test_add_func("/request/respond-async-is-found", test_respond_async_is_found);
	g_test_add_func("/request/gzip-is-taken-where-it-is-wanted", test_gzip_is_taken_where_it_is_wanted);
	g_test_add_func("/routes/are-found", test_routes_are_found);
	g_test_add_func("/reply/an-error-becomes-a-problem", test_an_error_becomes_a_problem);
	g_test_add_func("/reply/a-header-cannot-be-two", test_a_header_cannot_be_two);
	g_test_add_func("/body/is-checked", test_bodies_are_checked);
	g_test_add_func("/waiters/places-are-bounded-and-come-back", test_places_are_bounded_and_come_back);
	return g_test_run();
}
