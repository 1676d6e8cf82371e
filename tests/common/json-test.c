#include "config.h"

#include "common/error.h"
#include "common/json.h"

#include <string.h>

static void
test_what_is_no_json_is_corrupt(void)
{
	g_autofree char *open = g_strnfill(40, '[');
	g_autofree char *close = g_strnfill(40, ']');
	g_autofree char *deep = g_strconcat(open, close, NULL);
	const char *const texts[] = {
		"",    "{", "{} {}", "[1,]", "nul", "null", "{\"a\"}", "\"\xff\"", "{\"a\":\"\xc3\"}",
		"NaN", deep};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(HfJson) value = hf_json_parse(texts[i], strlen(texts[i]), &error);

		g_test_message("%s", texts[i]);
		g_assert_null(value);
		g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	}
	g_assert_null(hf_json_parse("[1]\0[2]", 7, NULL));
}

static void
test_members_are_checked_and_named(void)
{
	static const char text[] =
		"{\"t\":\"x\",\"n\":9223372036854775807,\"neg\":-1,"
		"\"big\":9223372036854775808,\"z\":\"a\\u0000b\",\"o\":{},\"a\":[],\"null\":null}\n";
	g_autoptr(GError) error = NULL;
	g_autoptr(HfJson) object = hf_json_parse(text, strlen(text), &error);
	static const char *const no_numbers[] = {"t", "neg", "big", "o", "absent", "null"};
	const char *value;
	uint64_t number;
	HfJson *child;

	g_assert_no_error(error);
	g_assert_true(hf_json_get_text(object, "t", &value, &error));
	g_assert_cmpstr(value, ==, "x");
	g_assert_true(hf_json_get_number(object, "n", &number, &error));
	g_assert_cmpuint(number, ==, INT64_MAX);
	g_assert_true(hf_json_get_object(object, "o", &child, &error));
	g_assert_true(hf_json_get_array(object, "a", &child, &error));
	g_assert_true(hf_json_find_text(object, "null", &value, &error) && !value);
	g_assert_true(hf_json_find_object(object, "absent", &child, &error) && !child);
	for (size_t i = 0; i < G_N_ELEMENTS(no_numbers); i++) {
		g_autoptr(GError) trouble = NULL;

		g_assert_false(hf_json_get_number(object, no_numbers[i], &number, &trouble));
		g_assert_true(hf_error_is(trouble, HF_ERROR_CORRUPT));
		g_assert_nonnull(strstr(trouble->message, no_numbers[i]));
	}
	g_assert_false(hf_json_get_text(object, "z", &value, &error));
	g_clear_error(&error);
	g_assert_false(hf_json_find_text(object, "n", &value, &error));
	g_clear_error(&error);
	g_assert_false(hf_json_find_object(object, "a", &child, &error));
}

static void
test_any_bytes_come_back(void)
{
	static const char *const values[] = {
		"", "plain", "\"q\"\n\\", "\xc3\xa9 \xf0\x9f\x90\x98", "caf\xe9", "\xff\xfe\x01"};

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autoptr(HfJson) object = json_object_new_object();
		g_autoptr(GError) error = NULL;
		g_autoptr(HfJson) parsed = NULL;
		g_autofree char *value = NULL;
		const char *text;

		hf_json_add_bytes(object, "v", values[i]);
		text = json_object_to_json_string(object);
		parsed = hf_json_parse(text, strlen(text), &error);
		g_assert_no_error(error);
		g_assert_true(hf_json_get_bytes(parsed, "v", &value, &error));
		g_assert_cmpstr(value, ==, values[i]);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/json/what-is-no-json-is-corrupt", test_what_is_no_json_is_corrupt);
	g_test_add_func("/json/members-are-checked-and-named", test_members_are_checked_and_named);
	g_test_add_func("/json/any-bytes-come-back", test_any_bytes_come_back);
	return g_test_run();
}
