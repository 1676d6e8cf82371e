#include "config.h"

#include "cli/job-parameters.h"
#include "common/error.h"

#include <string.h>

/* "SET [KEY]" as "set", "key". */
static char **
argument_names(const HfCommand *command)
{
	g_autofree char *lower = g_ascii_strdown(command->arguments, -1);

	g_strdelimit(lower, "[]", ' ');
	return g_strsplit_set(g_strstrip(lower), " ", -1);
}

static char *
member_name(const GOptionEntry *option)
{
	return g_strdelimit(g_strdup(option->long_name), "-", '_');
}

/* ---- from a command line ---- */

/* A password in a URL, and in a libpq connection string. */
static char *
without_passwords(const char *text)
{
	g_autoptr(GRegex) url = g_regex_new("(://[^:/@\\s]*:)[^@/\\s]*@", 0, 0, NULL);
	g_autoptr(GRegex)
		parameter = g_regex_new("(password\\s*=\\s*)('[^']*'|[^\\s&]+)", G_REGEX_CASELESS, 0, NULL);
	g_autofree char *once = g_regex_replace(url, text, -1, 0, "\\1***@", 0, NULL);

	return g_regex_replace(parameter, once ? once : "", -1, 0, "\\1***", 0, NULL);
}

static void
add_text(HfJson *object, const char *name, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autofree char *harmless = without_passwords(valid);

	hf_json_add_text(object, name, harmless);
}

static HfJson *
texts_to_json(char **texts)
{
	HfJson *array = json_object_new_array();

	for (; *texts; texts++) {
		g_autofree char *valid = g_utf8_make_valid(*texts, -1);

		json_object_array_add(array, json_object_new_string(valid));
	}
	return array;
}

static void
add_option(HfJson *object, const GOptionEntry *option)
{
	g_autofree char *name = member_name(option);
	void *data = option->arg_data;

	switch (option->arg) {
	case G_OPTION_ARG_NONE:
		if (*(gboolean *)data)
			hf_json_add_flag(object, name, true);
		break;
	case G_OPTION_ARG_STRING:
	case G_OPTION_ARG_FILENAME:
		if (*(char **)data)
			add_text(object, name, *(char **)data);
		break;
	case G_OPTION_ARG_INT:
		if (*(gint *)data != 0)
			hf_json_add(object, name, json_object_new_int64(*(gint *)data));
		break;
	case G_OPTION_ARG_INT64:
		if (*(gint64 *)data != 0)
			hf_json_add(object, name, json_object_new_int64(*(gint64 *)data));
		break;
	case G_OPTION_ARG_STRING_ARRAY:
	case G_OPTION_ARG_FILENAME_ARRAY:
		if (*(char ***)data)
			hf_json_add(object, name, texts_to_json(*(char ***)data));
		break;
	case G_OPTION_ARG_CALLBACK:
	case G_OPTION_ARG_DOUBLE:
		break; /* no command has such */
	}
}

static char *
to_text(HfJson *object)
{
	return g_strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
								       JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *
hf_job_parameters_of(const HfCommand *command, char **arguments)
{
	g_autoptr(HfJson) object = json_object_new_object();
	g_auto(GStrv) names = argument_names(command);

	for (size_t i = 0; names[i] && arguments[i]; i++)
		add_text(object, names[i], arguments[i]);
	for (const GOptionEntry *option = command->options; option && option->long_name; option++)
		add_option(object, option);
	return to_text(object);
}

char *
hf_job_parameters_without_passwords(const char *parameters)
{
	g_autoptr(HfJson) object = hf_json_parse(parameters, strlen(parameters), NULL);
	g_autoptr(HfJson) harmless = json_object_new_object();

	if (!json_object_is_type(object, json_type_object))
		return g_strdup("{}");
	json_object_object_foreach(object, name, value)
	{
		if (json_object_is_type(value, json_type_string))
			add_text(harmless, name, json_object_get_string(value));
		else
			hf_json_add(harmless, name, json_object_get(value));
	}
	return to_text(harmless);
}

/* ---- into a command line ---- */

typedef struct {
	const HfCommand *command;
	char **names;     /* of arguments */
	char **arguments; /* in their places; NULL where not given yet */
	GPtrArray *words; /* the program's name, then options */
} Line;

static const GOptionEntry *
find_option(const HfCommand *command, const char *name)
{
	for (const GOptionEntry *option = command->options; option && option->long_name; option++) {
		g_autofree char *member = member_name(option);

		if (strcmp(member, name) == 0)
			return option;
	}
	return NULL;
}

static bool
wrong_type(const Line *line, const char *name, const char *wanted, GError **error)
{
	return hf_error_set(error, HF_ERROR_USAGE, "parameter \"%s\" of \"%s\" is not %s", name,
			    line->command->name, wanted);
}

static bool
add_word(Line *line, const GOptionEntry *option, const char *name, HfJson *value, GError **error)
{
	bool is_number = option->arg == G_OPTION_ARG_INT || option->arg == G_OPTION_ARG_INT64;

	if (!json_object_is_type(value, is_number ? json_type_int : json_type_string))
		return wrong_type(line, name, is_number ? "a number" : "a text", error);
	g_ptr_array_add(line->words,
			g_strdup_printf("--%s=%s", option->long_name, json_object_get_string(value)));
	return true;
}

static bool
add_words(Line *line, const GOptionEntry *option, const char *name, HfJson *value, GError **error)
{
	if (!json_object_is_type(value, json_type_array))
		return add_word(line, option, name, value, error);
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!add_word(line, option, name, json_object_array_get_idx(value, i), error))
			return false;
	return true;
}

