/*
 * timer/zone.h -- a time zone: what a clock on the wall shows there.
 *
 * A zone of the tz database, as GLib reads it; the process's own TZ is neither used nor changed.  A local time is counted
 * like Unix time, in seconds from 1970-01-01 00:00 on that clock.
 *
 * Clocks on walls jump and repeat themselves; what a schedule needs of them are the two functions below, which belong
 * together: for all local times L and instants t,   hf_zone_instant(L) <= t   exactly when   L <= hf_zone_latest_local(t).
 *
 * What a zone changed from 1969 on is known, and up to 2037, which is as far as GLib 2.74 reads it; before and after, the
 * first and the last offset stand.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HfZone HfZone;

/*
 * An IANA name ("Europe/Berlin"), "UTC", or a POSIX rule ("CET-1CEST,M3.5.0,M10.5.0/3"), also behind a colon as in the TZ
 * of environments.  USAGE names it; what, a setting's name, stands before it.
 */
HfZone *hf_zone_new(const char *name, const char *what, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_zone_free(HfZone *zone);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfZone, hf_zone_free)

/* As it was given.  Borrowed. */
const char *hf_zone_name(const HfZone *zone);

/* Seconds east of Greenwich at an instant. */
int hf_zone_offset_s(const HfZone *zone, int64_t unix_s);

/* The first instant at which the clock shows this time or a later one: in a gap the gap's end, of two the first. */
int64_t hf_zone_instant(const HfZone *zone, int64_t local_s);

/* The latest time that the clock has shown up to this instant; in the hour that is repeated it is not what it shows. */
int64_t hf_zone_latest_local(const HfZone *zone, int64_t unix_s);

/* "2024-01-15T03:00:00+01:00" (RFC 3339), for years 1 to 9999.  g_free() it. */
char *hf_zone_format(const HfZone *zone, int64_t unix_s);
