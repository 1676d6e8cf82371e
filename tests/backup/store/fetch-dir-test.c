/* Many objects out of a folder. */
#include "config.h"

#include "tests/backup/store/many-fixture.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "backup/store/dir.h"
#include "backup/store/fetch-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534
#define BUSY_BYTES ((size_t)1 << 20)

typedef struct {
	char *folder;
	HfStore *store;
	HfFetch *fetch;
} Place;

static void
set_up(Place *place, gconstpointer data)
{
	const HfFetchOptions *options = data;

	place->folder = many_folder_new();
	place->store = hf_dir_open(place->folder, NULL);
	place->fetch = hf_fetch_new(place->store, options);
	g_assert_nonnull(place->store);
}

static void
tear_down(Place *place, gconstpointer data)
{
	(void)data;
	hf_fetch_free(place->fetch);
	hf_store_free(place->store);
	many_folder_free(place->folder);
}

static char *
path_of(const Place *place, const char *key)
{
	return g_build_filename(place->folder, key, NULL);
}

static void
write_file(const Place *place, const char *key, size_t len)
{
	g_autofree char *path = path_of(place, key);
	g_autoptr(GBytes) content = many_content(7, len);

	g_assert_true(g_file_set_contents(path, g_bytes_get_data(content, NULL), (gssize)len, NULL));
}

static void
append(const char *path, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	g_autofree char *bytes = g_malloc0(len);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(write(fd, bytes, len), ==, (gssize)len);
	close(fd);
}

static void
test_all_come_in_the_order_of_asking(Place *place, gconstpointer data)
{
	(void)data;
	many_put(place->store, 300);
	many_ask_all(place->fetch, 300);
	many_want_all(place->fetch, 300, NULL);
	g_assert_cmpuint(place->fetch->held_peak_bytes, <=, 300000);
	g_assert_cmpuint(place->fetch->held_bytes, ==, 0);
	many_ask(place->fetch, many_key(7), 1);
	many_ask(place->fetch, many_key(2), 1);
	g_assert_cmpstr(many_next(place->fetch)->key, ==, many_key(7));
	g_assert_cmpstr(many_next(place->fetch)->key, ==, many_key(2));
}

static void
test_what_is_in_trouble_is_passed_over(Place *place, gconstpointer data)
{
	static const struct {
		const char *key;
		HfError expected;
	} cases[] = {
		{"absent", HF_ERROR_NOT_FOUND},  {"link", HF_ERROR_NOT_FOUND},
		{"folder", HF_ERROR_NOT_FOUND},  {"pipe", HF_ERROR_NOT_FOUND},
		{"no/such", HF_ERROR_NOT_FOUND}, {"there/in", HF_ERROR_NOT_FOUND},
		{"../x", HF_ERROR_USAGE},        {"link/x", HF_ERROR_NOT_FOUND},
	};
	g_autofree char *link = path_of(place, "link"), *folder = path_of(place, "folder"),
			*pipe = path_of(place, "pipe");

	(void)data;
	write_file(place, "there", 5);
	g_assert_cmpint(symlink("there", link), ==, 0);
	g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
	g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		many_ask(place->fetch, cases[i].key, 5);
		many_ask(place->fetch, "there", 5);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const HfFetched *fetched = many_next(place->fetch);

		g_test_message("%s", fetched->error ? fetched->error->message : "no error");
		g_assert_error(fetched->error, HF_ERROR, (int)cases[i].expected);
		g_assert_cmpstr(fetched->key, ==, cases[i].key);
		g_assert_null(fetched->content);
		fetched = many_next(place->fetch);
		g_assert_no_error(fetched->error);
		g_assert_cmpuint(g_bytes_get_size(fetched->content), ==, 5);
	}
}

static void
test_what_is_forbidden_is_denied(Place *place, gconstpointer data)
{
	g_autofree char *path = path_of(place, "forbidden");
	bool is_root = geteuid() == 0; /* who may read everything */
	const HfFetched *fetched;

	(void)data;
	write_file(place, "forbidden", 5);
	write_file(place, "there", 5);
	g_assert_cmpint(g_chmod(path, 0), ==, 0);
	g_assert_cmpint(g_chmod(place->folder, 0755), ==, 0);
	g_assert_true(!is_root || seteuid(NOBODY) == 0);
	many_ask(place->fetch, "forbidden", 5);
	many_ask(place->fetch, "there", 5);
	fetched = many_next(place->fetch);
	g_assert_error(fetched->error, HF_ERROR, HF_ERROR_DENIED);
	fetched = many_next(place->fetch);
	g_assert_true(!is_root || seteuid(0) == 0);
	g_assert_no_error(fetched->error);
}