static bool
add_flag(Line *line, const GOptionEntry *option, const char *name, HfJson *value, GError **error)
{
	if (!json_object_is_type(value, json_type_boolean))
		return wrong_type(line, name, "true or false", error);
	if (json_object_get_boolean(value))
		g_ptr_array_add(line->words, g_strdup_printf("--%s", option->long_name));
	return true;
}

static bool
take_argument(Line *line, size_t place, HfJson *value, GError **error)
{
	if (!json_object_is_type(value, json_type_string))
		return wrong_type(line, line->names[place], "a text", error);
	line->arguments[place] = g_strdup(json_object_get_string(value));
	return true;
}

static bool
take_member(Line *line, const char *name, HfJson *value, GError **error)
{
	const GOptionEntry *option = find_option(line->command, name);

	if (!value)
		return true;
	for (size_t i = 0; line->names[i]; i++)
		if (strcmp(line->names[i], name) == 0)
			return take_argument(line, i, value, error);
	if (!option)
		return hf_error_set(error, HF_ERROR_USAGE, "\"%s\" has no parameter \"%s\"",
				    line->command->name, name);
	if (option->arg == G_OPTION_ARG_NONE)
		return add_flag(line, option, name, value, error);
	return option->arg == G_OPTION_ARG_STRING_ARRAY || option->arg == G_OPTION_ARG_FILENAME_ARRAY
		       ? add_words(line, option, name, value, error)
		       : add_word(line, option, name, value, error);
}

static bool
parse_words(const Line *line, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_auto(GStrv) words = NULL;
	g_autoptr(GError) cause = NULL;

	g_ptr_array_add(line->words, NULL);
	words = g_strdupv((char **)line->words->pdata);
	g_option_context_set_help_enabled(context, FALSE);
	if (line->command->options)
		g_option_context_add_main_entries(context, line->command->options, NULL);
	return g_option_context_parse_strv(context, &words, &cause) ||
	       hf_error_set(error, HF_ERROR_USAGE, "parameters of \"%s\": %s", line->command->name,
			    cause->message);
}

static bool
check_arguments(const Line *line, GError **error)
{
	for (int i = 0; i < line->command->arguments_min; i++)
		if (!line->arguments[i])
			return hf_error_set(error, HF_ERROR_USAGE, "parameter \"%s\" of \"%s\" is missing",
					    line->names[i], line->command->name);
	return true;
}

static bool
take_members(Line *line, HfJson *object, GError **error)
{
	if (!json_object_is_type(object, json_type_object))
		return hf_error_set(error, HF_ERROR_USAGE, "parameters of \"%s\" are not a JSON object",
				    line->command->name);
	json_object_object_foreach(object, name, value)
	{
		if (!take_member(line, name, value, error))
			return false;
	}
	return parse_words(line, error) && check_arguments(line, error);
}

char **
hf_job_parameters_parse(const HfCommand *command, const char *parameters, GError **error)
{
	g_autoptr(HfJson) object = hf_json_parse(parameters, strlen(parameters), error);
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) names = argument_names(command);
	g_auto(GStrv) arguments = g_new0(char *, g_strv_length(names) + 1);
	Line line = {command, names, arguments, words};

	if (!object)
		return NULL;
	g_ptr_array_add(words, g_strdup("holdfast"));
	return take_members(&line, object, error) ? g_steal_pointer(&arguments) : NULL;
}
