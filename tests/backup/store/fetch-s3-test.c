/* Many objects out of a bucket: a real server, alone and behind a proxy that misbehaves. */
#include "config.h"

#include "tests/backup/store/many-fixture.h"
#include "tests/backup/store/s3-fixture.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "backup/store/fetch-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

#define SOME 60
#define LARGE_BYTES ((size_t)1 << 20)

static void
set_faults(const char *faults)
{
	g_autofree char *json = g_strdelimit(g_strdup(faults), "'", '"');

	fixture_faults(json);
}

/* The objects of many_put() under "some/", written once. */
static HfStore *
open_some(const char *endpoint)
{
	static bool is_written;
	g_autoptr(HfStore) direct = fixture_store(NULL, "some");

	if (!is_written)
		many_put(direct, SOME);
	is_written = true;
	return fixture_store(endpoint, "some");
}

static void
put_one(HfStore *store, const char *key, guint32 seed, size_t len)
{
	g_autoptr(GBytes) content = many_content(seed, len);
	g_autoptr(GError) error = NULL;

	(void)!fixture_put(store, key, content, &error);
	g_assert_no_error(error);
}

static void
want_content(const HfFetched *fetched, guint32 seed, size_t len)
{
	g_autoptr(GBytes) content = many_content(seed, len);

	g_assert_no_error(fetched->error);
	g_assert_cmpuint(fetched->bytes, ==, len);
	g_assert_nonnull(fetched->content);
	g_assert_true(g_bytes_equal(fetched->content, content));
}

static void
want_error(const HfFetched *fetched, HfError expected)
{
	g_assert_error(fetched->error, HF_ERROR, (int)expected);
	g_assert_null(fetched->content);
}

static void
test_a_thousand_come_in_order_within_the_budget(void)
{
	HfFetchOptions options = {.memory_bytes = 2 << 20, .large_bytes = 512 << 10};
	g_autoptr(HfStore) store = fixture_store(NULL, "thousand");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, &options);

	many_put(store, 1000);
	many_ask_all(fetch, 1000);
	many_want_all(fetch, 1000, NULL);
	g_test_message("held at most %zu bytes", fetch->held_peak_bytes);
	g_assert_cmpuint(fetch->held_peak_bytes, >, 1 << 20); /* it is used */
	g_assert_cmpuint(fetch->held_peak_bytes, <=, options.memory_bytes + options.large_bytes);
	g_assert_cmpuint(fetch->held_bytes, ==, 0);
}

static void
test_keys_of_all_kinds_come(void)
{
	static const char *const keys[] = {
		" ",     "+",     "%41",    "a//b", "../x",     "./y", "a?b=c&d",
		"\x01",  "#x",    "~",      "a\\b", "q\"uo'te", ":",   "\xc3\xa4\xf0\x9f\x98\x80",
		"tab\t", "nl\nx", "trail ", "dir/", "/lead"};
	g_autoptr(HfStore) store = fixture_store(NULL, "odd");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autofree char *longest = g_strnfill(1024 - strlen("odd/"), 'l');
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i <= G_N_ELEMENTS(keys); i++) {
		const char *key = i < G_N_ELEMENTS(keys) ? keys[i] : longest;
		g_autoptr(GBytes) content = g_bytes_new(key, strlen(key));

		g_assert_true(hf_put_object(put, key, NULL, content, &error));
		many_ask(fetch, key, strlen(key));
	}
	g_assert_true(hf_put_finish(put, &error));
	for (size_t i = 0; i <= G_N_ELEMENTS(keys); i++) {
		const char *key = i < G_N_ELEMENTS(keys) ? keys[i] : longest;
		const HfFetched *fetched = many_next(fetch);
		g_autoptr(GBytes) content = NULL;

		g_assert_no_error(fetched->error);
		content = g_bytes_new(key, strlen(key));
		g_assert_true(g_bytes_equal(fetched->content, content));
	}
}

