#include "config.h"

#include "backup/source/tarball.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* Keys of 1,024 bytes are made in key_at(). */
static const char *const odd_keys[] = {
	"plain.jpg",
	"a",
	"a/b",
	"a/b/c",
	"with space/and more.jpg",
	"plus+and%percent%2F",
	"double//slash",
	"/leading",
	"trailing/",
	"../outside",
	"in/../side",
	"..",
	".",
	"./dot",
	"mid/./dot",
	"tab\tnewline\nreturn\r",
	"bell\a",
	"Case.JPG",
	"case.jpg",
	"latin1-\xe9",
	"zażółć/gęślą/jaźń.png",
	"_escaped",
	"_escaped/x",
	"_escaped/%61",
	"manifest.json",
	"manifest.json/x",
	"back\\slash\\n",
	"-rf",
	"--checkpoint-action=exec=false",
	"quote'\"`$(x)",
	"~/home",
	"CON/nul:",
	"C:\\windows",
	"\\leading",
	"\\\\?\\UNC",
	"*?[x]",
};
#define LONG_KEYS 4
#define KEY_COUNT (G_N_ELEMENTS(odd_keys) + LONG_KEYS)

static char *
repeat(const char *text, size_t times)
{
	GString *out = g_string_new(NULL);

	while (times-- > 0)
		g_string_append(out, text);
	return g_string_free(out, FALSE);
}

static char *
key_at(size_t i)
{
	if (i < G_N_ELEMENTS(odd_keys))
		return g_strdup(odd_keys[i]);
	switch (i - G_N_ELEMENTS(odd_keys)) {
	case 0:
		return repeat("ü", 512);
	case 1:
		return repeat("x", 300);
	case 2:
		return repeat("\xff", 1024);
	default:
		return repeat("d/", 512);
	}
}

static bool
has_ancestor(const char *key)
{
	return g_str_equal(key, "a/b") || g_str_equal(key, "a/b/c");
}

static char *
path_of(const char *key)
{
	char *path = hf_tarball_path(key, has_ancestor(key));

	return path ? path : g_strdup(key);
}

static void
add_entry(HfTarball *tarball, const char *key, const char *content, const HfObjectMeta *meta)
{
	g_autofree char *path = path_of(key);
	const HfTarEntry entry = {key, path, strlen(content), 1700000000, meta, NULL};
	uint64_t data_offset;
	GError *error = NULL;

	g_assert_true(hf_tarball_begin(tarball, &entry, &data_offset, &error));
	g_assert_no_error(error);
	g_assert_true(hf_tarball_write(tarball, content, strlen(content), &error));
	g_assert_true(hf_tarball_end(tarball, &error));
	g_assert_no_error(error);
}

/* Every odd key with itself as content, in a file of a new folder. */
static char *
make_odd_tarball(void)
{
	char *folder = g_dir_make_tmp("holdfast-tarball-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(folder, "odd.tar", NULL);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	g_autoptr(HfStage) sink = hf_sink_fd_new(fd, file);
	g_autoptr(HfTarball) tarball = hf_tarball_new(sink);
	g_autoptr(GHashTable) user = g_hash_table_new(g_str_hash, g_str_equal);
	static char user_name[] = "owner=id", user_value[] = "42";
	const HfObjectMeta meta = {"image/jpeg", "max-age=1", NULL, NULL, user};
	GError *error = NULL;

	g_hash_table_insert(user, user_name, user_value);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		g_autofree char *key = key_at(i);

		add_entry(tarball, key, key, i % 2 == 0 ? &meta : NULL);
	}
	g_assert_true(hf_tarball_close(tarball, &error));
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(sink, &error));
	close(fd);
	return folder;
}

