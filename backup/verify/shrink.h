/*
 * backup/verify/shrink.h -- what a new set has lost against the one before it: pure functions, no store.
 *
 * A backup of an emptied table is as green as any, and retention would let it push out the last one with the rows in it.
 * So what is gone, or shrunk by more than a percentage, raises an alarm.  What always comes and goes must not: losses
 * below the floors are none, since a table of 30 rows is at 10 tomorrow and nobody is to get up at night for that.
 *
 * The new set is compared with the newest one before it, also if that raised an alarm itself: so an alarm is raised once,
 * by the set that lost something, and the next set of the same state is quiet.
 */
#pragma once

#include "backup/catalog/manifest.h"

/*
 * More than half: what batch jobs and seasons take away stays below it; a lost WHERE, a wrong DROP or a half-restored
 * database does not.
 */
#define HF_SHRINK_PERCENT_DEFAULT 50

/* A smaller loss is none, whatever percentage it is. */
#define HF_SHRINK_ROWS_MIN 100
#define HF_SHRINK_TABLE_BYTES_MIN ((uint64_t)64 << 10)
#define HF_SHRINK_OBJECTS_MIN 20
#define HF_SHRINK_IMAGE_BYTES_MIN ((uint64_t)1 << 20)

/*
 * Adds to alarms (of char *) a line for each table of before (both of HfTable) that is gone and had rows, or lost more
 * than percent of its rows or of its bytes; and one for all tables together where no single one alarmed.
 */
void hf_shrink_tables(const GPtrArray *before, const GPtrArray *now, unsigned percent, GPtrArray *alarms);

/* The same for the number of images and their bytes.  What could not be read this time is not lost. */
void hf_shrink_images(const HfImagesRecord *before, const HfImagesRecord *now, unsigned percent,
		      GPtrArray *alarms);

/*
 * Adds a line where rows name images that the set does not hold: before NULL, any; else more than before, or another
 * one among those that both name.
 */
void hf_shrink_references(const HfReferencesRecord *before, const HfReferencesRecord *now, GPtrArray *alarms);
