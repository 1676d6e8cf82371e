/*
 * cli/doctor.h -- what "holdfast doctor" looks at.
 *
 * Each check reports one line and goes on: a doctor that stops at the first trouble would have to be asked again and
 * again.  A check that cannot be made, because one before it failed, is not reported.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "cli/command.h"

typedef enum {
	HF_MARK_OK,
	HF_MARK_WARN,
	HF_MARK_FAIL,
} HfMark;

typedef struct {
	HfCli *cli;
	HfJson *checks;
	unsigned warnings, failures;
	bool has_wrong_settings; /* wrong already on paper, before a server was asked: exit 2 */
} HfDoctor;

/* One line: what was seen, and, where it is not good, the remedy. */
void hf_doctor_report(HfDoctor *doctor, HfMark mark, const char *check, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/* Login, pg_dump, and whether the login may read everything. */
void hf_doctor_check_database(HfDoctor *doctor);

/* Each replica: whether it can be listed, and how far behind it is. */
void hf_doctor_check_replicas(HfDoctor *doctor);

/* What the timer would take. */
void hf_doctor_check_schedule(HfDoctor *doctor);

/* The keys of administrators' tokens. */
void hf_doctor_check_tokens(HfDoctor *doctor);

/* The key that signs, the keys that count, and whether sets were taken away or put back. */
void hf_doctor_check_signing(HfDoctor *doctor, HfStore *store);

/* Credentials, a small object there and back, free space, the last good set. */
void hf_doctor_check_store(HfDoctor *doctor);

/* Who hears of a bad night, and whether messages get through. */
void hf_doctor_check_notify(HfDoctor *doctor);