static char *
run(const char *folder, const char *const *argv)
{
	g_autoptr(GPtrArray) own = g_ptr_array_new_with_free_func(g_free);
	GError *error = NULL;
	char *out = NULL;
	g_autofree char *said = NULL;
	int status = -1;

	for (; *argv; argv++)
		g_ptr_array_add(own, g_strdup(*argv));
	g_ptr_array_add(own, NULL);
	g_spawn_sync(folder, (char **)own->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &said, &status,
		     &error);
	g_assert_no_error(error);
	g_assert_cmpstr(said, ==, "");
	g_assert_cmpint(status, ==, 0);
	return out;
}

static void
remove_folder(const char *folder)
{
	const char *const argv[] = {"rm", "-rf", "--", folder, NULL};

	g_free(run(NULL, argv));
}

/* Exactly these files, each with its key as content, and nothing beside the folder. */
static void
assert_extracted(const char *folder)
{
	const char *const count[] = {"find", "out", "-type", "f", "-printf", ".", NULL};
	const char *const beside[] = {"find", ".", "-maxdepth", "1", "-printf", ".", NULL};
	g_autofree char *dots = run(folder, count);
	g_autofree char *around = run(folder, beside);

	for (size_t i = 0; i < KEY_COUNT; i++) {
		g_autofree char *key = key_at(i);
		g_autofree char *path = path_of(key);
		g_autofree char *file = g_build_filename(folder, "out", path, NULL);
		g_autofree char *content = NULL;

		g_assert_true(g_file_get_contents(file, &content, NULL, NULL));
		g_assert_cmpstr(content, ==, key);
	}
	g_assert_cmpuint(strlen(dots), ==, KEY_COUNT);
	g_assert_cmpuint(strlen(around), ==, 3); /* ".", "odd.tar", "out" */
}

static const char *const gnu_tar[] = {"tar", "-x", "-f", "odd.tar", "-C", "out", "--no-same-owner", NULL};
static const char *const bsdtar[] = {"bsdtar", "-x", "-f", "odd.tar", "-C", "out", "-o", NULL};
static const char *const python[] = {
	"python3", "-c", "import tarfile; tarfile.open('odd.tar').extractall('out', filter='data')", NULL};

static void
test_reader_extracts_odd_keys(gconstpointer argv)
{
	g_autofree char *folder = make_odd_tarball();
	g_autofree char *out = g_build_filename(folder, "out", NULL);

	g_assert_cmpint(g_mkdir(out, 0700), ==, 0);
	g_free(run(folder, argv));
	assert_extracted(folder);
	remove_folder(folder);
}

static void
test_attributes_are_present(void)
{
	static const char *const argv[] = {
		"python3", "-c",
		"import tarfile\n"
		"p = 'SCHILY.xattr.user.holdfast.'\n"
		"for i, m in enumerate(tarfile.open('odd.tar')):\n"
		"    with_meta = i % 2 == 0\n"
		"    h = m.pax_headers\n"
		"    assert (h.get('SCHILY.xattr.user.mime_type') == 'image/jpeg') == with_meta, h\n"
		"    assert (h.get(p + 'cache_control') == 'max-age=1') == with_meta, h\n"
		"    assert (h.get(p + 'meta.owner%3Did') == '42') == with_meta, h\n"
		"    key = h.get(p + 'key')\n"
		"    content = tarfile.open('odd.tar').extractfile(m.name).read()\n"
		"    name = m.name if key is None else key\n"
		"    assert name.encode('utf-8', 'surrogateescape') == content, (m.name, key)\n"
		"    assert (key is not None) == m.name.startswith('_escaped/'), m.name\n",
		NULL};
	g_autofree char *folder = make_odd_tarball();

	g_free(run(folder, argv));
	remove_folder(folder);
}

