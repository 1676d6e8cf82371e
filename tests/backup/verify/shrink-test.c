#include "config.h"

#include "backup/verify/shrink.h"
#include "backup/source/scan.h"

#include <string.h>

/* "name rows bytes, name rows bytes" */
static GPtrArray *
tables_of(const char *text)
{
	GPtrArray *tables = g_ptr_array_new_with_free_func((GDestroyNotify)hf_table_free);
	g_auto(GStrv) items = g_strsplit(text, ", ", -1);

	for (char **item = items; *item; item++) {
		g_auto(GStrv) words = g_strsplit(*item, " ", -1);
		HfTable *table;

		if (!words[0] || !words[1])
			continue;
		table = g_new0(HfTable, 1);
		table->name = g_strdup(words[0]);
		table->rows = g_ascii_strtoull(words[1], NULL, 10);
		table->bytes = g_ascii_strtoull(words[2], NULL, 10);
		g_ptr_array_add(tables, table);
	}
	return tables;
}

static char *
join(GPtrArray *alarms)
{
	g_ptr_array_add(alarms, NULL);
	return g_strjoinv("; ", (char **)alarms->pdata);
}

static const struct {
	const char *name, *before, *now;
	unsigned percent;
	const char *alarms; /* "" for none */
} table_cases[] = {
	{"nothing changed", "a 1000 9000", "a 1000 9000", 50, ""},
	{"grown", "a 1000 9000", "a 2000 18000, b 1 1", 50, ""},
	{"gone", "a 1 9, b 1 9", "b 1 9", 50, "table a is gone: it had 1 row(s)"},
	{"gone at a hundred percent", "a 1 9, b 1 9", "b 1 9", 100, "table a is gone: it had 1 row(s)"},
	{"an empty one gone", "a 0 0, b 1 9", "b 1 9", 50, ""},
	{"exactly the percentage", "a 1000 9000", "a 500 9000", 50, ""},
	{"one row more", "a 1000 9000", "a 499 9000", 50, "table a: 499 rows instead of 1000 (-50 %)"},
	{"emptied", "a 1000 9000, b 9 9", "a 0 0, b 9 9", 50, "table a: 0 rows instead of 1000 (-100 %)"},
	{"below the floor", "a 99 9000", "a 0 0", 50, ""},
	{"at the floor", "a 100 9000", "a 0 0", 50, "table a: 0 rows instead of 100 (-100 %)"},
	{"a hundred percent is never passed", "a 1000 9000", "a 0 0", 100, ""},
	{"one percent", "a 10000 90000", "a 9800 90000", 1, "table a: 9800 rows instead of 10000 (-2 %)"},
	{"bytes alone", "a 1000 200000", "a 1000 90000", 50,
	 "table a: 90000 bytes instead of 200000 (-55 %)"},
	{"bytes below the floor", "a 1000 65000", "a 1000 1", 50, ""},
	{"many small ones together", "a 60 1, b 60 1, c 60 1", "a 9 1, b 9 1, c 9 1", 50,
	 "all tables together: 27 rows instead of 180 (-85 %)"},
	{"a table alarms once", "a 1000 200000", "a 1 9", 50, "table a: 1 rows instead of 1000 (-100 %)"},
	{"two tables", "a 1000 9, b 1000 9", "a 1 9", 50,
	 "table a: 1 rows instead of 1000 (-100 %); table b is gone: it had 1000 row(s)"},
	{"large numbers", "a 18446744073709551615 9", "a 4 9", 50,
	 "table a: 4 rows instead of 18446744073709551615 (-100 %)"},
	{"all gone", "a 5 9", "", 50, "table a is gone: it had 5 row(s)"},
	{"there were none", "", "a 5 9", 50, ""},
};

static void
test_tables(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(table_cases); i++) {
		g_autoptr(GPtrArray) before = tables_of(table_cases[i].before);
		g_autoptr(GPtrArray) now = tables_of(table_cases[i].now);
		g_autoptr(GPtrArray) alarms = g_ptr_array_new_with_free_func(g_free);
		g_autofree char *said = NULL;

		g_test_message("%s", table_cases[i].name);
		hf_shrink_tables(before, now, table_cases[i].percent, alarms);
		said = join(alarms);
		g_assert_cmpstr(said, ==, table_cases[i].alarms);
	}
}

