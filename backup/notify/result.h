/*
 * backup/notify/result.h -- what a job's record keeps of `holdfast ... --json`, member by member.
 *
 * It was written by this program, perhaps an older one: what is not there, or of another type, is not known.  object may be
 * NULL everywhere.
 */
#pragma once

#include "common/json.h"

/* NULL where text is NULL, or no object.  The caller owns it. */
HfJson *hf_result_parse(const char *text);

/* Borrowed, and NULL where it is not known. */
const char *hf_result_text(HfJson *object, const char *name);
HfJson *hf_result_object(HfJson *object, const char *name);

bool hf_result_number(HfJson *object, const char *name, uint64_t *number_out);

/* False where it is not known. */
bool hf_result_flag(HfJson *object, const char *name);
