#include "config.h"

#include "backup/stage/sink.h"
#include "common/cancel.h"
#include "tests/backup/stage/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void
test_null_takes_everything(void)
{
	g_autoptr(HfStage) sink = hf_sink_null_new();
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_stage_write(sink, "abc", 3, &error));
	g_assert_true(hf_stage_mark(sink, &error));
	g_assert_true(hf_stage_finish(sink, &error));
}

/* Reads slowly and in small pieces, so that a non-blocking pipe is full most of the time. */
static gpointer
drain(gpointer data)
{
	int fd = GPOINTER_TO_INT(data);
	GByteArray *all = g_byte_array_new();
	guint8 piece[700];
	ssize_t len;

	while ((len = read(fd, piece, sizeof piece)) > 0)
		g_byte_array_append(all, piece, (guint)len);
	return all;
}

static void
test_fd_writes_all_to_a_full_pipe(void)
{
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 1000000);
	g_autoptr(GByteArray) came = NULL;
	g_autoptr(GError) error = NULL;
	HfStage *sink;
	GThread *reader;
	int ends[2];

	g_assert_cmpint(pipe(ends), ==, 0);
	g_assert_cmpint(fcntl(ends[1], F_SETFL, O_NONBLOCK), ==, 0);
	reader = g_thread_new("drain", drain, GINT_TO_POINTER(ends[0]));
	sink = hf_sink_fd_new(ends[1], "pipe");
	g_assert_true(write_in_pieces(sink, plain, 200000, &error));
	g_assert_true(hf_stage_finish(sink, &error));
	hf_stage_free(sink);
	g_assert_cmpint(close(ends[1]), ==, 0); /* it stayed ours */
	came = g_thread_join(reader);
	close(ends[0]);
	assert_same(came, plain);
}

static void
test_fd_names_what_it_cannot_write_to(void)
{
	g_autoptr(GError) on_full = NULL;
	g_autoptr(GError) on_gone = NULL;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int ends[2];
	g_autoptr(HfStage) to_full = hf_sink_fd_new(full, "/dev/full");
	g_autoptr(HfStage) to_gone = NULL;

	g_assert_false(hf_stage_write(to_full, "x", 1, &on_full));
	g_assert_nonnull(strstr(on_full->message, "\"/dev/full\""));
	g_assert_nonnull(strstr(on_full->message, "free some space"));
	close(full);

	signal(SIGPIPE, SIG_IGN);
	g_assert_cmpint(pipe(ends), ==, 0);
	close(ends[0]);
	to_gone = hf_sink_fd_new(ends[1], "pipe");
	g_assert_false(hf_stage_write(to_gone, "x", 1, &on_gone));
	g_assert_true(hf_error_is(on_gone, HF_ERROR_FAILED));
	close(ends[1]);
}

static void
test_bytes_keeps_its_limit(void)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(4);
	g_autoptr(HfStage) too_much = hf_sink_bytes_new(4);
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) expected = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_stage_write(sink, "ab", 2, &error));
	g_assert_true(hf_stage_write(sink, "cd", 2, &error));
	g_assert_true(hf_stage_finish(sink, &error));
	bytes = hf_sink_bytes_get(sink);
	expected = g_bytes_new_static("abcd", 4);
	g_assert_true(g_bytes_equal(bytes, expected));

	g_assert_true(hf_stage_write(too_much, "abc", 3, &error));
	g_assert_false(hf_stage_write(too_much, "de", 2, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
}

static void
test_meter_counts(void)
{
	uint64_t bytes = 5;
	g_autoptr(HfStage) meter = hf_meter_new(hf_sink_null_new(), &bytes);
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_stage_write(meter, "abc", 3, &error));
	g_assert_true(hf_stage_write(meter, "defg", 4, &error));
	g_assert_true(hf_stage_finish(meter, &error));
	g_assert_cmpuint(bytes, ==, 12);
}

static void
test_meter_stops_when_asked(void)
{
	uint64_t bytes = 0;
	g_autoptr(HfStage) writing = hf_meter_new(hf_sink_null_new(), &bytes);
	g_autoptr(HfStage) finishing = hf_meter_new(hf_sink_null_new(), &bytes);
	g_autoptr(GError) on_write = NULL;
	g_autoptr(GError) on_finish = NULL;

	hf_cancel_request();
	g_assert_false(hf_stage_write(writing, "abc", 3, &on_write));
	g_assert_true(hf_error_is(on_write, HF_ERROR_CANCELLED));
	g_assert_false(hf_stage_finish(finishing, &on_finish));
	g_assert_true(hf_error_is(on_finish, HF_ERROR_CANCELLED));
	hf_cancel_reset();
}

static void
test_slice_passes_the_range_alone(void)
{
	static const struct {
		uint64_t skip, length;
		const char *expected; /* NULL: the ten digits are too few */
	} cases[] = {
		{0, 10, "0123456789"}, {0, 0, ""},   {3, 4, "3456"}, {9, 1, "9"},
		{10, 0, ""},           {9, 2, NULL}, {11, 0, NULL},
	};
	g_autoptr(GByteArray) digits = g_byte_array_new();

	g_byte_array_append(digits, (const guint8 *)"0123456789", 10);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t piece = 0; piece < 11; piece++) {
			g_auto(Record) record;
			g_autoptr(GError) error = NULL;
			g_autoptr(HfStage) slice = NULL;

			record_init(&record);
			slice = hf_slice_new(recorder_new(NULL, &record), cases[i].skip, cases[i].length);
			g_assert_true(write_in_pieces(slice, digits, piece, &error));
			g_assert_true(hf_stage_finish(slice, &error) == !!cases[i].expected);
			if (cases[i].expected)
				assert_bytes(record.bytes, cases[i].expected, strlen(cases[i].expected));
			else
				g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
		}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sink/null-takes-everything", test_null_takes_everything);
	g_test_add_func("/sink/fd-writes-all-to-a-full-pipe", test_fd_writes_all_to_a_full_pipe);
	g_test_add_func("/sink/fd-names-what-it-cannot-write-to", test_fd_names_what_it_cannot_write_to);
	g_test_add_func("/sink/bytes-keeps-its-limit", test_bytes_keeps_its_limit);
	g_test_add_func("/meter/counts", test_meter_counts);
	g_test_add_func("/meter/stops-when-asked", test_meter_stops_when_asked);
	g_test_add_func("/slice/passes-the-range-alone", test_slice_passes_the_range_alone);
	return g_test_run();
}
