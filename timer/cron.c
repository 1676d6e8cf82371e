#include "config.h"

#include "timer/cron.h"
#include "common/error.h"

#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

typedef struct {
	const char *name;
	unsigned min, max;
	const char *allowed;
	const char *const *names; /* NULL, or the words for first_name and on */
	unsigned first_name;
} Field;

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
					  "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum {
	MINUTE,
	HOUR,
	DAY,
	MONTH,
	WEEKDAY,
	FIELD_COUNT
};

static const Field fields[FIELD_COUNT] = {
	[MINUTE] = {"minute", 0, 59, "0 to 59", NULL, 0},
	[HOUR] = {"hour", 0, 23, "0 to 23", NULL, 0},
	[DAY] = {"day of the month", 1, 31, "1 to 31", NULL, 0},
	[MONTH] = {"month", 1, 12, "1 to 12 or jan to dec", month_names, 1},
	[WEEKDAY] = {"weekday", 0, 7, "0 to 7 (0 and 7 are Sunday) or sun to sat", weekday_names, 0},
};

static const struct {
	const char *word;
	const char *means;
} words[] = {
	{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

/* ---- one field ---- */

/* What a message needs, and where the parser stands. */
typedef struct {
	const Field *field;
	const char *text; /* the whole field */
	const char *at;
} Reader;

G_GNUC_PRINTF(3, 4)
static bool
refuse(const Reader *reader, GError **error, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list args;

	va_start(args, format);
	why = g_strdup_vprintf(format, args);
	va_end(args);
	return hf_error_set(error, HF_ERROR_USAGE, "%s \"%s\": %s", reader->field->name, reader->text, why);
}

static bool
read_number(Reader *reader, unsigned *value_out, GError **error)
{
	unsigned value = 0;

	if (!g_ascii_isdigit(*reader->at))
		return refuse(reader, error,
			      *reader->at ? "\"%s\" is not known: %s is wanted" : "%s%s is wanted",
			      reader->at, reader->field->allowed);
	for (; g_ascii_isdigit(*reader->at); reader->at++)
		value = MIN(value * 10 + (unsigned)g_ascii_digit_value(*reader->at), 10000);
	*value_out = value;
	return true;
}

static bool
read_name(Reader *reader, unsigned *value_out)
{
	size_t len = strspn(reader->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	for (unsigned i = 0; reader->field->names && reader->field->names[i]; i++) {
		if (len == strlen(reader->field->names[i]) &&
		    g_ascii_strncasecmp(reader->at, reader->field->names[i], len) == 0) {
			*value_out = reader->field->first_name + i;
			reader->at += len;
			return true;
		}
	}
	return false;
}

static bool
read_value(Reader *reader, unsigned *value_out, GError **error)
{
	if (read_name(reader, value_out))
		return true;
	if (!read_number(reader, value_out, error))
		return false;
	if (*value_out < reader->field->min || *value_out > reader->field->max)
		return refuse(reader, error, "%u is out of bounds: %s is wanted", *value_out,
			      reader->field->allowed);
	return true;
}

/* "*", "a" or "a-b". */
static bool
read_range(Reader *reader, unsigned *first_out, unsigned *last_out, GError **error)
{
	*first_out = reader->field->min;
	*last_out = reader->field->names == weekday_names ? 6 : reader->field->max;
	if (*reader->at == '*') {
		reader->at++;
		return true;
	}
	if (!read_value(reader, first_out, error))
		return false;
	*last_out = *first_out;
	if (*reader->at == '/')
		return refuse(reader, error, "a step goes with a range: \"%u-%u%s\"?", *first_out,
			      reader->field->max, reader->at);
	if (*reader->at != '-')
		return true;
	reader->at++;
	if (!read_value(reader, last_out, error))
		return false;
	/* A week may well end with Sunday. */
	if (reader->field->names == weekday_names && *last_out == 0 && *first_out > 0)
		*last_out = 7;
	if (*last_out < *first_out)
		return refuse(reader, error,
			      "a range goes from the lower to the higher value: %u-%u does not", *first_out,
			      *last_out);
	return true;
}

static bool
read_step(Reader *reader, unsigned *step_out, GError **error)
{
	unsigned widest = reader->field->max - reader->field->min;

	*step_out = 1;
	if (*reader->at != '/')
		return true;
	reader->at++;
	if (!read_number(reader, step_out, error))
		return false;
	/* Most who write 90 minutes as a step do not mean what it would do: once an hour. */
	if (*step_out < 1 || *step_out > widest)
		return refuse(reader, error, "the step %u is out of bounds: 1 to %u is wanted", *step_out,
			      widest);
	return true;
}

static bool
parse_field(const Field *field, const char *text, uint64_t *bits_out, GError **error)
{
	Reader reader = {field, text, text};
	uint64_t bits = 0;

	for (;;) {
		unsigned first, last, step;

		if (!read_range(&reader, &first, &last, error) || !read_step(&reader, &step, error))
			return false;
		for (unsigned value = first; value <= last; value += step)
			bits |= BIT(field->names == weekday_names ? value % 7 : value);
		if (*reader.at != ',')
			break;
		reader.at++;
	}
	if (*reader.at)
		return refuse(&reader, error, "\"%s\" is not known: %s, lists, ranges, steps or * are wanted",
			      reader.at, field->allowed);
	*bits_out = bits;
	return true;
}

/* ---- the whole of it ---- */

bool
hf_cron_has_day(const HfCron *cron, unsigned month, unsigned day, unsigned weekday)
{
	bool is_day = cron->days & BIT(day), is_weekday = cron->weekdays & BIT(weekday);

	if (!(cron->months & BIT(month)))
		return false;
	return cron->is_either_day ? is_day || is_weekday : is_day && is_weekday;
}

/* Whether one of its months has one of its days; in a leap year each date comes on each weekday, sooner or later. */
static bool
ever_comes(const HfCron *cron)
{
	static const unsigned days_of_month[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	for (unsigned month = 1; month <= 12; month++)
		for (unsigned day = 1; day <= days_of_month[month]; day++)
			for (unsigned weekday = 0; weekday < 7; weekday++)
				if (hf_cron_has_day(cron, month, day, weekday))
					return true;
	return false;
}

static bool
parse_fields(char **texts, HfCron *cron, GError **error)
{
	uint64_t bits[FIELD_COUNT];

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (!parse_field(&fields[i], texts[i], &bits[i], error))
			return false;
	*cron = (HfCron){
		.minutes = bits[MINUTE],
		.hours = (uint32_t)bits[HOUR],
		.days = (uint32_t)bits[DAY],
		.months = (uint32_t)bits[MONTH],
		.weekdays = (uint32_t)bits[WEEKDAY],
		.is_either_day = texts[DAY][0] != '*' && texts[WEEKDAY][0] != '*',
	};
	return ever_comes(cron) ||
	       hf_error_set(error, HF_ERROR_USAGE, "no month of it has such a day: it would never come");
}

/* The expression that a word stands for; text itself where it is no word. */
static const char *
expand(const char *text, GError **error)
{
	if (*text != '@')
		return text;
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_ascii_strcasecmp(text, words[i].word) == 0)
			return words[i].means;
	hf_error_set(error, HF_ERROR_USAGE,
		     "@yearly, @monthly, @weekly, @daily, @midnight or @hourly is wanted where a word is");
	return NULL;
}

/* The words of text between blanks; g_strfreev() it. */
static char **
split(const char *text)
{
	g_auto(GStrv) pieces = g_strsplit_set(text, " \t", -1);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (char **piece = pieces; *piece; piece++)
		if (**piece)
			g_strv_builder_add(builder, *piece);
	return g_strv_builder_end(builder);
}

static bool
parse(const char *text, HfCron *cron, GError **error)
{
	g_auto(GStrv) given = split(text);
	g_auto(GStrv) texts = NULL;
	unsigned count = g_strv_length(given);
	const char *expression = count == 1 ? expand(given[0], error) : text;

	if (!expression)
		return false;
	texts = split(expression);
	count = g_strv_length(texts);
	if (count != FIELD_COUNT)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"it has %u field%s and five are wanted: minute, hour, day of the month, month, "
			"weekday",
			count, count == 1 ? "" : "s");
	return parse_fields(texts, cron, error);
}

bool
hf_cron_parse(const char *text, const char *what, HfCron *cron_out, GError **error)
{
	if (parse(text, cron_out, error))
		return true;
	g_prefix_error(error, "%s \"%s\": ", what, text);
	return false;
}