static const struct {
	const char *name;
	uint64_t before_objects, before_bytes, now_objects, now_bytes, now_troubled;
	bool is_interrupted;
	const char *alarms;
} image_cases[] = {
	{"the same", 100, 9000000, 100, 9000000, 0, false, ""},
	{"half is not more than half", 100, 9000000, 50, 4500000, 0, false, ""},
	{"more than half", 100, 9000000, 49, 9000000, 0, false, "images: 49 objects instead of 100 (-51 %)"},
	{"all of them", 100, 9000000, 0, 0, 0, false, "images: 0 objects instead of 100 (-100 %)"},
	{"a few", 19, 9000, 0, 0, 0, false, ""},
	{"bytes alone", 10, 9000000, 10, 1000, 0, false, "images: 1000 bytes instead of 9000000 (-100 %)"},
	{"what could not be read is not lost", 100, 9000000, 10, 9000, 90, false, ""},
	{"an interrupted view is an older one's", 100, 9000000, 0, 0, 0, true, ""},
};

static void
test_images(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(image_cases); i++) {
		HfImagesRecord before = {.objects = image_cases[i].before_objects,
					 .bytes = image_cases[i].before_bytes};
		HfImagesRecord now = {.objects = image_cases[i].now_objects,
				      .bytes = image_cases[i].now_bytes,
				      .troubled = image_cases[i].now_troubled};
		g_autoptr(GPtrArray) alarms = g_ptr_array_new_with_free_func(g_free);
		g_autofree char *said = NULL;
		char why[] = "cut off";

		g_test_message("%s", image_cases[i].name);
		now.interrupted = image_cases[i].is_interrupted ? why : NULL;
		hf_shrink_images(&before, &now, 50, alarms);
		said = join(alarms);
		g_assert_cmpstr(said, ==, image_cases[i].alarms);
	}
}

/* "a b c": keys that are missing; NULL: rows were not asked. */
static HfReferencesRecord *
references_of(const char *missing)
{
	g_auto(GStrv) keys = missing ? g_strsplit(missing, " ", -1) : NULL;
	HfReferencesRecord *record = missing ? hf_references_record_new() : NULL;

	for (char **key = keys; key && *key; key++)
		if (**key)
			hf_references_record_add(record, HF_REFERENCE_MISSING, *key);
	return record;
}

static const struct {
	const char *name, *before, *now, *alarms;
} reference_cases[] = {
	{"none is missing", NULL, "", ""},
	{"the first time", NULL, "a b", "2 image(s) that rows name are missing, 0 before: \"a\""},
	{"the same again", "a b", "a b", ""},
	{"fewer", "a b", "b", ""},
	{"one more", "a", "a b", "2 image(s) that rows name are missing, 1 before: \"b\""},
	{"another one", "a b", "a c", "2 image(s) that rows name are missing, 2 before: \"c\""},
	{"all are back", "a b", "", ""},
};

static void
test_references(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(reference_cases); i++) {
		g_autoptr(HfReferencesRecord) before = references_of(reference_cases[i].before);
		g_autoptr(HfReferencesRecord) now = references_of(reference_cases[i].now);
		g_autoptr(GPtrArray) alarms = g_ptr_array_new_with_free_func(g_free);
		g_autofree char *said = NULL;

		g_test_message("%s", reference_cases[i].name);
		hf_shrink_references(before, now, alarms);
		said = join(alarms);
		g_assert_cmpstr(said, ==, reference_cases[i].alarms);
	}
}

/* Past what a manifest names, the number alone tells. */
static void
test_many_references(void)
{
	g_autoptr(HfReferencesRecord) before = references_of("");
	g_autoptr(HfReferencesRecord) now = references_of("");
	g_autoptr(GPtrArray) alarms = g_ptr_array_new_with_free_func(g_free);

	for (int i = 0; i < 300; i++) {
		g_autofree char *old_key = g_strdup_printf("old%d", i);
		g_autofree char *key = g_strdup_printf("new%d", i);

		hf_references_record_add(before, HF_REFERENCE_MISSING, old_key);
		hf_references_record_add(now, HF_REFERENCE_MISSING, key);
	}
	hf_shrink_references(before, now, alarms);
	g_assert_cmpuint(alarms->len, ==, 0);
	hf_references_record_add(now, HF_REFERENCE_MISSING, "one more");
	hf_shrink_references(before, now, alarms);
	g_assert_cmpuint(alarms->len, ==, 1);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/shrink/tables", test_tables);
	g_test_add_func("/shrink/images", test_images);
	g_test_add_func("/shrink/references", test_references);
	g_test_add_func("/shrink/many-references-are-told-by-their-number", test_many_references);
	return g_test_run();
}
