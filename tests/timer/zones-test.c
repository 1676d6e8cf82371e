/*
 * Every zone of the tz database, over every one of its changes from 1970 to 2037: each slot once, never twice, in order.
 *
 * The judge is independent of the code under test: the changes are read from the zone's own file (RFC 8536), the clock on
 * the wall is the C library's localtime_r(), and slots are found by walking over the instants around a change.
 */
#include "config.h"

#include "timer/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZONEINFO "/usr/share/zoneinfo"
#define UNTIL_S INT64_C(2145916800) /* 2038-01-01 */
#define HOUR_S 3600
#define DAY_S 86400

static int64_t
big_endian(const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | bytes[i];
	return len == 8 ? (int64_t)value : (int64_t)(int32_t)value;
}

/* RFC 8536 section 3: six counts after 20 bytes of header. */
static size_t
block_len(const uint8_t *header, size_t time_len)
{
	int64_t counts[6];

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		counts[i] = big_endian(header + 20 + 4 * i, 4);
	return (size_t)(44 + counts[3] * ((int64_t)time_len + 1) + counts[4] * 6 + counts[5] +
			counts[2] * ((int64_t)time_len + 4) + counts[1] + counts[0]);
}

/* The changes from 1970 to 2037, of int64_t; NULL where the file is of another kind. */
static GArray *
changes_of(const char *path)
{
	g_autofree char *data = NULL;
	const uint8_t *header;
	GArray *changes;
	gsize len;

	if (!g_file_get_contents(path, &data, &len, NULL) || len < 44 || memcmp(data, "TZif", 4) != 0)
		return NULL;
	g_assert_cmpint(data[4], >=, '2');
	header = (const uint8_t *)data;
	header += block_len(header, 4);
	changes = g_array_new(FALSE, FALSE, sizeof(int64_t));
	for (int64_t i = 0; i < big_endian(header + 32, 4); i++) {
		int64_t at_s = big_endian(header + 44 + 8 * i, 8);

		if (at_s >= 0 && at_s < UNTIL_S)
			g_array_append_val(changes, at_s);
	}
	return changes;
}

/* What the clock on the wall shows, as the C library says it under the TZ of the process. */
static int64_t
wall_clock(int64_t unix_s)
{
	time_t at = (time_t)unix_s;
	struct tm local;

	g_assert_nonnull(localtime_r(&at, &local)); /* the judge: not in the code itself */
	return unix_s + local.tm_gmtoff;
}

static int64_t
floor_to(int64_t value, int64_t step)
{
	return value - ((value % step) + step) % step;
}

/* ---- one change ---- */

typedef struct {
	const char *name;
	HfZone *zone;
	int64_t step_s;     /* how finely instants are walked over */
	int64_t lookback_s; /* how long before a change another one may have shown later times */
} Subject;

/*
 * Walks over the instants around a change and notes when the clock first reaches each slot of "every five minutes"; the
 * schedule must fire just then, and at no other time.
 */
static void
check_change(const Subject *subject, const HfCron *every_five, int64_t change_s)
{
	int64_t jump_s = ABS(wall_clock(change_s) - (wall_clock(change_s - 1) + 1));
	int64_t around_s = floor_to(jump_s + 2 * HOUR_S, 300);
	int64_t begin_s = change_s - around_s, at_s = begin_s - subject->lookback_s;
	int64_t shown_s = wall_clock(at_s), fired_s = begin_s;

	for (; at_s < begin_s; at_s += HOUR_S / 4)
		shown_s = MAX(shown_s, wall_clock(at_s));
	for (at_s = begin_s; at_s < change_s + around_s; at_s += subject->step_s) {
		int64_t local_s = wall_clock(at_s);
		bool is_new = local_s > shown_s && floor_to(local_s, 300) > shown_s;

		if (is_new && at_s > begin_s) {
			int64_t next_s = hf_schedule_next(every_five, subject->zone, fired_s);

			if (next_s != at_s || hf_schedule_last(every_five, subject->zone, at_s) != at_s)
				g_error("%s: %" G_GINT64_FORMAT " was expected, not %" G_GINT64_FORMAT,
					subject->name, at_s, next_s);
			fired_s = at_s;
		}
		shown_s = MAX(shown_s, local_s);
	}
}

