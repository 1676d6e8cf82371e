/*
 * Runs a fuzzer over the files of tests/fuzz/corpus/NAME, as an ordinary test: HF_FUZZ_NAME says which.
 */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <glib.h>

#define CORPUS HF_SRCDIR "/tests/fuzz/corpus/" HF_FUZZ_NAME

static void
test_corpus(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) folder = g_dir_open(CORPUS, 0, &error);
	const char *name;
	unsigned count = 0;

	g_assert_no_error(error);
	while ((name = g_dir_read_name(folder))) {
		g_autofree char *path = g_build_filename(CORPUS, name, NULL);
		g_autofree char *data = NULL;
		gsize len;

		g_assert_true(g_file_get_contents(path, &data, &len, &error));
		LLVMFuzzerTestOneInput((const uint8_t *)data, len);
		count++;
	}
	g_assert_cmpuint(count, >, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fuzz/" HF_FUZZ_NAME "/corpus", test_corpus);
	return g_test_run();
}
