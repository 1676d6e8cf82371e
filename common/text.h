/*
 * common/text.h -- numbers for people.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "0 B", "512 B", "1.0 KiB", "680 MiB": three digits at most.  g_free() all of these. */
char *hf_text_bytes(uint64_t bytes);

/* "1,234,567" */
char *hf_text_count(uint64_t count);

/* "0.4 s", "12 s", "3 min 05 s", "2 h 07 min" */
char *hf_text_duration(double seconds);

/* How long ago: "just now", "5 min", "3 h", "12 d"; "in the future" where it is not past. */
char *hf_text_age(int64_t then_s, int64_t now_s);

/* "unverified", "stored", "read", "restored", "equal".  Static. */
const char *hf_text_level(int level);
