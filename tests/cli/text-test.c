#include "config.h"

#include "cli/progress.h"
#include "cli/text.h"

#include <string.h>

static void
test_bytes(void)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} cases[] = {{0, "0 B"},
		     {999, "999 B"},
		     {1000, "1.0 KiB"},
		     {1024, "1.0 KiB"},
		     {1536, "1.5 KiB"},
		     {102400, "100 KiB"},
		     {1023 * 1024, "1.0 MiB"},
		     {713031680, "680 MiB"},
		     {UINT64_MAX, "16.0 EiB"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = hf_text_bytes(cases[i].bytes);

		g_assert_cmpstr(text, ==, cases[i].expected);
	}
}

static void
test_counts(void)
{
	static const struct {
		uint64_t count;
		const char *expected;
	} cases[] = {{0, "0"},
		     {999, "999"},
		     {1000, "1,000"},
		     {1234567, "1,234,567"},
		     {UINT64_MAX, "18,446,744,073,709,551,615"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = hf_text_count(cases[i].count);

		g_assert_cmpstr(text, ==, cases[i].expected);
	}
}

static void
test_durations(void)
{
	static const struct {
		double seconds;
		const char *expected;
	} cases[] = {{-1, "0.0 s"},        {0.44, "0.4 s"},     {9.96, "10 s"},
		     {59.6, "1 min 00 s"}, {185, "3 min 05 s"}, {7620, "2 h 07 min"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = hf_text_duration(cases[i].seconds);

		g_assert_cmpstr(text, ==, cases[i].expected);
	}
}

static void
test_ages(void)
{
	static const struct {
		int64_t age;
		const char *expected;
	} cases[] = {{-5, "in the future"}, {59, "just now"}, {60, "1 min"},
		     {7200, "2 h"},         {86400, "24 h"},  {172800, "2 d"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = hf_text_age(1000000 - cases[i].age, 1000000);

		g_assert_cmpstr(text, ==, cases[i].expected);
	}
}

static void
test_grid_aligns_by_columns_not_bytes(void)
{
	g_autoptr(HfGrid) grid = hf_grid_new("lr");
	g_autofree char *text = NULL;

	hf_grid_add(grid, (const char *const[]){"Grüße", "1"});
	hf_grid_add(grid, (const char *const[]){"日本", "22"});
	hf_grid_add(grid, (const char *const[]){"a\nb", ""});
	text = hf_grid_to_text(grid);
	g_assert_cmpstr(text, ==, "Grüße   1\n日本   22\na b\n");
}

static void
test_progress_is_never_wider_than_the_terminal(void)
{
	static const HfProgress beside = {.objects = 12345, .estimated_objects = 20000, .phase = "images"};
	static const HfProgress readings[] = {
		{.phase = "connecting"},
		{.bytes = 1, .estimated_bytes = 100, .phase = "dumping"},
		{.bytes = UINT64_MAX, .estimated_bytes = 5, .phase = "dumping"},
		{.bytes = 1 << 30, .estimated_bytes = INT64_C(3) << 30, .phase = "dumping"},
		{.bytes = 5, .estimated_bytes = 5},
		{.bytes = UINT64_MAX, .objects = UINT64_MAX, .estimated_objects = 7, .phase = "images"},
		{.phase = "dumping", .beside = &beside},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(readings); i++) {
		for (unsigned columns = 0; columns < 250; columns++) {
			g_autofree char *line = hf_progress_line(&readings[i], 12.5, columns);

			g_assert_cmpuint(strlen(line), <, MAX(columns, 1));
		}
	}
}

static void
test_progress_shows_share_rate_and_rest(void)
{
	HfProgress reading = {.bytes = 1 << 30, .estimated_bytes = INT64_C(4) << 30, .phase = "dumping"};

	/* At each width, also where the bar takes all the room there is. */
	for (unsigned columns = 100; columns < 140; columns++) {
		g_autofree char *line = hf_progress_line(&reading, 10, columns);

		g_assert_true(g_str_has_prefix(line, "dumping  [==="));
		g_assert_true(g_str_has_suffix(
			line, " 25 %  1.0 GiB of about 4.0 GiB  102 MiB/s  10 s  30 s left"));
	}
}

static void
test_progress_counts_images_by_objects(void)
{
	HfProgress images = {
		.bytes = 3 << 20, .objects = 5000, .estimated_objects = 20000, .phase = "images"};
	HfProgress both = {.bytes = 1 << 20, .phase = "dumping", .beside = &images};
	g_autofree char *alone = hf_progress_line(&images, 10, 150);
	g_autofree char *beside = hf_progress_line(&both, 10, 150);

	g_assert_nonnull(strstr(alone, " 25 %  5,000 of about 20,000 objects  3.0 MiB"));
	g_assert_nonnull(strstr(alone, "30 s left"));
	g_assert_nonnull(strstr(beside, "  |  images 5,000 of about 20,000 objects"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/text/bytes", test_bytes);
	g_test_add_func("/text/counts", test_counts);
	g_test_add_func("/text/durations", test_durations);
	g_test_add_func("/text/ages", test_ages);
	g_test_add_func("/text/grid-aligns-by-columns-not-bytes", test_grid_aligns_by_columns_not_bytes);
	g_test_add_func("/progress/is-never-wider-than-the-terminal",
			test_progress_is_never_wider_than_the_terminal);
	g_test_add_func("/progress/counts-images-by-objects", test_progress_counts_images_by_objects);
	g_test_add_func("/progress/shows-share-rate-and-rest", test_progress_shows_share_rate_and_rest);
	return g_test_run();
}
