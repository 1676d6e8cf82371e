/* Many objects into a folder and into a bucket. */
#include "config.h"

#include "tests/backup/store/many-fixture.h"
#include "tests/backup/store/s3-fixture.h"
#include "backup/store/dir.h"
#include "common/cancel.h"
#include "common/error.h"
#include "common/json.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define SOME 60

static void
set_faults(const char *faults)
{
	g_autofree char *json = g_strdelimit(g_strdup(faults), "'", '"');

	fixture_faults(json);
}

/* Puts one object of five bytes. */
static bool
put_one(HfPut *put, const char *key, const HfObjectMeta *meta, GError **error)
{
	g_autoptr(GBytes) content = g_bytes_new_static("hello", 5);

	return hf_put_object(put, key, meta, content, error);
}

static GHashTable *
user_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static HfObjectMeta
rich_meta(GHashTable *user)
{
	HfObjectMeta meta = {.content_type = "image/jpeg",
			     .cache_control = "max-age=60",
			     .content_disposition = "attachment; filename=\"a b.jpg\"",
			     .content_encoding = "br",
			     .user = user};

	g_hash_table_insert(user, g_strdup("owner"), g_strdup("42"));
	g_hash_table_insert(user, g_strdup("title"), g_strdup("=?UTF-8?Q?=C3=A4?="));
	return meta;
}

static void
want_rich_meta(const HfObjectMeta *meta)
{
	g_assert_cmpstr(meta->content_type, ==, "image/jpeg");
	g_assert_cmpstr(meta->cache_control, ==, "max-age=60");
	g_assert_cmpstr(meta->content_disposition, ==, "attachment; filename=\"a b.jpg\"");
	g_assert_cmpstr(meta->content_encoding, ==, "br");
	g_assert_cmpuint(g_hash_table_size(meta->user), ==, 2);
	g_assert_cmpstr(g_hash_table_lookup(meta->user, "owner"), ==, "42");
	g_assert_cmpstr(g_hash_table_lookup(meta->user, "title"), ==, "=?UTF-8?Q?=C3=A4?=");
}

/* By put, and by a write: the two must keep the same. */
static void
test_metadata_comes_back_from(HfStore *store)
{
	g_autoptr(GHashTable) user = user_new();
	HfObjectMeta meta = rich_meta(user);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(HfStage) stage = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(put_one(put, "put", &meta, &error));
	g_assert_true(hf_put_finish(put, &error));
	stage = hf_store_write(store, "written", &meta, &error);
	g_assert_true(hf_stage_write(stage, "hello", 5, &error));
	g_assert_true(hf_stage_finish(stage, &error));
	many_ask(fetch, "put", 5);
	many_ask(fetch, "written", 5);
	for (int i = 0; i < 2; i++) {
		const HfFetched *fetched = many_next(fetch);

		g_assert_no_error(fetched->error);
		want_rich_meta(&fetched->meta);
	}
}

static void
test_metadata_comes_back_from_a_folder(void)
{
	g_autoptr(many_folder) folder = many_folder_new();
	g_autoptr(HfStore) store = hf_dir_open(folder, NULL);

	test_metadata_comes_back_from(store);
}

static void
test_metadata_comes_back_from_a_bucket(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "meta");

	test_metadata_comes_back_from(store);
}

static void
want_member(HfJson *head, const char *name, const char *expected)
{
	const char *value = NULL;
	g_autoptr(GError) error = NULL;

	(void)!hf_json_get_text(head, name, &value, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(value, ==, expected);
}

static void
test_metadata_is_what_awscli_sees(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "judged");
	g_autoptr(GHashTable) user = user_new();
	HfObjectMeta meta = rich_meta(user);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *seen = NULL;
	g_autoptr(HfJson) head = NULL;
	HfJson *metadata = NULL;

	g_assert_true(put_one(put, "x", &meta, &error));
	g_assert_true(hf_put_finish(put, &error));
	seen = fixture_aws("s3api", "head-object", "--output", "json", "--bucket", fixture_bucket(), "--key",
			   "judged/x", NULL);
	head = hf_json_parse(seen, strlen(seen), &error);
	g_assert_no_error(error);
	want_member(head, "ContentType", meta.content_type);
	want_member(head, "CacheControl", meta.cache_control);
	want_member(head, "ContentDisposition", meta.content_disposition);
	want_member(head, "ContentEncoding", meta.content_encoding);
	g_assert_true(hf_json_get_object(head, "Metadata", &metadata, &error));
	want_member(metadata, "owner", "42");
	want_member(metadata, "title", "=?UTF-8?Q?=C3=A4?=");
}