static void
test_metadata_comes_as_it_was_given(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "meta");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	const HfFetched *fetched;

	g_free(fixture_aws("s3api", "put-object", "--bucket", fixture_bucket(), "--key", "meta/x",
			   "--content-type", "image/jpeg; q=\"1\"", "--cache-control", "max-age=60,  public",
			   "--content-disposition", "attachment; filename=\"a b.jpg\"", "--content-encoding",
			   "br", "--metadata",
			   "{\"owner\":\"42\",\"title\":\"=?UTF-8?Q?=C3=A4?=\",\"dash-ed-1\":\"x\"}", NULL));
	many_ask(fetch, "x", 0);
	fetched = many_next(fetch);
	g_assert_no_error(fetched->error);
	g_assert_cmpstr(fetched->meta.content_type, ==, "image/jpeg; q=\"1\"");
	g_assert_cmpstr(fetched->meta.cache_control, ==, "max-age=60,  public");
	g_assert_cmpstr(fetched->meta.content_disposition, ==, "attachment; filename=\"a b.jpg\"");
	g_assert_cmpstr(fetched->meta.content_encoding, ==, "br");
	g_assert_cmpuint(g_hash_table_size(fetched->meta.user), ==, 3);
	g_assert_cmpstr(g_hash_table_lookup(fetched->meta.user, "owner"), ==, "42");
	g_assert_cmpstr(g_hash_table_lookup(fetched->meta.user, "title"), ==, "=?UTF-8?Q?=C3=A4?=");
	g_assert_cmpstr(g_hash_table_lookup(fetched->meta.user, "dash-ed-1"), ==, "x");
	g_assert_cmpint(ABS(fetched->modified_s - g_get_real_time() / G_USEC_PER_SEC), <, 60);
}

static void
test_the_etag_is_that_of_the_listing(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "etag");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(HfListing) listing = NULL;
	g_autoptr(GError) error = NULL;
	const HfObject *object = NULL;
	const HfFetched *fetched;

	put_one(store, "x", 1, 1000);
	listing = hf_store_list(store, NULL, NULL, &error);
	g_assert_true(hf_listing_next(listing, &object, &error));
	hf_fetch_ask(fetch, object);
	fetched = many_next(fetch);
	g_assert_cmpstr(fetched->etag, ==, object->etag);
	g_assert_cmpint(fetched->modified_s, ==, object->modified_s);
}

static void
test_a_size_other_than_listed_is_taken_as_it_is(void)
{
	static const struct {
		const char *key;
		size_t listed, is;
	} cases[] = {
		{"grown", 10, 200000},
		{"shrunk", 200000, 10},
		{"emptied", 200000, 0},
		{"filled", 0, 200000},
		{"grown-large", 10, LARGE_BYTES + 1},
		{"shrunk-small", LARGE_BYTES + 1, 10},
		{"emptied-large", LARGE_BYTES + 1, 0},
		{"larger", LARGE_BYTES + 1, LARGE_BYTES + 2},
	};
	HfFetchOptions options = {.memory_bytes = LARGE_BYTES, .large_bytes = LARGE_BYTES};
	g_autoptr(HfStore) store = fixture_store(NULL, "sizes");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, &options);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		put_one(store, cases[i].key, (guint32)i, cases[i].is);
		many_ask(fetch, cases[i].key, cases[i].listed);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const HfFetched *fetched = many_next(fetch);

		g_assert_cmpstr(fetched->key, ==, cases[i].key);
		if (cases[i].is <= LARGE_BYTES) {
			want_content(fetched, (guint32)i, cases[i].is);
			continue;
		}
		g_assert_no_error(fetched->error);
		g_assert_null(fetched->content);
		g_assert_cmpuint(fetched->bytes, ==, cases[i].is);
	}
	g_assert_cmpuint(fetch->held_peak_bytes, <=, 2 * LARGE_BYTES);
}

/* Streams what came last, and wants all of it. */
static void
want_stream(HfFetch *fetch, guint32 seed, size_t len)
{
	g_autoptr(GBytes) content = many_content(seed, len);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(64 << 20);
	g_autoptr(GError) error = NULL;

	(void)!hf_fetch_stream(fetch, sink, &error);
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(sink, &error));
	g_autoptr(GBytes) came = hf_sink_bytes_get(sink);
	g_assert_true(g_bytes_equal(came, content));
}

static void
test_large_objects_are_streamed_among_small_ones(void)
{
	HfFetchOptions options = {.large_bytes = LARGE_BYTES};
	g_autoptr(HfStore) direct = fixture_store(NULL, "mixed");
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "mixed");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, &options);

	put_one(direct, "large", 1, 12000000);
	put_one(direct, "small", 2, 20000);
	set_faults("[{'kind':'cut-reply','match':'large','every':3,'bytes':3000000}]");
	for (int i = 0; i < 3; i++) {
		many_ask(fetch, "small", 20000);
		many_ask(fetch, "large", 12000000);
	}
	for (int i = 0; i < 3; i++) {
		want_content(many_next(fetch), 2, 20000);
		g_assert_no_error(many_next(fetch)->error);
		want_stream(fetch, 1, 12000000);
	}
	g_assert_cmpuint(fixture_count("faults"), >, 0);
	g_assert_null(many_next(fetch));
}

