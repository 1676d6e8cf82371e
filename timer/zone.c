#include "config.h"

#include "timer/zone.h"
#include "common/error.h"

#include <string.h>

/* RFC 8536 section 3.2: an offset lies between -25 and +26 hours. */
#define OFFSET_MAX_S (26 * 3600)

#define FROM_S (-INT64_C(366) * 86400) /* 1969 */
#define UNTIL_S INT64_C(2145916800)    /* 2038 */

/* From begin_s to the next one's, the clock is offset_s ahead of UTC. */
typedef struct {
	int64_t begin_s;
	int offset_s;
} Interval;

struct HfZone {
	char *name;
	GArray *intervals; /* of Interval, in order; the first begins with time itself */
};

/* ---- out of GLib ---- */

/* GLib does not check what a file is before it takes it for a zone's, and takes a folder's name for nothing else. */
static bool
is_no_zone_file(const char *name)
{
	const char *folder = g_getenv("TZDIR");
	g_autofree char *path = g_build_filename(folder ? folder : "/usr/share/zoneinfo", name, NULL);
	g_autofree char *content = NULL;
	gsize len;

	if (g_path_is_absolute(name)) {
		g_free(path);
		path = g_strdup(name);
	}
	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return false; /* perhaps a rule */
	return !g_file_test(path, G_FILE_TEST_IS_REGULAR) ||
	       !g_file_get_contents(path, &content, &len, NULL) || len < 44 ||
	       memcmp(content, "TZif", 4) != 0;
}

static GTimeZone *
find(const char *name)
{
	if (strcmp(name, "UTC") == 0)
		return g_time_zone_new_utc();
	if (!*name || !g_utf8_validate(name, -1, NULL) || strstr(name, "..") || is_no_zone_file(name))
		return NULL;
	return g_time_zone_new_identifier(name);
}

/* GLib numbers the intervals, too, but does not say where they begin. */
static int
number_at(GTimeZone *zone, int64_t unix_s)
{
	return g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, unix_s);
}

/* Where the interval at from_s is over; UNTIL_S where it lasts. */
static int64_t
end_of(GTimeZone *zone, int64_t from_s)
{
	int number = number_at(zone, from_s);
	int64_t within_s = from_s, beyond_s = UNTIL_S;

	if (number_at(zone, UNTIL_S) == number)
		return UNTIL_S;
	while (beyond_s - within_s > 1) {
		int64_t middle_s = within_s + (beyond_s - within_s) / 2;

		if (number_at(zone, middle_s) == number)
			within_s = middle_s;
		else
			beyond_s = middle_s;
	}
	return beyond_s;
}

static GArray *
intervals_of(GTimeZone *zone)
{
	GArray *intervals = g_array_new(FALSE, FALSE, sizeof(Interval));

	for (int64_t at_s = FROM_S; at_s < UNTIL_S; at_s = end_of(zone, at_s)) {
		Interval interval = {at_s == FROM_S ? INT64_MIN : at_s,
				     g_time_zone_get_offset(zone, number_at(zone, at_s))};

		g_array_append_val(intervals, interval);
	}
	return intervals;
}

HfZone *
hf_zone_new(const char *name, const char *what, GError **error)
{
	const char *plain = *name == ':' ? name + 1 : name;
	g_autoptr(GTimeZone) found = find(plain);
	HfZone *zone;

	if (!found) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "%s \"%s\": there is no such time zone: a name such as \"Europe/Berlin\" is "
			     "wanted, and "
			     "the package tzdata",
			     what, name);
		return NULL;
	}
	zone = g_new0(HfZone, 1);
	zone->name = g_strdup(plain);
	zone->intervals = intervals_of(found);
	return zone;
}

void
hf_zone_free(HfZone *zone)
{
	if (!zone)
		return;
	g_array_unref(zone->intervals);
	g_free(zone->name);
	g_free(zone);
}

const char *
hf_zone_name(const HfZone *zone)
{
	return zone->name;
}

/* ---- what is asked of it ---- */

static const Interval *
interval(const HfZone *zone, guint i)
{
	return &g_array_index(zone->intervals, Interval, i);
}

/* INT64_MAX for the last. */
static int64_t
interval_end(const HfZone *zone, guint i)
{
	return i + 1 < zone->intervals->len ? interval(zone, i + 1)->begin_s : INT64_MAX;
}

static guint
interval_at(const HfZone *zone, int64_t unix_s)
{
	guint low = 0, high = zone->intervals->len;

	while (high - low > 1) {
		guint middle = low + (high - low) / 2;

		if (interval(zone, middle)->begin_s <= unix_s)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int
hf_zone_offset_s(const HfZone *zone, int64_t unix_s)
{
	return interval(zone, interval_at(zone, unix_s))->offset_s;
}

int64_t
hf_zone_instant(const HfZone *zone, int64_t local_s)
{
	/* Earlier than this no offset reaches it. */
	int64_t begin_s = local_s - OFFSET_MAX_S;

	for (guint i = interval_at(zone, begin_s);; i++) {
		int64_t first_s = MAX(MAX(begin_s, interval(zone, i)->begin_s),
				      local_s - interval(zone, i)->offset_s);

		if (first_s < interval_end(zone, i))
			return first_s;
	}
}

int64_t
hf_zone_latest_local(const HfZone *zone, int64_t unix_s)
{
	guint last = interval_at(zone, unix_s);
	int64_t latest_s = unix_s + interval(zone, last)->offset_s;

	/* What ended longer ago than two offsets differ cannot have shown a later time. */
	for (guint i = last; i > 0 && interval(zone, i)->begin_s > unix_s - 2 * OFFSET_MAX_S; i--)
		latest_s = MAX(latest_s, interval(zone, i)->begin_s - 1 + interval(zone, i - 1)->offset_s);
	return latest_s;
}

char *
hf_zone_format(const HfZone *zone, int64_t unix_s)
{
	int offset_s = hf_zone_offset_s(zone, unix_s);
	int minutes = ABS(offset_s) / 60;
	g_autoptr(GDateTime) local = g_date_time_new_from_unix_utc(unix_s + offset_s);

	g_assert(local);
	return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", g_date_time_get_year(local),
			       g_date_time_get_month(local), g_date_time_get_day_of_month(local),
			       g_date_time_get_hour(local), g_date_time_get_minute(local),
			       g_date_time_get_second(local), offset_s < 0 ? '-' : '+', minutes / 60,
			       minutes % 60);
}