/* Another program, by the name that the freedesktop convention gives. */
static void
test_the_type_is_where_others_look_for_it(void)
{
	g_autoptr(many_folder) folder = many_folder_new();
	g_autoptr(HfStore) store = hf_dir_open(folder, NULL);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autofree char *path = g_build_filename(folder, "x", NULL);
	HfObjectMeta meta = {.content_type = "image/png"};
	g_autofree char *seen = NULL, *errors = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	g_assert_true(put_one(put, "x", &meta, &error));
	g_assert_true(hf_put_finish(put, &error));
	const char *argv[] = {
		"python3", "-c",
		"import os,sys; print(os.getxattr(sys.argv[1], 'user.mime_type').decode(), end='')", path,
		NULL};
	g_auto(GStrv) copy = g_strdupv((char **)(void *)argv);
	g_assert_true(g_spawn_sync(NULL, copy, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &seen, &errors, &status,
				   &error));
	g_assert_cmpstr(errors, ==, "");
	g_assert_cmpstr(seen, ==, "image/png");
}

/* Far more than a file system has room for: the object is stored without. */
static void
test_metadata_without_room_is_left_out(void)
{
	g_autoptr(many_folder) folder = many_folder_new();
	g_autoptr(HfStore) store = hf_dir_open(folder, NULL);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autofree char *long_value = g_strnfill(200000, 'v');
	HfObjectMeta meta = {.content_type = "image/png", .cache_control = long_value};
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched;

	g_assert_true(put_one(put, "x", &meta, &error));
	g_assert_true(hf_put_finish(put, &error));
	many_ask(fetch, "x", 5);
	fetched = many_next(fetch);
	g_assert_no_error(fetched->error);
	g_assert_cmpstr(fetched->meta.content_type, ==, "image/png");
	g_assert_null(fetched->meta.cache_control);
}