/* A stage that does something to the object when its first bytes come. */
typedef struct {
	HfStage base;
	HfStore *store;
	bool removes;
	size_t bytes;
} Changer;

static bool
changer_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	static const char *const keys[] = {"large", NULL};
	Changer *changer = (Changer *)self;

	(void)buf;
	if (changer->bytes == 0 && changer->removes)
		g_assert_true(hf_store_remove(changer->store, keys, error));
	else if (changer->bytes == 0)
		put_one(changer->store, "large", 2, 12000000);
	changer->bytes += len;
	return true;
}

static const HfStageOps changer_ops = {.name = "changer", .write = changer_write};

static void
test_a_large_object_that_changes_never_comes_whole(gconstpointer data)
{
	HfFetchOptions options = {.large_bytes = LARGE_BYTES};
	g_autoptr(HfStore) direct = fixture_store(NULL, "changes");
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "changes");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, &options);
	Changer *changer = g_new0(Changer, 1);
	g_autoptr(HfStage) stage = &changer->base;
	g_autoptr(GError) error = NULL;

	hf_stage_init(stage, &changer_ops, NULL);
	changer->store = direct;
	changer->removes = GPOINTER_TO_INT(data) != 0;
	put_one(direct, "large", 1, 12000000);
	set_faults("[{'kind':'cut-reply','match':'large','skip':1,'times':1}]");
	many_ask(fetch, "large", 12000000);
	g_assert_no_error(many_next(fetch)->error);
	g_assert_false(hf_fetch_stream(fetch, stage, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	g_assert_cmpuint(changer->bytes, >, 0);
	g_assert_cmpuint(changer->bytes, <, 12000000);
}

/* A reply is cut, and the next one is held back. */
#define CUT_AND_HOLD "[{'kind':'cut-reply','match':'/x','times':1},{'kind':'hold','match':'/x','times':1}]"

/* Replaces the object between a reply that is cut and the next one, so many times. */
typedef struct {
	unsigned times;
	gint stop;
} Replacer;

static gpointer
replace_behind_cuts(gpointer data)
{
	Replacer *replacer = data;
	g_autoptr(HfStore) direct = fixture_store(NULL, "replaced");
	unsigned done = 0;

	while (done < replacer->times && !g_atomic_int_get(&replacer->stop)) {
		if (fixture_count("faults") == 2) {
			put_one(direct, "x", 101 + done++, 200000);
			set_faults(done < replacer->times ? CUT_AND_HOLD : "[]");
		}
		g_usleep(5000);
	}
	return NULL;
}

/* Read as version 1, cut, refused as it was replaced, and read as the version after that. */
static void
test_a_replaced_object_is_one_version(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "replaced");
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "replaced");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	Replacer replacer = {1, 0};
	GThread *thread;

	put_one(direct, "x", 1, 200000);
	set_faults(CUT_AND_HOLD);
	thread = g_thread_new("replacer", replace_behind_cuts, &replacer);
	many_ask(fetch, "x", 200000);
	want_content(many_next(fetch), 101, 200000);
	g_thread_join(thread);
	g_assert_cmpuint(fixture_count("GET"), ==, 1); /* after the one that was held */
}

static void
test_an_object_that_is_always_replaced_is_a_conflict(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "replaced");
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "replaced");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	Replacer replacer = {G_MAXUINT, 0};
	GThread *thread;

	put_one(direct, "x", 1, 200000);
	set_faults(CUT_AND_HOLD);
	thread = g_thread_new("replacer", replace_behind_cuts, &replacer);
	many_ask(fetch, "x", 200000);
	want_error(many_next(fetch), HF_ERROR_CONFLICT);
	g_atomic_int_set(&replacer.stop, 1);
	g_thread_join(thread);
}

