/* The S3 store behind a proxy that misbehaves, in front of a real server. */
#include "config.h"

#include "tests/backup/store/s3-fixture.h"
#include "backup/stage/sink.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

#define MANY_BYTES ((21u << 20) + 3) /* five parts */

typedef struct {
	const char *name;
	const char *faults;
} Fault;

/* What a retry mends: the object is whole, and no upload is left. */
static const Fault mended_writes[] = {
	{"503-to-one-in-five", "[{'kind':'slowdown','every':5}]"},
	{"500-once", "[{'kind':'error500','times':1}]"},
	{"429-once", "[{'kind':'toomany','times':1}]"},
	{"part-cut-on-its-way", "[{'kind':'reset-request','method':'PUT','match':'partNumber=2','times':1}]"},
	{"reply-to-a-part-lost", "[{'kind':'lose-reply','method':'PUT','match':'partNumber=3','times':1}]"},
	{"reply-to-begin-lost", "[{'kind':'lose-reply','method':'POST','match':'uploads','times':1}]"},
	{"reply-to-begin-cut", "[{'kind':'cut-reply','method':'POST','match':'uploads','times':1}]"},
	{"reply-to-complete-lost", "[{'kind':'lose-reply','method':'POST','match':'uploadId','times':1}]"},
	{"error-inside-200-of-complete",
	 "[{'kind':'error-in-200','method':'POST','match':'uploadId','times':1}]"},
	{"stalled-part", "[{'kind':'stall','method':'PUT','match':'partNumber=1','times':1,'seconds':4}]"},
	{"clock-refused-once", "[{'kind':'skewed','times':1,'seconds':300}]"},
};

/* What no retry mends: an error, no object, no upload. */
static const struct {
	Fault fault;
	HfError expected;
	const char *words;
} failed_writes[] = {
	{{"503-for-ever", "[{'kind':'slowdown','method':'PUT'}]"}, HF_ERROR_TRANSIENT, "busy"},
	{{"parts-always-cut", "[{'kind':'reset-request','method':'PUT'}]"}, HF_ERROR_TRANSIENT, "broke"},
	{{"error-inside-200-for-ever", "[{'kind':'error-in-200','match':'uploadId','method':'POST'}]"},
	 HF_ERROR_TRANSIENT,
	 "InternalError"},
	{{"begin-never-answered", "[{'kind':'lose-reply','method':'POST','match':'uploads'}]"},
	 HF_ERROR_TRANSIENT,
	 "broke"},
	{{"wrong-region", "[{'kind':'wrong-region'}]"}, HF_ERROR_USAGE, "eu-west-1"},
	{{"redirected-region", "[{'kind':'redirect'}]"}, HF_ERROR_USAGE, "AWS_REGION"},
	{{"quota", "[{'kind':'quota','method':'PUT'}]"}, HF_ERROR_FAILED, "quota"},
	{{"denied-in-the-middle", "[{'kind':'denied','method':'PUT','match':'partNumber=3'}]"},
	 HF_ERROR_DENIED,
	 "access denied"},
	{{"clock-that-cannot-be-learnt", "[{'kind':'skewed','seconds':90}]"}, HF_ERROR_FAILED, "clock"},
};

/* What a read survives. */
static const Fault mended_reads[] = {
	{"cut-in-the-middle", "[{'kind':'cut-reply','method':'GET','times':1}]"},
	{"cut-again-and-again", "[{'kind':'cut-reply','method':'GET','times':12,'bytes':1500000}]"},
	{"short-with-an-agreeing-length", "[{'kind':'short-reply','method':'GET','times':1}]"},
	{"cut-before-the-first-byte", "[{'kind':'cut-reply','method':'GET','times':2,'bytes':0}]"},
	{"stalled", "[{'kind':'stall-reply','method':'GET','times':1,'seconds':20}]"},
	{"503-to-every-second", "[{'kind':'slowdown','method':'GET','every':2}]"},
};

static void
set_faults(const char *faults)
{
	g_autofree char *json = g_strdelimit(g_strdup(faults), "'", '"');

	fixture_faults(json);
}

/* Where the fault is a silence, that of a client who soon gives a connection up. */
static HfStore *
open_for(const Fault *fault, const char *prefix)
{
	return fixture_store_stalling(fixture_proxy(), prefix, strstr(fault->name, "stalled") ? 2 : 30);
}