/* As any program would make them, so that the application that reads them may be another user. */
static void
test_what_is_put_has_the_modes_of_the_umask(void)
{
	g_autoptr(many_folder) folder = many_folder_new();
	g_autoptr(HfStore) store = hf_dir_open(folder, NULL);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autofree char *file = g_build_filename(folder, "a/b/x", NULL);
	g_autofree char *parent = g_path_get_dirname(file);
	g_autoptr(GError) error = NULL;
	mode_t before = umask(022);
	GStatBuf info;

	g_assert_true(put_one(put, "a/b/x", NULL, &error));
	g_assert_true(hf_put_finish(put, &error));
	umask(before);
	g_assert_cmpint(g_stat(file, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0644);
	g_assert_cmpint(g_stat(parent, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0755);
}

static void
test_what_is_written_stays_private(void)
{
	g_autoptr(many_folder) folder = many_folder_new();
	g_autoptr(HfStore) store = hf_dir_open(folder, NULL);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autofree char *file = g_build_filename(folder, "a/x", NULL);
	g_autoptr(GError) error = NULL;
	GStatBuf info;

	g_clear_pointer(&put, hf_put_free);
	g_autoptr(HfStage) stage = hf_store_write(store, "a/x", NULL, &error);
	g_assert_true(hf_stage_write(stage, "hello", 5, &error) && hf_stage_finish(stage, &error));
	g_assert_cmpint(g_stat(file, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

static void
test_a_folder_keeps_no_half_of_a_refused_object(void)
{
	g_autoptr(many_folder) folder = many_folder_new();
	g_autoptr(HfStore) store = hf_dir_open(folder, NULL);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GError) error = NULL, again = NULL;
	g_autofree char *keys = NULL;

	g_assert_true(put_one(put, "a", NULL, &error));
	g_assert_false(put_one(put, "a/b", NULL, &error)); /* "a" is a file */
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	g_assert_nonnull(strstr(error->message, "a/b"));
	g_assert_false(hf_put_finish(put, &again));
	g_assert_cmpstr(again->message, ==, error->message);
	keys = fixture_keys(store, NULL, NULL, NULL);
	g_assert_cmpstr(keys, ==, "a");
}

/* ---- a bucket ---- */

static void
test_what_is_no_header_is_refused_by_name(void)
{
	static const struct {
		HfObjectMeta meta;
		const char *name, *value, *words;
	} cases[] = {
		{{.content_type = "a\r\nx-evil: 1"}, NULL, NULL, "content-type"},
		{{0}, "bad name", "x", "bad name"},
		{{0}, "n", "a\nb", "x-amz-meta-n"},
	};
	g_autoptr(HfStore) store = fixture_store(NULL, "refused");

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfPut) put = hf_put_new(store, NULL);
		g_autoptr(GHashTable) user = user_new();
		HfObjectMeta meta = cases[i].meta;
		g_autoptr(GError) error = NULL;

		if (cases[i].name)
			g_hash_table_insert(user, g_strdup(cases[i].name), g_strdup(cases[i].value));
		meta.user = user;
		g_assert_false(put_one(put, "some-key", &meta, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
		g_assert_nonnull(strstr(error->message, "some-key"));
		g_assert_nonnull(strstr(error->message, cases[i].words));
	}
}

/* The values of metadata are bytes: what is not ASCII goes and comes as it is. */
static void
test_values_that_are_not_ascii_are_kept(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "bytes");
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, NULL);
	g_autoptr(GHashTable) user = user_new();
	HfObjectMeta meta = {.content_disposition = "inline; filename=\"\xc3\xa4.jpg\"", .user = user};
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched;

	g_hash_table_insert(user, g_strdup("title"), g_strdup("\xe5\x86\x99\xe7\x9c\x9f  two"));
	g_assert_true(put_one(put, "x", &meta, &error));
	g_assert_true(hf_put_finish(put, &error));
	many_ask(fetch, "x", 5);
	fetched = many_next(fetch);
	g_assert_no_error(fetched->error);
	g_assert_cmpstr(fetched->meta.content_disposition, ==, "inline; filename=\"\xc3\xa4.jpg\"");
	g_assert_cmpstr(g_hash_table_lookup(fetched->meta.user, "title"), ==,
			"\xe5\x86\x99\xe7\x9c\x9f  two");
}

typedef struct {
	const char *name;
	const char *faults;
	HfError expected;
	const char *words;
} Fault;

static const Fault mended[] = {
	{.name = "503-to-one-in-five", .faults = "[{'kind':'slowdown','method':'PUT','every':5}]"},
	{.name = "one-in-five-cut", .faults = "[{'kind':'reset-request','method':'PUT','every':5}]"},
	{.name = "one-in-five-replies-lost", .faults = "[{'kind':'lose-reply','method':'PUT','every':5}]"},
};

static void
test_all_arrive_whole_with(gconstpointer data)
{
	const Fault *fault = data;
	HfS3Options options = {.bucket = fixture_bucket(),
			       .prefix = fault->name,
			       .endpoint_url = fixture_proxy(),
			       .tries = 9};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = hf_s3_open(&options, fixture_credentials(), &error);
	g_autoptr(HfStore) direct = fixture_store(NULL, fault->name);
	g_autoptr(HfFetch) fetch = hf_fetch_new(direct, NULL);

	set_faults(fault->faults);
	many_put(store, SOME);
	g_assert_cmpuint(fixture_count("faults"), >, 0);
	many_ask_all(fetch, SOME);
	many_want_all(fetch, SOME, NULL);
}

static const Fault refused[] = {
	{"the-bucket-is-gone", "[{'kind':'no-bucket','skip':20}]", HF_ERROR_USAGE, "does not exist"},
	{"one-is-denied", "[{'kind':'denied','match':'00030'}]", HF_ERROR_DENIED, "00030.jpg"},
	{"the-quota-is-used-up", "[{'kind':'quota','match':'00030'}]", HF_ERROR_FAILED, "00030.jpg"},
	{"one-gets-503-for-ever", "[{'kind':'slowdown','match':'00030'}]", HF_ERROR_TRANSIENT, "00030.jpg"},
};

static void
test_it_fails_when(gconstpointer data)
{
	const Fault *fault = data;
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "fails");
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GError) error = NULL, again = NULL;
	bool is_done = true;

	set_faults(fault->faults);
	for (guint32 i = 0; i < SOME && is_done; i++) {
		g_autoptr(GBytes) content = many_content(i, many_size(i));

		is_done = hf_put_object(put, many_key(i), NULL, content, &error);
	}
	if (is_done)
		g_assert_false(hf_put_finish(put, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, HF_ERROR, (int)fault->expected);
	g_assert_nonnull(strstr(error->message, fault->words));
	g_assert_false(hf_put_finish(put, &again));
	g_assert_cmpstr(again->message, ==, error->message);
}

static gpointer
let_go(gpointer is_let_go)
{
	fixture_wait("held", 2);
	g_usleep(300000); /* for one that does not wait to show itself */
	g_assert_cmpuint(fixture_count("PUT"), ==, 2);
	g_atomic_int_set((gint *)is_let_go, 1);
	set_faults("[]");
	return NULL;
}

/* The proxy holds the replies back: what is in flight must stay within the budget, and one connection each. */
static void
test_it_waits_where_the_budget_is_used_up(void)
{
	HfPutOptions options = {.memory_bytes = 250000};
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "budget");
	g_autoptr(HfPut) put = hf_put_new(store, &options);
	g_autoptr(GBytes) content = many_content(1, 100000);
	g_autoptr(GError) error = NULL;
	gint is_let_go = 0;
	GThread *thread;

	set_faults("[{'kind':'hold','method':'PUT'}]");
	g_assert_true(hf_put_object(put, "a", NULL, content, &error));
	g_assert_true(hf_put_object(put, "b", NULL, content, &error));
	thread = g_thread_new("let-go", let_go, &is_let_go);
	g_assert_true(hf_put_object(put, "c", NULL, content, &error));
	g_assert_cmpint(g_atomic_int_get(&is_let_go), ==, 1);
	g_thread_join(thread);
	g_assert_true(hf_put_finish(put, &error));
	g_assert_cmpuint(fixture_count("PUT"), ==, 1); /* since they were let go */
}