/* The length agrees with what came, so that nobody else would notice; the listing's ETag and size do not. */
static void
test_a_body_cut_with_an_agreeing_length_is_read_again(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "agreeing");
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "agreeing");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(HfListing) listing = NULL;
	g_autoptr(GError) error = NULL;
	const HfObject *object = NULL;

	put_one(direct, "cut", 1, 100000);
	put_one(direct, "cut-to-nothing", 2, 100000);
	set_faults("[{'kind':'short-reply','match':'/cut-to-nothing','bytes':0,'times':1},"
		   "{'kind':'short-reply','match':'/cut','times':2}]");
	listing = hf_store_list(direct, NULL, NULL, &error);
	while (hf_listing_next(listing, &object, &error) && object)
		hf_fetch_ask(fetch, object);
	g_assert_no_error(error);
	want_content(many_next(fetch), 1, 100000);
	want_content(many_next(fetch), 2, 100000);
	g_assert_cmpuint(fixture_count("faults"), ==, 3);
}

/* ---- tables ---- */

typedef struct {
	const char *name;
	const char *faults;
	HfError expected;
	const char *words;
} Fault;

/* What retries mend: all come. */
static const Fault mended[] = {
	{.name = "503-to-one-in-five", .faults = "[{'kind':'slowdown','every':5}]"},
	{.name = "429-to-one-in-five", .faults = "[{'kind':'toomany','every':5}]"},
	{.name = "one-in-five-cut-in-the-middle", .faults = "[{'kind':'cut-reply','every':5}]"},
	{.name = "one-in-five-cut-before-the-body", .faults = "[{'kind':'cut-reply','every':5,'bytes':0}]"},
	{.name = "one-in-five-never-answered", .faults = "[{'kind':'lose-reply','every':5}]"},
	{.name = "one-stalls", .faults = "[{'kind':'stall-reply','times':1,'seconds':20}]"},
	{.name = "clock-refused-once", .faults = "[{'kind':'skewed','times':1,'seconds':300}]"},
};

/* With so many tries that no object meets a fault that is done to one in five in all of them. */
static HfStore *
open_patient(void)
{
	HfS3Options options = {.bucket = fixture_bucket(),
			       .prefix = "some",
			       .endpoint_url = fixture_proxy(),
			       .tries = 9,
			       .stall_s = 2};
	g_autoptr(GError) error = NULL;
	HfStore *store = hf_s3_open(&options, fixture_credentials(), &error);

	g_assert_no_error(error);
	return store;
}

static void
test_all_come_whole_with(gconstpointer data)
{
	const Fault *fault = data;
	g_autoptr(HfStore) written = open_some(NULL);
	g_autoptr(HfStore) store = open_patient();
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);

	set_faults(fault->faults);
	many_ask_all(fetch, SOME);
	many_want_all(fetch, SOME, NULL);
	g_assert_cmpuint(fixture_count("faults"), >, 0);
}

/* What belongs to one object: it has the error, and all others come. */
static const Fault troubles[] = {
	{"forbidden", "[{'kind':'denied','match':'00030'}]", HF_ERROR_DENIED, "access denied"},
	{"in-cold-storage", "[{'kind':'archived','match':'00030'}]", HF_ERROR_DENIED,
	 "archive storage class"},
	{"always-500", "[{'kind':'error500','match':'00030'}]", HF_ERROR_TRANSIENT, "InternalError"},
	{"always-cut-before-the-body", "[{'kind':'cut-reply','match':'00030','bytes':0}]", HF_ERROR_TRANSIENT,
	 "broke"},
};

static void
test_only_one_object_suffers_when_it_is(gconstpointer data)
{
	const Fault *fault = data;
	g_autoptr(HfStore) store = open_some(fixture_proxy());
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(HfFetch) again = hf_fetch_new(store, NULL);
	const HfFetched *fetched;

	set_faults(fault->faults);
	many_ask_all(fetch, SOME);
	many_want_all(fetch, SOME, "00030.jpg");
	many_ask(again, "00030.jpg",
		 5); /* alone, too: nothing else comes that would prove the server to live */
	fetched = many_next(again);
	g_test_message("%s", fetched->error->message);
	g_assert_error(fetched->error, HF_ERROR, (int)fault->expected);
	g_assert_nonnull(strstr(fetched->error->message, fault->words));
	g_assert_nonnull(strstr(fetched->error->message, "00030.jpg"));
}