static void
test_hard_link_is_extracted(void)
{
	g_autofree char *folder = g_dir_make_tmp("holdfast-tarball-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(folder, "odd.tar", NULL);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	g_autoptr(HfStage) sink = hf_sink_fd_new(fd, file);
	g_autoptr(HfTarball) tarball = hf_tarball_new(sink);
	const HfTarEntry link = {"b/copy", "b/copy", 0, 1700000000, NULL, "first"};
	const char *const cat[] = {"cat", "b/copy", NULL};
	const char *const untar[] = {"tar", "-xf", "odd.tar", NULL};
	g_autofree char *content = NULL;
	uint64_t data_offset;

	add_entry(tarball, "first", "the content", NULL);
	g_assert_true(hf_tarball_begin(tarball, &link, &data_offset, NULL));
	g_assert_true(hf_tarball_end(tarball, NULL));
	g_assert_true(hf_tarball_close(tarball, NULL));
	close(fd);
	g_free(run(folder, untar));
	content = run(folder, cat);
	g_assert_cmpstr(content, ==, "the content");
	remove_folder(folder);
}

/* ---- names ---- */

/* From an alphabet of what is special, so that near misses are common. */
static char *
random_key(GRand *rand)
{
	static const char *const pieces[] = {"a",  ".",    "/", "~", "%",  "_escaped/", "2", "F",
					     "\n", "\xff", "é", "E", "~/", "%2F",       " ", "manifest.json"};
	GString *key = g_string_new(NULL);
	int count = g_rand_int_range(rand, 1, 8);

	if (g_rand_int_range(rand, 0, 8) == 0)
		for (int i = g_rand_int_range(rand, 190, 210); i > 0; i--)
			g_string_append_c(key, 'x');
	while (count-- > 0)
		g_string_append(key, pieces[g_rand_int_range(rand, 0, G_N_ELEMENTS(pieces))]);
	return g_string_free(key, FALSE);
}

static void
test_paths_are_injective(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	for (int i = 0; i < 50000; i++) {
		g_autofree char *key = random_key(rand);
		char *path = hf_tarball_path(key, g_rand_boolean(rand));
		g_autofree char *back = NULL;
		const char *known;

		if (!path)
			path = g_strdup(key);
		back = hf_tarball_key(path);
		known = g_hash_table_lookup(keys, path);
		g_assert_cmpstr(back, ==, key);
		g_assert_true(!known || g_str_equal(known, key));
		g_hash_table_insert(keys, path, g_steal_pointer(&key));
	}
}

/* No path is a folder of another one's, unless the keys are so and neither is escaped. */
static void
test_escaped_paths_never_are_folders_of_each_other(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);
	g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	gpointer path;

	for (int i = 0; i < 20000; i++) {
		g_autofree char *key = random_key(rand);

		g_hash_table_add(paths, hf_tarball_path(key, true));
	}
	g_hash_table_iter_init(&iter, paths);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
			g_autofree char *parent = g_strndup(path, (gsize)(slash - (const char *)path));

			g_assert_false(g_hash_table_contains(paths, parent));
		}
}

static void
test_paths_that_are_not_ours_have_no_key(void)
{
	static const char *const foreign[] = {
		"_escaped/", "_escaped/%zz", "_escaped/%2f", "_escaped/a%61", "_escaped/a~/b",
		"../x",      "/x",           "a//b",         "_escaped/%00",  ""};

	for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++)
		g_assert_null(hf_tarball_key(foreign[i]));
}

/* ---- failures ---- */