static gpointer
stop_when_held(gpointer data)
{
	fixture_wait("held", 1);
	hf_cancel_request();
	return data;
}

static void
test_a_stop_ends_it_at_once(void)
{
	g_autoptr(HfStore) store = fixture_store_stalling(fixture_proxy(), "stopped", 3600);
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GError) error = NULL;
	GThread *thread;

	set_faults("[{'kind':'hold'}]");
	g_assert_true(put_one(put, "x", NULL, &error));
	thread = g_thread_new("stop", stop_when_held, NULL);
	/* Whoever waited for the reply would wait for an hour. */
	g_assert_false(hf_put_finish(put, &error));
	g_thread_join(thread);
	hf_cancel_reset();
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
	g_assert_cmpuint(fixture_count("held"), ==, 1);
	set_faults("[]");
}

static void
test_it_may_be_given_up_in_the_middle(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "given-up");
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GBytes) content = many_content(1, 300000);
	g_autoptr(GError) error = NULL;

	for (guint32 i = 0; i < 20; i++)
		g_assert_true(hf_put_object(put, many_key(i), NULL, content, &error));
}

static void
add_table(const char *name, const Fault *faults, size_t count, GTestDataFunc test)
{
	for (size_t i = 0; i < count; i++) {
		g_autofree char *path = g_strdup_printf("/put/%s/%s", name, faults[i].name);

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
		{"metadata-comes-back-from-a-folder", test_metadata_comes_back_from_a_folder},
		{"the-type-is-where-others-look-for-it", test_the_type_is_where_others_look_for_it},
		{"metadata-without-room-is-left-out", test_metadata_without_room_is_left_out},
		{"what-is-put-has-the-modes-of-the-umask", test_what_is_put_has_the_modes_of_the_umask},
		{"what-is-written-stays-private", test_what_is_written_stays_private},
		{"a-folder-keeps-no-half-of-a-refused-object",
		 test_a_folder_keeps_no_half_of_a_refused_object},
		{"metadata-comes-back-from-a-bucket", test_metadata_comes_back_from_a_bucket},
		{"metadata-is-what-awscli-sees", test_metadata_is_what_awscli_sees},
		{"what-is-no-header-is-refused-by-name", test_what_is_no_header_is_refused_by_name},
		{"values-that-are-not-ascii-are-kept", test_values_that_are_not_ascii_are_kept},
		{"it-waits-where-the-budget-is-used-up", test_it_waits_where_the_budget_is_used_up},
		{"a-stop-ends-it-at-once", test_a_stop_ends_it_at_once},
		{"it-may-be-given-up-in-the-middle", test_it_may_be_given_up_in_the_middle},
	};
	int status;

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/put/", tests[i].name, NULL);

		g_test_add_func(path, tests[i].test);
	}
	add_table("all-arrive-whole-with", mended, G_N_ELEMENTS(mended), test_all_arrive_whole_with);
	add_table("it-fails-when", refused, G_N_ELEMENTS(refused), test_it_fails_when);
	status = g_test_run();
	fixture_end();
	return status;
}
