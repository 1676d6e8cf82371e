#include "config.h"

#include "cli/job-parameters.h"
#include "common/error.h"

#include <string.h>

static struct {
	gboolean full_images;
	char *to;
	gint level;
	char **tables;
} given;

static GOptionEntry options[] = {{"full-images", 0, 0, G_OPTION_ARG_NONE, &given.full_images, "", NULL},
				 {"to", 0, 0, G_OPTION_ARG_STRING, &given.to, "", "URL"},
				 {"level", 0, 0, G_OPTION_ARG_INT, &given.level, "", "N"},
				 {"table", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given.tables, "", "NAME"},
				 {0}};

static const HfCommand command = {"try", "SET [KEY]", 1, 2, "", "", options, false, NULL};

static void
forget(void)
{
	given.full_images = FALSE;
	given.level = 0;
	g_clear_pointer(&given.to, g_free);
	g_clear_pointer(&given.tables, g_strfreev);
}

static void
test_options_and_arguments_become_parameters_and_back(void)
{
	char *arguments[] = {(char[]){"latest"}, NULL};
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) parsed = NULL;

	given.full_images = TRUE;
	given.level = 4;
	given.to = g_strdup("s3://bucket/a b");
	given.tables = g_strsplit("users,-x", ",", -1);
	text = hf_job_parameters_of(&command, arguments);
	g_assert_cmpstr(text, ==,
			"{\"set\":\"latest\",\"full_images\":true,\"to\":\"s3://bucket/a b\",\"level\":4,"
			"\"table\":[\"users\",\"-x\"]}");
	forget();
	parsed = hf_job_parameters_parse(&command, text, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(parsed[0], ==, "latest");
	g_assert_null(parsed[1]);
	g_assert_true(given.full_images);
	g_assert_cmpint(given.level, ==, 4);
	g_assert_cmpstr(given.to, ==, "s3://bucket/a b");
	g_assert_cmpstr(given.tables[1], ==, "-x");
	forget();
}

static void
test_false_and_null_are_as_not_given(void)
{
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) parsed = hf_job_parameters_parse(
		&command, "{\"set\":\"x\",\"full_images\":false,\"to\":null}", &error);

	g_assert_no_error(error);
	g_assert_cmpstr(parsed[0], ==, "x");
	g_assert_false(given.full_images);
	g_assert_null(given.to);
}

static const struct {
	const char *parameters, *word;
} wrong[] = {
	{"[]", "JSON object"},
	{"\"set\"", "JSON object"},
	{"{\"set\":", "json"},
	{"{}", "\"set\""},
	{"{\"set\":1}", "\"set\""},
	{"{\"set\":\"x\",\"level\":\"4\"}", "\"level\""},
	{"{\"set\":\"x\",\"level\":4.5}", "\"level\""},
	{"{\"set\":\"x\",\"level\":99999999999}", "99999999999"},
	{"{\"set\":\"x\",\"full_images\":1}", "\"full_images\""},
	{"{\"set\":\"x\",\"table\":[1]}", "\"table\""},
	{"{\"set\":\"x\",\"help\":true}", "\"help\""},
	{"{\"set\":\"x\",\"env_file\":\"/etc/passwd\"}", "\"env_file\""},
};

static void
test_what_the_command_does_not_know_is_named(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("%s", wrong[i].parameters);
		g_assert_null(hf_job_parameters_parse(&command, wrong[i].parameters, &error));
		g_assert_nonnull(strstr(error->message, wrong[i].word));
		forget();
	}
}

static const struct {
	const char *said, *kept;
} passwords[] = {
	{"postgres://u:hush@h/db", "postgres://u:***@h/db"},
	{"postgres://u@h/db", "postgres://u@h/db"},
	{"host=h password=hush dbname=x", "host=h password=*** dbname=x"},
	{"host=h PASSWORD = 'hu sh' dbname=x", "host=h PASSWORD = *** dbname=x"},
	{"postgres://h/db?password=hush&sslmode=require", "postgres://h/db?password=***&sslmode=require"},
	{"s3://bucket/prefix", "s3://bucket/prefix"},
};

static void
test_passwords_are_left_out(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(passwords); i++) {
		g_autoptr(HfJson) object = json_object_new_object();
		g_autoptr(HfJson) expected = json_object_new_object();
		g_autofree char *kept = NULL;

		hf_json_add_text(object, "to", passwords[i].said);
		hf_json_add_text(expected, "to", passwords[i].kept);
		kept = hf_job_parameters_without_passwords(
			json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
		g_assert_cmpstr(kept, ==,
				json_object_to_json_string_ext(
					expected, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/job-parameters/options-and-arguments-become-parameters-and-back",
			test_options_and_arguments_become_parameters_and_back);
	g_test_add_func("/job-parameters/false-and-null-are-as-not-given",
			test_false_and_null_are_as_not_given);
	g_test_add_func("/job-parameters/what-the-command-does-not-know-is-named",
			test_what_the_command_does_not_know_is_named);
	g_test_add_func("/job-parameters/passwords-are-left-out", test_passwords_are_left_out);
	return g_test_run();
}
