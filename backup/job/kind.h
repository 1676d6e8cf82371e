/*
 * backup/job/kind.h -- what kinds of jobs there are, and which of them may run beside each other.
 *
 * A kind is a command of the command line, of the same name; its parameters are a JSON object whose members are the
 * command's options, with "_" for "-", and its arguments in lower case: {"set": "latest", "level": 2}.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum {
	HF_JOB_DATABASE = 1 << 0,   /* reads the database of the settings */
	HF_JOB_IMAGES = 1 << 1,     /* reads the images of the settings */
	HF_JOB_READS = 1 << 2,      /* reads sets */
	HF_JOB_REMOVES = 1 << 3,    /* removes sets, or what belongs to none */
	HF_JOB_REPLICATES = 1 << 4, /* brings replicas level: one such job at a time */
} HfJobTakes;

typedef struct {
	const char *name;  /* "backup full" */
	unsigned takes;    /* of HfJobTakes */
	unsigned excludes; /* two jobs do not run at once where either excludes what the other takes */
	bool is_changing;  /* a listing of the store is another one afterwards */
} HfJobKind;

/* All of them. */
const HfJobKind *hf_job_kinds(size_t *count_out);

/* NULL where there is none of that name. */
const HfJobKind *hf_job_kind_find(const char *name);

/* "database", "images" as a bit; 0 for other words. */
unsigned hf_job_source(const char *source);