static void
test_a_vanished_object_is_not_found(void)
{
	g_autoptr(HfStore) store = open_some(NULL);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);

	many_ask(fetch, "00001.jpg", many_size(1));
	many_ask(fetch, "gone", 10);
	many_ask(fetch, "gone-large", 100 << 20);
	many_ask(fetch, "00002.jpg", many_size(2));
	want_content(many_next(fetch), 1, many_size(1));
	want_error(many_next(fetch), HF_ERROR_NOT_FOUND);
	want_error(many_next(fetch), HF_ERROR_NOT_FOUND);
	want_content(many_next(fetch), 2, many_size(2));
}

static void
test_a_large_object_in_cold_storage_is_told_before_it_is_streamed(void)
{
	g_autoptr(HfStore) store = open_some(fixture_proxy());
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);

	set_faults("[{'kind':'archived'}]");
	many_ask(fetch, "large", 100 << 20);
	want_error(many_next(fetch), HF_ERROR_DENIED);
}

/* What is not one object's: it ends. */
static const Fault ends[] = {
	{"the-bucket-is-gone", "[{'kind':'no-bucket','skip':20}]", HF_ERROR_USAGE, "does not exist"},
	{"the-keys-have-expired", "[{'kind':'expired','skip':20}]", HF_ERROR_DENIED, "expired"},
	{"the-key-is-unknown", "[{'kind':'unknown-key','skip':20}]", HF_ERROR_USAGE, "does not know"},
	{"503-for-ever", "[{'kind':'slowdown','skip':20}]", HF_ERROR_TRANSIENT, "busy"},
	{"500-for-ever", "[{'kind':'error500','skip':20}]", HF_ERROR_TRANSIENT, "InternalError"},
	{"nothing-is-answered-any-more", "[{'kind':'lose-reply','skip':20}]", HF_ERROR_TRANSIENT, "broke"},
};

static void
test_it_ends_when(gconstpointer data)
{
	const Fault *fault = data;
	g_autoptr(HfStore) store = open_some(fixture_proxy());
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(GError) error = NULL, again = NULL;
	const HfFetched *fetched;
	unsigned came = 0;

	set_faults(fault->faults);
	many_ask_all(fetch, SOME);
	while (hf_fetch_next(fetch, &fetched, &error) && fetched)
		came += !fetched->error;
	g_assert_error(error, HF_ERROR, (int)fault->expected);
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, fault->words));
	g_assert_cmpuint(came, <=, 20);
	g_assert_false(hf_fetch_next(fetch, &fetched, &again));
	g_assert_cmpstr(again->message, ==, error->message);
}

static void
test_it_ends_when_nobody_is_at_the_endpoint(void)
{
	g_autoptr(HfStore) store = fixture_store("http://127.0.0.1:1", NULL);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched;

	many_ask(fetch, "x", 1);
	g_assert_false(hf_fetch_next(fetch, &fetched, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
	g_assert_nonnull(strstr(error->message, "cannot be reached"));
}

static void
test_connections_are_few_and_kept(void)
{
	HfFetchOptions options = {.connections = 4};
	g_autoptr(HfStore) written = open_some(NULL);
	g_autoptr(HfStore) store = open_some(fixture_proxy());
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, &options);

	set_faults("[]");
	many_ask_all(fetch, SOME);
	many_want_all(fetch, SOME, NULL);
	g_assert_cmpuint(fixture_count("GET"), ==, SOME); /* and one request each */
	g_assert_cmpuint(fixture_count("connections"), <=,
			 4 + 2); /* two are ours: this question and the one above */
}

static void
test_it_speaks_tls(void)
{
	HfS3Options options = {.bucket = fixture_bucket(),
			       .prefix = "some",
			       .endpoint_url = fixture_env("HF_TEST_S3_TLS_ENDPOINT"),
			       .ca_file = fixture_env("HF_TEST_S3_CA")};
	g_autoptr(HfStore) written = open_some(NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = hf_s3_open(&options, fixture_credentials(), &error);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);

	many_ask_all(fetch, SOME);
	many_want_all(fetch, SOME, NULL);
}

/* Nobody trusts the certificate: that is no trouble of an object's. */
static void
test_it_ends_when_the_server_is_not_trusted(void)
{
	g_autoptr(HfStore) store = fixture_store(fixture_env("HF_TEST_S3_TLS_ENDPOINT"), "some");
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched;

	many_ask(fetch, "00001.jpg", 5);
	g_assert_false(hf_fetch_next(fetch, &fetched, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "AWS_CA_BUNDLE"));
}

static gpointer
stop_when_stalled(gpointer data)
{
	fixture_wait("faults", 1);
	hf_cancel_request();
	return data;
}

static void
test_a_stop_ends_it_at_once(void)
{
	g_autoptr(HfStore) written = open_some(NULL);
	g_autoptr(HfStore) store = fixture_store_stalling(fixture_proxy(), "some", 3600);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched = NULL;
	GThread *thread;
	unsigned came = 0;

	set_faults("[{'kind':'stall-reply','skip':20}]");
	thread = g_thread_new("stop", stop_when_stalled, NULL);
	many_ask_all(fetch, SOME);
	/* Whoever waited for the replies would wait for an hour. */
	while (hf_fetch_next(fetch, &fetched, &error) && fetched)
		came++;
	g_thread_join(thread);
	hf_cancel_reset();
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
	g_assert_cmpuint(came, <, SOME);
}

static void
test_it_may_be_given_up_in_the_middle(void)
{
	g_autoptr(HfStore) store = open_some(NULL);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);

	many_ask_all(fetch, SOME);
	for (int i = 0; i < 5; i++)
		g_assert_no_error(many_next(fetch)->error);
}

