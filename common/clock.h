/*
 * common/clock.h -- times as this program writes them.  All are UTC.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Unix time in seconds; seconds since some start, never set back. */
int64_t hf_clock_now_s(void);
double hf_clock_monotonic_s(void);

/* "2024-01-15_02-00-00": a set's id.  g_free() it. */
char *hf_clock_set_id(int64_t unix_s);
/* False where text does not begin with one (nothing else is looked at behind its 19 bytes). */
bool hf_clock_parse_set_id(const char *text, int64_t *unix_s_out);

/* "2024-01-15T02:00:00Z" (RFC 3339).  g_free() it. */
char *hf_clock_rfc3339(int64_t unix_s);
bool hf_clock_parse_rfc3339(const char *text, int64_t *unix_s_out);
