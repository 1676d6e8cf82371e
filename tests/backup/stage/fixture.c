#include "config.h"

#include "tests/backup/stage/fixture.h"
#include "backup/stage/stage-impl.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
	HfStage stage;
	Record *record;
} Recorder;

void
record_init(Record *record)
{
	*record = (Record){0};
	record->bytes = g_byte_array_new();
	record->marks = g_array_new(FALSE, FALSE, sizeof(size_t));
}

void
record_clear(Record *record)
{
	g_clear_pointer(&record->bytes, g_byte_array_unref);
	g_clear_pointer(&record->marks, g_array_unref);
}

static bool
recorder_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Record *record = ((Recorder *)self)->record;

	record->writes++;
	if (record->fail_at > 0 && record->bytes->len + len > record->fail_at)
		return hf_error_set(error, HF_ERROR_FAILED, "the recorder is full");
	g_byte_array_append(record->bytes, buf, (guint)len);
	return !self->next || hf_stage_emit(self, buf, len, error);
}

static bool
recorder_mark(HfStage *self, GError **error)
{
	Record *record = ((Recorder *)self)->record;
	size_t at = record->bytes->len;

	if (record->fails_at_mark)
		return hf_error_set(error, HF_ERROR_FAILED, "the recorder takes no mark");
	g_array_append_val(record->marks, at);
	return hf_stage_emit_mark(self, error);
}

static bool
recorder_finish(HfStage *self, GError **error)
{
	Record *record = ((Recorder *)self)->record;

	if (record->fails_at_finish)
		return hf_error_set(error, HF_ERROR_FAILED, "the recorder cannot be finished");
	record->is_committed = true;
	if (record->finish_clock)
		record->finished_at = ++*record->finish_clock;
	return true;
}

static void
recorder_discard(HfStage *self)
{
	((Recorder *)self)->record->is_discarded = true;
}

static const HfStageOps recorder_ops = {
	.name = "recorder",
	.write = recorder_write,
	.mark = recorder_mark,
	.finish = recorder_finish,
	.discard = recorder_discard,
};

HfStage *
recorder_new(HfStage *next, Record *record)
{
	Recorder *recorder = g_new0(Recorder, 1);

	hf_stage_init(&recorder->stage, &recorder_ops, next);
	recorder->record = record;
	return &recorder->stage;
}

static void
append_line(GByteArray *plain)
{
	static const char *const words[] = {
		"user",   "event",      "{\"kind\": \"click\"}", "2024-01-15 02:00:00+00", "t", "\\N",
		"Zürich", "example.org"};
	char number[32];
	int len = g_snprintf(number, sizeof number, "%d", g_test_rand_int());

	g_byte_array_append(plain, (const guint8 *)number, (guint)len);
	for (int i = 0; i < 6; i++) {
		const char *word = words[g_test_rand_int_range(0, G_N_ELEMENTS(words))];

		g_byte_array_append(plain, (const guint8 *)"\t", 1);
		g_byte_array_append(plain, (const guint8 *)word, (guint)strlen(word));
	}
	g_byte_array_append(plain, (const guint8 *)"\n", 1);
}

GByteArray *
plain_new(PlainKind kind, size_t len)
{
	GByteArray *plain = g_byte_array_new();

	if (kind == PLAIN_TEXT)
		while (plain->len < len)
			append_line(plain);
	g_byte_array_set_size(plain, (guint)len);
	if (kind == PLAIN_ZEROS && len > 0)
		memset(plain->data, 0, len);
	if (kind == PLAIN_RANDOM)
		for (size_t i = 0; i < len; i++)
			plain->data[i] = (guint8)(g_test_rand_int() & 0xff);
	return plain;
}

bool
write_in_pieces(HfStage *head, const GByteArray *bytes, size_t piece_max, GError **error)
{
	size_t at = 0;

	while (at < bytes->len) {
		size_t len = bytes->len - at;

		if (piece_max > 0) {
			size_t piece = (size_t)g_test_rand_int_range(0, (gint32)piece_max + 1);

			len = MIN(len, piece);
		}
		if (!hf_stage_write(head, bytes->data + at, len, error))
			return false;
		at += len;
	}
	return true;
}

bool
run_through(MakeStage make, const GByteArray *bytes, size_t piece_max, Record *record, GError **error)
{
	g_autoptr(HfStage) head = make(recorder_new(NULL, record));

	return write_in_pieces(head, bytes, piece_max, error) && hf_stage_finish(head, error);
}

void
assert_bytes(const GByteArray *bytes, const void *expected, size_t len)
{
	g_assert_cmpuint(bytes->len, ==, len);
	g_assert_true(len == 0 || memcmp(bytes->data, expected, len) == 0);
}

void
assert_same(const GByteArray *a, const GByteArray *b)
{
	assert_bytes(a, b->data, b->len);
}

static int
file_of(const GByteArray *bytes)
{
	int fd = memfd_create("hf-stage-test", MFD_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	for (size_t at = 0; bytes && at < bytes->len;) {
		ssize_t written = write(fd, bytes->data + at, bytes->len - at);

		g_assert_cmpint(written, >, 0);
		at += (size_t)written;
	}
	g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
	return fd;
}

static void
read_file(int fd, GByteArray *out)
{
	off_t size = lseek(fd, 0, SEEK_END);

	g_byte_array_set_size(out, (guint)size);
	g_assert_cmpint(pread(fd, out->data, out->len, 0), ==, size);
}

bool
pipe_through(const char *const *argv, const GByteArray *bytes, GByteArray *out)
{
	g_autoptr(GError) error = NULL;
	int in_fd = file_of(bytes);
	int out_fd = file_of(NULL);
	int status = -1;
	GPid pid;

	g_spawn_async_with_pipes_and_fds(
		NULL, argv, NULL,
		G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
		in_fd, out_fd, -1, NULL, NULL, 0, &pid, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	read_file(out_fd, out);
	close(in_fd);
	close(out_fd);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