static void
test_too_few_bytes_fail(void)
{
	g_autoptr(HfStage) sink = hf_sink_null_new();
	g_autoptr(HfTarball) tarball = hf_tarball_new(sink);
	const HfTarEntry entry = {"k", "k", 10, 0, NULL, NULL};
	g_autoptr(GError) error = NULL;
	uint64_t data_offset;

	g_assert_true(hf_tarball_begin(tarball, &entry, &data_offset, NULL));
	g_assert_true(hf_tarball_write(tarball, "12345", 5, NULL));
	g_assert_false(hf_tarball_end(tarball, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_FAILED);
}

static void
test_too_many_bytes_fail(void)
{
	g_autoptr(HfStage) sink = hf_sink_null_new();
	g_autoptr(HfTarball) tarball = hf_tarball_new(sink);
	const HfTarEntry entry = {"k", "k", 4, 0, NULL, NULL};
	g_autoptr(GError) error = NULL;
	uint64_t data_offset;

	g_assert_true(hf_tarball_begin(tarball, &entry, &data_offset, NULL));
	g_assert_false(hf_tarball_write(tarball, "12345", 5, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_FAILED);
}

static void
test_free_without_close_writes_nothing(void)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
	HfTarball *tarball = hf_tarball_new(sink);
	g_autoptr(GBytes) bytes = NULL;
	uint64_t before;

	add_entry(tarball, "k", "content", NULL);
	before = hf_tarball_offset(tarball);
	hf_tarball_free(tarball);
	g_assert_true(hf_stage_finish(sink, NULL));
	bytes = hf_sink_bytes_get(sink);
	g_assert_cmpuint(g_bytes_get_size(bytes), ==, before);
}

static void
test_full_sink_is_the_error(void)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1000);
	g_autoptr(HfTarball) tarball = hf_tarball_new(sink);
	const HfTarEntry entry = {"k", "k", 2000, 0, NULL, NULL};
	g_autofree char *content = g_malloc0(2000);
	g_autoptr(GError) error = NULL;
	uint64_t data_offset;

	g_assert_true(hf_tarball_begin(tarball, &entry, &data_offset, NULL));
	g_assert_false(hf_tarball_write(tarball, content, 2000, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
}

static void
test_speed(void)
{
	const size_t len = 100000;
	const int count = g_test_perf() ? 40000 : 400;
	g_autofree char *content = g_malloc0(len);
	g_autoptr(HfStage) sink = hf_sink_null_new();
	g_autoptr(HfTarball) tarball = hf_tarball_new(sink);
	const HfTarEntry entry = {"some/key.jpg", "some/key.jpg", len, 1700000000, NULL, NULL};
	uint64_t data_offset;

	g_test_timer_start();
	for (int i = 0; i < count; i++) {
		g_assert_true(hf_tarball_begin(tarball, &entry, &data_offset, NULL));
		g_assert_true(hf_tarball_write(tarball, content, len, NULL));
		g_assert_true(hf_tarball_end(tarball, NULL));
	}
	g_test_timer_elapsed();
	g_assert_cmpuint(hf_tarball_offset(tarball), ==, (uint64_t)count * (512 + 100352));
	g_test_message("%.0f MB/s", (double)hf_tarball_offset(tarball) / 1e6 / g_test_timer_last());
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/tarball/gnu-tar-extracts-odd-keys", gnu_tar, test_reader_extracts_odd_keys);
	g_test_add_data_func("/tarball/bsdtar-extracts-odd-keys", bsdtar, test_reader_extracts_odd_keys);
	g_test_add_data_func("/tarball/python-extracts-odd-keys", python, test_reader_extracts_odd_keys);
	g_test_add_func("/tarball/attributes-are-present", test_attributes_are_present);
	g_test_add_func("/tarball/hard-link-is-extracted", test_hard_link_is_extracted);
	g_test_add_func("/tarball/paths-are-injective", test_paths_are_injective);
	g_test_add_func("/tarball/escaped-paths-never-are-folders-of-each-other",
			test_escaped_paths_never_are_folders_of_each_other);
	g_test_add_func("/tarball/paths-that-are-not-ours-have-no-key",
			test_paths_that_are_not_ours_have_no_key);
	g_test_add_func("/tarball/too-few-bytes-fail", test_too_few_bytes_fail);
	g_test_add_func("/tarball/too-many-bytes-fail", test_too_many_bytes_fail);
	g_test_add_func("/tarball/free-without-close-writes-nothing", test_free_without_close_writes_nothing);
	g_test_add_func("/tarball/full-sink-is-the-error", test_full_sink_is_the_error);
	g_test_add_func("/tarball/speed", test_speed);
	return g_test_run();
}
