/*
 * common/spelling.h -- "did you mean".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * How many letters must be put in, left out, replaced or swapped with their neighbour to make b out of a (optimal string
 * alignment); limit + 1 where it is more than limit, which is at most 8.
 */
unsigned hf_spelling_distance(const char *a, const char *b, unsigned limit);

/*
 * True where typed looks like a slip of the finger for known: one letter, or two where known is ten letters or longer.
 * Names that differ in a digit alone are two names (DB_HOST2), not a slip; names below four letters have no slips.
 */
bool hf_spelling_is_near(const char *typed, const char *known);