typedef struct {
	char *path;
	gint stop;
} Writer;

/* Fills the file with one value after the other, in place. */
static gpointer
keep_writing(gpointer data)
{
	Writer *writer = data;
	int fd = open(writer->path, O_WRONLY | O_CLOEXEC);
	g_autofree char *bytes = g_malloc(BUSY_BYTES);

	for (int value = 1; !g_atomic_int_get(&writer->stop); value++) {
		memset(bytes, value, BUSY_BYTES);
		g_assert_cmpint(pwrite(fd, bytes, BUSY_BYTES, 0), ==, (gssize)BUSY_BYTES);
	}
	close(fd);
	return NULL;
}

static void
want_one_value(GBytes *content)
{
	gsize len;
	const char *bytes = g_bytes_get_data(content, &len);

	g_assert_cmpuint(len, ==, BUSY_BYTES);
	g_assert_cmpint(memcmp(bytes, bytes + 1, len - 1), ==, 0);
}

static void
test_what_changes_all_the_time_is_a_conflict(Place *place, gconstpointer data)
{
	Writer writer = {path_of(place, "busy"), 0};
	bool was_seen = false;
	GThread *thread;

	(void)data;
	write_file(place, "busy", 0);
	g_assert_cmpint(truncate(writer.path, BUSY_BYTES), ==, 0);
	thread = g_thread_new("writer", keep_writing, &writer);
	/* On a busy machine the writer may be held up for so long that one of its versions can be read: whole, then. */
	while (!was_seen) {
		const HfFetched *fetched;

		many_ask(place->fetch, "busy", BUSY_BYTES);
		fetched = many_next(place->fetch);
		was_seen = hf_error_is(fetched->error, HF_ERROR_CONFLICT);
		if (!was_seen)
			want_one_value(fetched->content);
	}
	g_atomic_int_set(&writer.stop, 1);
	g_thread_join(thread);
	g_free(writer.path);
}

/* Its times do not tell yet whether it is being changed: it is waited for, and read. */
static void
test_what_was_written_a_moment_ago_is_read(Place *place, gconstpointer data)
{
	(void)data;
	for (int i = 0; i < 5; i++) {
		const HfFetched *fetched;

		write_file(place, "fresh", 1000);
		many_ask(place->fetch, "fresh", 1000);
		fetched = many_next(place->fetch);
		g_assert_no_error(fetched->error);
		g_assert_cmpuint(fetched->bytes, ==, 1000);
	}
}

static void
test_a_size_other_than_listed_is_taken_as_it_is(Place *place, gconstpointer data)
{
	(void)data;
	write_file(place, "a", 1000);
	write_file(place, "b", 100001);
	write_file(place, "c", 0);
	many_ask(place->fetch, "a", 1 << 30);
	many_ask(place->fetch, "b", 1);
	many_ask(place->fetch, "c", 1);
	g_assert_cmpuint(g_bytes_get_size(many_next(place->fetch)->content), ==, 1000);
	g_assert_null(many_next(place->fetch)->content);
	g_assert_cmpuint(g_bytes_get_size(many_next(place->fetch)->content), ==, 0);
}

static void
test_a_large_file_is_streamed(Place *place, gconstpointer data)
{
	g_autoptr(GBytes) content = many_content(7, 3000000);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(4 << 20);
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched;

	(void)data;
	write_file(place, "large", 3000000);
	write_file(place, "there", 5);
	many_ask(place->fetch, "large", 3000000);
	many_ask(place->fetch, "there", 5);
	fetched = many_next(place->fetch);
	g_assert_no_error(fetched->error);
	g_assert_null(fetched->content);
	g_assert_cmpuint(fetched->bytes, ==, 3000000);
	g_assert_true(hf_fetch_stream(place->fetch, sink, &error));
	g_assert_true(hf_stage_finish(sink, &error));
	g_autoptr(GBytes) came = hf_sink_bytes_get(sink);
	g_assert_true(g_bytes_equal(came, content));
	g_assert_no_error(many_next(place->fetch)->error);
	g_assert_cmpuint(place->fetch->held_peak_bytes, ==, 5);
}

