/*
 * backup/store/keeping.h -- how long an object stays as it is, by its name.
 */
#pragma once

typedef enum {
	HF_KEEPING_LOOSE, /* may be replaced or removed at any time */
	HF_KEEPING_SET,   /* stays as it is as long as its set exists */
	HF_KEEPING_BULK,  /* the same, and nothing but a restore or a proof reads it */
} HfKeeping;

/* Which of these an object of this key, relative to the store, is: hf_name_keeping() for backups. */
typedef HfKeeping (*HfKeepingFunc)(const char *key);