/* Of a daily slot at each hour's half: one firing for each day around the change, at the day's own instant. */
static void
check_days(const Subject *subject, const HfCron *daily, int64_t change_s)
{
	int64_t at_s = hf_schedule_next(daily, subject->zone, change_s - 3 * DAY_S);
	int64_t slot_s = floor_to(wall_clock(at_s), DAY_S) + 90 * 60;

	for (unsigned i = 0; i < 6; i++, slot_s += DAY_S) {
		int64_t next_s = hf_schedule_next(daily, subject->zone, at_s);
		bool is_shown = wall_clock(at_s) == slot_s;

		/* At its time, or where that is left out, at the first instant after: the clock went over it just then. */
		if (!is_shown && !(wall_clock(at_s) > slot_s && wall_clock(at_s - 1) < slot_s))
			g_error("%s: a day was left out or came twice at %" G_GINT64_FORMAT, subject->name,
				at_s);
		g_assert_cmpint(next_s, >, at_s);
		at_s = next_s;
	}
}

static void
check_changes(Subject *subject, const GArray *changes)
{
	static HfCron every_five, daily;

	g_assert_true(hf_cron_parse("*/5 * * * *", "S", &every_five, NULL));
	g_assert_true(hf_cron_parse("30 1 * * *", "S", &daily, NULL));
	for (guint i = 0; i < changes->len; i++) {
		int64_t change_s = g_array_index(changes, int64_t, i);
		bool is_even = change_s % 300 == 0 && wall_clock(change_s) % 300 == 0 &&
			       (wall_clock(change_s - 1) + 1) % 300 == 0;
		bool is_alone = i == 0 || change_s - g_array_index(changes, int64_t, i - 1) > 7 * DAY_S;

		/* Local mean time, as Liberia had it until 1972, is no whole number of minutes. */
		subject->step_s = is_even ? 300 : 1;
		subject->lookback_s = is_alone ? 0 : 28 * HOUR_S;
		check_change(subject, &every_five, change_s);
		if (is_alone)
			check_days(subject, &daily, change_s);
	}
}

/* ---- all zones ---- */

typedef struct {
	GHashTable *seen; /* what was checked in full: many zones differ before 1970 alone */
	unsigned zones, distinct, changes;
} Tour;

/* The clock of each zone is compared before and at every change; slots are where no zone before had the same changes. */
static void
check_zone(Tour *tour, const char *name, const GArray *changes)
{
	Subject subject = {.name = name, .zone = hf_zone_new(name, "TZ", NULL)};
	g_autoptr(GString) key = g_string_new(NULL);

	g_assert_nonnull(subject.zone);
	g_assert_true(g_setenv("TZ", name, TRUE));
	tzset();
	for (guint i = 0; i < changes->len; i++) {
		for (int64_t at_s = g_array_index(changes, int64_t, i), end_s = at_s - 2; at_s > end_s;
		     at_s--) {
			g_assert_cmpint(at_s + hf_zone_offset_s(subject.zone, at_s), ==, wall_clock(at_s));
			g_string_append_printf(key, "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT ",", at_s,
					       wall_clock(at_s));
		}
	}
	tour->zones++;
	tour->changes += changes->len;
	if (g_hash_table_add(tour->seen, g_string_free(g_steal_pointer(&key), FALSE))) {
		tour->distinct++;
		check_changes(&subject, changes);
	}
	hf_zone_free(subject.zone);
}

static void
visit(Tour *tour, const char *folder, const char *below)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *entry;

	g_assert_nonnull(dir);
	while ((entry = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, entry, NULL);
		g_autofree char *name = g_strconcat(below, *below ? "/" : "", entry, NULL);
		g_autoptr(GArray) changes = changes_of(path);

		/* "right" counts leap seconds, which Unix time does not; "posix" is all of it once more. */
		if (changes)
			check_zone(tour, name, changes);
		else if (g_file_test(path, G_FILE_TEST_IS_DIR) && strcmp(name, "right") != 0 &&
			 strcmp(name, "posix") != 0)
			visit(tour, path, name);
	}
}

static void
test_every_slot_once_over_every_change(void)
{
	Tour tour = {.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};

	visit(&tour, ZONEINFO, "");
	g_test_message("%u zones, %u of them different since 1970, %u changes", tour.zones, tour.distinct,
		       tour.changes);
	g_assert_cmpuint(tour.zones, >, 590);
	g_assert_cmpuint(tour.distinct, >, 200);
	g_assert_cmpuint(tour.changes, >, 20000);
	g_hash_table_unref(tour.seen);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/schedule/every-slot-once-over-every-change-of-every-zone",
			test_every_slot_once_over_every_change);
	return g_test_run();
}
