#include "config.h"

#include "common/clock.h"

#include <string.h>

#define SET_ID_TEMPLATE "dddd-dd-dd_dd-dd-dd"
#define RFC3339_TEMPLATE "dddd-dd-ddTdd:dd:ddZ"

int64_t
hf_clock_now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

double
hf_clock_monotonic_s(void)
{
	return (double)g_get_monotonic_time() / G_USEC_PER_SEC;
}

/* Not g_date_time_format(): its %Y writes the year 217 as three digits. */
static char *
format_utc(int64_t unix_s, bool is_rfc3339)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(unix_s);

	/* Years 1 to 9999 are all that GLib and four digits can say. */
	g_assert(time);
	return g_strdup_printf(
		is_rfc3339 ? "%04d-%02d-%02dT%02d:%02d:%02dZ" : "%04d-%02d-%02d_%02d-%02d-%02d",
		g_date_time_get_year(time), g_date_time_get_month(time), g_date_time_get_day_of_month(time),
		g_date_time_get_hour(time), g_date_time_get_minute(time), g_date_time_get_second(time));
}

/* True where text begins with template, in which 'd' stands for a digit. */
static bool
has_form(const char *text, const char *template)
{
	for (; *template; text++, template ++)
		if (*template == 'd' ? !g_ascii_isdigit(*text) : *text != *template)
			return false;
	return true;
}

static int
digits(const char *text, size_t len)
{
	int value = 0;

	for (size_t i = 0; i < len; i++)
		value = value * 10 + g_ascii_digit_value(text[i]);
	return value;
}

/* Both forms have their numbers at the same places. */
static bool
parse_fields(const char *text, int64_t *unix_s_out)
{
	g_autoptr(GDateTime)
		time = g_date_time_new_utc(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2),
					   digits(text + 11, 2), digits(text + 14, 2), digits(text + 17, 2));

	if (!time)
		return false;
	*unix_s_out = g_date_time_to_unix(time);
	return true;
}

char *
hf_clock_set_id(int64_t unix_s)
{
	return format_utc(unix_s, false);
}

bool
hf_clock_parse_set_id(const char *text, int64_t *unix_s_out)
{
	return has_form(text, SET_ID_TEMPLATE) && parse_fields(text, unix_s_out);
}

char *
hf_clock_rfc3339(int64_t unix_s)
{
	return format_utc(unix_s, true);
}

bool
hf_clock_parse_rfc3339(const char *text, int64_t *unix_s_out)
{
	return has_form(text, RFC3339_TEMPLATE) && text[strlen(RFC3339_TEMPLATE)] == 0 &&
	       parse_fields(text, unix_s_out);
}
