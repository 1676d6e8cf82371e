/*
 * tests/lib/racestore.h -- one place in memory that several hosts' stores lead to, each of them with its own trouble.
 *
 * An object is there or not, with an etag that never comes back.  Before each operation the handle's hook runs: another
 * host's turn, time that passes, a death.  It says what becomes of the operation.
 */
#pragma once

#include "backup/store/store-impl.h"

typedef struct RacePlace RacePlace;

typedef enum {
	RACE_DONE,       /* as it should be */
	RACE_LOST_REPLY, /* it is done, and TRANSIENT is what comes back */
	RACE_REFUSED,    /* nothing is done: TRANSIENT */
} RaceFate;

typedef RaceFate (*RaceHook)(void *data);

RacePlace *race_place_new(void);
void race_place_free(RacePlace *place);

/* The content of an object, borrowed, or NULL; how many there are that begin with prefix; and putting one there. */
GBytes *race_place_get(const RacePlace *place, const char *key);
unsigned race_place_count(const RacePlace *place, const char *prefix);
void race_place_put(RacePlace *place, const char *key, const char *text);
void race_place_remove(RacePlace *place, const char *key);

/* What a probe finds; all of it unless it is set. */
void race_place_set_conditions(RacePlace *place, HfConditions conditions);

/* Each replacement is a CONFLICT, though nobody changes anything. */
void race_place_set_stubborn(RacePlace *place, bool is_stubborn);

/* hook may be NULL. */
HfStore *race_store_new(RacePlace *place, RaceHook hook, void *data);