/* A stage that changes the file when the first bytes of it come. */
typedef struct {
	HfStage base;
	const char *path;
	size_t bytes;
	void (*change)(const char *path);
} Changer;

static bool
changer_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Changer *changer = (Changer *)self;

	(void)buf, (void)error;
	if (changer->bytes == 0)
		changer->change(changer->path);
	changer->bytes += len;
	return true;
}

static const HfStageOps changer_ops = {.name = "changer", .write = changer_write};

static void
overwrite(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	g_assert_cmpint(pwrite(fd, "x", 1, 2999999), ==, 1);
	close(fd);
}

static void
grow(const char *path)
{
	append(path, 1);
}

static void
shrink(const char *path)
{
	g_assert_cmpint(truncate(path, 1), ==, 0);
}

static void
test_a_large_file_that_changes_never_comes_whole(Place *place, gconstpointer data)
{
	static void (*const changes[])(const char *) = {overwrite, grow, shrink};
	g_autofree char *path = path_of(place, "large");

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		Changer *changer = g_new0(Changer, 1);
		g_autoptr(HfStage) stage = &changer->base;
		g_autoptr(GError) error = NULL;

		hf_stage_init(stage, &changer_ops, NULL);
		changer->path = path;
		changer->change = changes[i];
		write_file(place, "large", 3000000);
		many_ask(place->fetch, "large", 3000000);
		g_assert_no_error(many_next(place->fetch)->error);
		g_assert_false(hf_fetch_stream(place->fetch, stage, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
		g_assert_cmpuint(changer->bytes, <, 3000000);
	}
}

static void
test_the_folder_gone_ends_it(Place *place, gconstpointer data)
{
	g_autofree char *elsewhere = g_strconcat(place->folder, "-elsewhere", NULL);
	const HfFetched *fetched;

	(void)data;
	write_file(place, "there", 5);
	many_ask(place->fetch, "there", 5);
	many_ask(place->fetch, "there", 5);
	g_assert_no_error(many_next(place->fetch)->error);
	g_assert_cmpint(g_rename(place->folder, elsewhere), ==, 0);
	for (int i = 0; i < 2; i++) { /* and stays so */
		g_autoptr(GError) error = NULL;

		g_assert_false(hf_fetch_next(place->fetch, &fetched, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
		g_assert_nonnull(strstr(error->message, place->folder));
	}
	g_assert_cmpint(g_rename(elsewhere, place->folder), ==, 0);
}

static void
test_a_stop_ends_it(Place *place, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched;

	(void)data;
	write_file(place, "there", 5);
	many_ask(place->fetch, "there", 5);
	hf_cancel_request();
	g_assert_false(hf_fetch_next(place->fetch, &fetched, &error));
	hf_cancel_reset();
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
}

int
main(int argc, char **argv)
{
	static const HfFetchOptions small = {.large_bytes = 100000};
	static const struct {
		const char *name;
		const HfFetchOptions *options;
		void (*test)(Place *place, gconstpointer data);
	} tests[] = {
		{"all-come-in-the-order-of-asking", NULL, test_all_come_in_the_order_of_asking},
		{"what-is-in-trouble-is-passed-over", NULL, test_what_is_in_trouble_is_passed_over},
		{"what-is-forbidden-is-denied", NULL, test_what_is_forbidden_is_denied},
		{"what-changes-all-the-time-is-a-conflict", NULL,
		 test_what_changes_all_the_time_is_a_conflict},
		{"what-was-written-a-moment-ago-is-read", NULL, test_what_was_written_a_moment_ago_is_read},
		{"a-size-other-than-listed-is-taken-as-it-is", &small,
		 test_a_size_other_than_listed_is_taken_as_it_is},
		{"a-large-file-is-streamed", &small, test_a_large_file_is_streamed},
		{"a-large-file-that-changes-never-comes-whole", &small,
		 test_a_large_file_that_changes_never_comes_whole},
		{"the-folder-gone-ends-it", NULL, test_the_folder_gone_ends_it},
		{"a-stop-ends-it", NULL, test_a_stop_ends_it},
	};

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/fetch-dir/", tests[i].name, NULL);

		g_test_add(path, Place, tests[i].options, set_up, tests[i].test, tear_down);
	}
	return g_test_run();
}