static void
add_table(const char *name, const Fault *faults, size_t count, GTestDataFunc test)
{
	for (size_t i = 0; i < count; i++) {
		g_autofree char *path = g_strdup_printf("/fetch-s3/%s/%s", name, faults[i].name);

		g_test_add_data_func(path, &faults[i], test);
	}
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		GTestFunc test;
	} tests[] = {
		{"a-thousand-come-in-order-within-the-budget",
		 test_a_thousand_come_in_order_within_the_budget},
		{"keys-of-all-kinds-come", test_keys_of_all_kinds_come},
		{"metadata-comes-as-it-was-given", test_metadata_comes_as_it_was_given},
		{"the-etag-is-that-of-the-listing", test_the_etag_is_that_of_the_listing},
		{"a-size-other-than-listed-is-taken-as-it-is",
		 test_a_size_other_than_listed_is_taken_as_it_is},
		{"large-objects-are-streamed-among-small-ones",
		 test_large_objects_are_streamed_among_small_ones},
		{"a-replaced-object-is-one-version", test_a_replaced_object_is_one_version},
		{"an-object-that-is-always-replaced-is-a-conflict",
		 test_an_object_that_is_always_replaced_is_a_conflict},
		{"a-body-cut-with-an-agreeing-length-is-read-again",
		 test_a_body_cut_with_an_agreeing_length_is_read_again},
		{"a-vanished-object-is-not-found", test_a_vanished_object_is_not_found},
		{"a-large-object-in-cold-storage-is-told-before-it-is-streamed",
		 test_a_large_object_in_cold_storage_is_told_before_it_is_streamed},
		{"it-ends-when-nobody-is-at-the-endpoint", test_it_ends_when_nobody_is_at_the_endpoint},
		{"it-ends-when-the-server-is-not-trusted", test_it_ends_when_the_server_is_not_trusted},
		{"it-speaks-tls", test_it_speaks_tls},
		{"connections-are-few-and-kept", test_connections_are_few_and_kept},
		{"a-stop-ends-it-at-once", test_a_stop_ends_it_at_once},
		{"it-may-be-given-up-in-the-middle", test_it_may_be_given_up_in_the_middle},
	};
	int status;

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/fetch-s3/", tests[i].name, NULL);

		g_test_add_func(path, tests[i].test);
	}
	g_test_add_data_func("/fetch-s3/a-large-object-never-comes-whole/replaced", GINT_TO_POINTER(0),
			     test_a_large_object_that_changes_never_comes_whole);
	g_test_add_data_func("/fetch-s3/a-large-object-never-comes-whole/removed", GINT_TO_POINTER(1),
			     test_a_large_object_that_changes_never_comes_whole);
	add_table("all-come-whole-with", mended, G_N_ELEMENTS(mended), test_all_come_whole_with);
	add_table("only-one-object-suffers-when-it-is", troubles, G_N_ELEMENTS(troubles),
		  test_only_one_object_suffers_when_it_is);
	add_table("it-ends-when", ends, G_N_ELEMENTS(ends), test_it_ends_when);
	status = g_test_run();
	fixture_end();
	return status;
}