static void
test_write_is_mended(gconstpointer data)
{
	const Fault *fault = data;
	g_autoptr(HfStore) store = open_for(fault, "mended");
	g_autoptr(HfStore) direct = fixture_store(NULL, "mended");
	g_autoptr(GBytes) bytes = fixture_bytes(MANY_BYTES);
	g_autoptr(GError) error = NULL;

	set_faults(fault->faults);
	g_assert_true(fixture_put(store, fault->name, bytes, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(fixture_count("faults"), >=, 1);
	g_autoptr(GBytes) read = fixture_get(direct, fault->name, HF_WHOLE, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(read, bytes));
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

static void
test_write_fails_and_leaves_nothing(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "failed");
	g_autoptr(HfStore) direct = fixture_store(NULL, "failed");
	g_autoptr(GBytes) bytes = fixture_bytes(MANY_BYTES);
	g_autoptr(GError) error = NULL;

	set_faults(failed_writes[i].fault.faults);
	g_assert_false(fixture_put(store, "x", bytes, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, HF_ERROR, (int)failed_writes[i].expected);
	g_assert_nonnull(strstr(error->message, failed_writes[i].words));
	g_autofree char *keys = fixture_keys(direct, NULL, NULL, NULL);
	g_assert_cmpstr(keys, ==, "");
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

static void
test_read_is_mended(gconstpointer data)
{
	const Fault *fault = data;
	g_autoptr(HfStore) store = open_for(fault, NULL);
	g_autoptr(GBytes) bytes = fixture_bytes(MANY_BYTES);
	g_autoptr(GError) error = NULL;

	set_faults("[]");
	g_assert_true(fixture_put(store, "read", bytes, &error));
	set_faults(fault->faults);
	if (strcmp(fault->name, "503-to-every-second") == 0)
		g_free(fixture_keys(store, "none", NULL,
				    NULL)); /* so that the first read is the second request */
	g_autoptr(GBytes) read = fixture_get(store, "read", HF_WHOLE, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(read, bytes));
	g_assert_cmpuint(fixture_count("faults"), >=, 1);
}

static void
test_a_body_that_never_comes_whole_is_corrupt(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), NULL);
	g_autoptr(GBytes) bytes = fixture_bytes(100000);
	g_autoptr(GError) error = NULL;

	set_faults("[{'kind':'short-reply','method':'GET','bytes':0}]");
	g_assert_true(fixture_put(store, "short", bytes, &error));
	g_assert_null(fixture_get(store, "short", HF_WHOLE, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
}

/* Replaces the object between the reply that was cut and the next one. */
static gpointer
replace_object(gpointer data)
{
	g_autoptr(HfStore) store = fixture_store(NULL, NULL);
	g_autoptr(GError) error = NULL;

	fixture_wait("held", 1);
	g_assert_true(fixture_put(store, "versions", data, &error));
	set_faults("[]");
	return NULL;
}

static void
test_a_read_does_not_mix_two_versions(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), NULL);
	g_autoptr(GBytes) before = fixture_bytes(1 << 20), after = fixture_bytes((1 << 20) + 4);
	g_autoptr(GError) error = NULL;
	GThread *replacer;

	set_faults("[]");
	g_assert_true(fixture_put(store, "versions", before, &error));
	set_faults("[{'kind':'cut-reply','method':'GET','times':1,'bytes':500000},"
		   "{'kind':'hold','method':'GET','times':1}]");
	replacer = g_thread_new("replacer", replace_object, after);
	g_assert_null(fixture_get(store, "versions", HF_WHOLE, &error));
	g_thread_join(replacer);
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
}

static gpointer
stop_when_held(gpointer data)
{
	fixture_wait("held", 1);
	hf_cancel_request();
	return data;
}

static void
test_a_stop_ends_a_stalled_upload_and_aborts_it(void)
{
	g_autoptr(HfStore) store = fixture_store_stalling(fixture_proxy(), "stopped", 3600);
	g_autoptr(GBytes) bytes = fixture_bytes(40 << 20);
	g_autoptr(GError) error = NULL;
	GThread *stopper;

	set_faults("[{'kind':'hold','method':'PUT'}]");
	stopper = g_thread_new("stopper", stop_when_held, NULL);
	/* Whoever waited for the replies would wait for an hour. */
	g_assert_false(fixture_put(store, "x", bytes, &error));
	g_thread_join(stopper);
	hf_cancel_reset();
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
	g_assert_cmpuint(fixture_count("held"), >, 0);
	/* These parts come too late: they must find no upload. */
	set_faults("[]");
	while (fixture_count("held") > 0)
		g_usleep(5000);
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

static void
test_create_knows_its_own_write_again(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "created");
	g_autoptr(GBytes) bytes = g_bytes_new_static("mine", 4);
	g_autoptr(GError) error = NULL;

	set_faults("[{'kind':'lose-reply','method':'PUT','times':1}]");
	g_assert_true(hf_store_create(store, "manifest", bytes, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(fixture_count("PUT"), ==, 2);
	g_assert_false(hf_store_create(store, "manifest", bytes, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
}

static void
test_a_server_without_conditions_is_told_about(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "unconditional");
	g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
	g_autoptr(GError) error = NULL;

	set_faults("[{'kind':'unsupported','method':'PUT','times':1}]");
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*If-None-Match*");
	g_assert_true(hf_store_create(store, "one", bytes, &error));
	g_test_assert_expected_messages();
	g_assert_true(hf_store_create(store, "two", bytes, &error));
	g_assert_false(hf_store_create(store, "two", bytes, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
}

/* Also where it takes a conditional write for a plain one, and says nothing. */
static void
test_a_probe_finds_out_what_conditions_are_worth(void)
{
	static const struct {
		const char *faults;
		bool is_worth_it;
	} cases[] = {
		{"[]", true},
		{"[{'kind':'lose-reply','method':'PUT','every':2}]", true},
		{"[{'kind':'unsupported','method':'PUT','skip':1}]", false},
		{"[{'kind':'pass-over','method':'PUT'}]", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "probed");
		g_autoptr(GError) error = NULL;
		g_autofree char *keys = NULL;
		HfConditions found;

		set_faults(cases[i].faults);
		g_assert_true(hf_store_probe(store, "probe", &found, &error));
		g_assert_no_error(error);
		g_assert_true(found.has_create == cases[i].is_worth_it);
		g_assert_true(found.has_replace == cases[i].is_worth_it);
		set_faults("[]");
		keys = fixture_keys(store, "probe", NULL, &error);
		g_assert_cmpstr(keys, ==, "");
	}
}

/* Also after a stop was asked for, where the handle is to be steadfast. */
static void
test_a_steadfast_handle_goes_on(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "steadfast");
	g_autoptr(HfStore) other = fixture_store(fixture_proxy(), "steadfast");
	g_autoptr(GBytes) one = g_bytes_new_static("one", 3);
	g_autoptr(GBytes) two = g_bytes_new_static("two", 3);
	g_autoptr(GBytes) read = NULL;
	g_autofree char *etag = NULL;
	g_autoptr(GError) error = NULL;

	set_faults("[]");
	hf_store_set_steadfast(store);
	hf_cancel_request();
	g_assert_true(hf_store_create(store, "it", one, NULL));
	g_assert_true(hf_store_get(store, "it", 3, &read, &etag, NULL));
	g_assert_true(hf_store_replace(store, "it", two, etag, NULL));
	g_assert_false(hf_store_create(other, "another", one, &error));
	hf_cancel_reset();
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
}

static void
test_a_small_object_is_one_request(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), NULL);
	g_autoptr(GBytes) bytes = fixture_bytes(5 << 20);

	set_faults("[]");
	g_assert_true(fixture_put(store, "one-request", bytes, NULL));
	g_assert_cmpuint(fixture_count("PUT"), ==, 1);
	g_assert_cmpuint(fixture_count("POST") + fixture_count("HEAD") + fixture_count("GET"), ==, 0);
}

static void
test_listing_and_removal_survive_503(void)
{
	static const char *const keys[] = {"a", "b", NULL};
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "listed");
	g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
	g_autoptr(GError) error = NULL;

	set_faults("[]");
	g_assert_true(fixture_put(store, "a", bytes, NULL) && fixture_put(store, "b", bytes, NULL));
	set_faults(
		"[{'kind':'slowdown','method':'GET','times':1},{'kind':'cut-reply','method':'GET','times':1},"
		"{'kind':'lose-reply','method':'POST','times':1}]");
	g_autofree char *listed = fixture_keys(store, NULL, NULL, &error);
	g_assert_cmpstr(listed, ==, "a\nb");
	g_assert_true(hf_store_remove(store, keys, &error));
	g_autofree char *left = fixture_keys(store, NULL, NULL, &error);
	g_assert_cmpstr(left, ==, "");
	g_assert_cmpuint(fixture_count("faults"), ==, 3);
}

static void
add_tables(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(mended_writes); i++) {
		g_autofree char *path = g_strconcat("/s3-fault/write-is-mended/", mended_writes[i].name,
						    NULL);

		g_test_add_data_func(path, &mended_writes[i], test_write_is_mended);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(failed_writes); i++) {
		g_autofree char *path = g_strconcat("/s3-fault/write-fails-and-leaves-nothing/",
						    failed_writes[i].fault.name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_write_fails_and_leaves_nothing);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(mended_reads); i++) {
		g_autofree char *path = g_strconcat("/s3-fault/read-is-mended/", mended_reads[i].name, NULL);

		g_test_add_data_func(path, &mended_reads[i], test_read_is_mended);
	}
}

int
main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	add_tables();
	g_test_add_func("/s3-fault/a-body-that-never-comes-whole-is-corrupt",
			test_a_body_that_never_comes_whole_is_corrupt);
	g_test_add_func("/s3-fault/a-read-does-not-mix-two-versions", test_a_read_does_not_mix_two_versions);
	g_test_add_func("/s3-fault/a-stop-ends-a-stalled-upload-and-aborts-it",
			test_a_stop_ends_a_stalled_upload_and_aborts_it);
	g_test_add_func("/s3-fault/create-knows-its-own-write-again", test_create_knows_its_own_write_again);
	g_test_add_func("/s3-fault/a-server-without-conditions-is-told-about",
			test_a_server_without_conditions_is_told_about);
	g_test_add_func("/s3-fault/a-probe-finds-out-what-conditions-are-worth",
			test_a_probe_finds_out_what_conditions_are_worth);
	g_test_add_func("/s3-fault/a-steadfast-handle-goes-on", test_a_steadfast_handle_goes_on);
	g_test_add_func("/s3-fault/a-small-object-is-one-request", test_a_small_object_is_one_request);
	g_test_add_func("/s3-fault/listing-and-removal-survive-503", test_listing_and_removal_survive_503);
	status = g_test_run();
	fixture_end();
	return status;
}
