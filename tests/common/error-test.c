#include "config.h"

#include "common/error.h"

#include <errno.h>

static void
test_errno_maps_to_a_code(void)
{
	static const struct {
		int number;
		HfError expected;
	} cases[] = {
		{ENOENT, HF_ERROR_NOT_FOUND},
		{EACCES, HF_ERROR_DENIED},
		{EROFS, HF_ERROR_DENIED},
		{EIO, HF_ERROR_FAILED},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		errno = cases[i].number;
		g_assert_false(hf_error_errno(&error, "open \"%s\"", "x"));
		g_assert_true(hf_error_is(error, cases[i].expected));
		g_assert_true(g_str_has_prefix(error->message, "open \"x\": "));
	}
}

static void
test_a_full_disk_names_the_remedy(void)
{
	g_autoptr(GError) error = NULL;

	errno = ENOSPC;
	g_assert_false(hf_error_errno(&error, "write \"%s\"", "x"));
	g_assert_nonnull(strstr(error->message, "free some space"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/error/errno-maps-to-a-code", test_errno_maps_to_a_code);
	g_test_add_func("/error/a-full-disk-names-the-remedy", test_a_full_disk_names_the_remedy);
	return g_test_run();
}
