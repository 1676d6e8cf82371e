#include "config.h"

#include "auth/metrics-token.h"
#include "common/error.h"

#include <string.h>

#define GOOD "0123456789abcdef0123456789abcdef"

static const struct {
	const char *name;
	const char *environment[3];
	bool is_good, is_set;
} cases[] = {
	{"not-set", {NULL}, true, false},
	{"empty-is-not-set", {"METRICS_TOKEN=", NULL}, true, false},
	{"long-enough", {"METRICS_TOKEN=" GOOD, NULL}, true, true},
	{"beside-another-internal-one",
	 {"METRICS_TOKEN=" GOOD, "INTERNAL_TOKEN=" GOOD "x", NULL},
	 true,
	 true},
	{"one-letter-too-short", {"METRICS_TOKEN=0123456789abcdef0123456789abcde", NULL}, false, false},
	{"the-internal-token", {"METRICS_TOKEN=" GOOD, "INTERNAL_TOKEN=" GOOD, NULL}, false, false},
};

static void
test_case(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfSettings) settings = hf_settings_load_from(cases[i].environment, "/dev/null", NULL);
	const HfSecret *token = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(settings);
	g_assert_cmpint(hf_metrics_token(settings, &token, &error), ==, cases[i].is_good);
	g_assert_cmpint(token != NULL, ==, cases[i].is_set);
	if (cases[i].is_good)
		return;
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "METRICS_TOKEN"));
	g_assert_null(strstr(error->message, "0123"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strconcat("/metrics-token/", cases[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_case);
	}
	return g_test_run();
}
