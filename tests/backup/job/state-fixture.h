/*
 * tests/backup/job/state-fixture.h -- a folder with a state in it, which needs nothing of the engine.
 */
#pragma once

#include "backup/job/job-file.h"
#include "backup/job/record.h"

typedef struct {
	char *folder;
	HfState *state;
} StateFixture;

StateFixture *state_fixture_new(void);
void state_fixture_free(StateFixture *fixture); /* and everything in the folder */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StateFixture, state_fixture_free)

char *state_fixture_path(const StateFixture *fixture, const char *name);

/* Claims a job that must not be refused; *file_out is the caller's. */
char *state_fixture_claim(const StateFixture *fixture, const char *kind, HfJobFile **file_out);

/* Claims and ends a job. */
char *state_fixture_done(const StateFixture *fixture, const char *kind);

/* The record, which must be there. */
HfJobRecord *state_fixture_find(const StateFixture *fixture, const char *id);

/*
 * Runs work in a child of its own with a state handle of its own, and gives its exit status.  As nobody where the tests
 * run as root, to whom no file is read-only.
 */
int state_fixture_in_child(const StateFixture *fixture, bool as_nobody,
			   int (*work)(HfState *state, const char *folder));

/* In two steps, for several at once.  The process that forks must have no other threads: a lock that one of them holds would
 * be held in the child for ever. */
pid_t state_fixture_fork(const StateFixture *fixture, bool as_nobody,
			 int (*work)(HfState *state, const char *folder));
int state_fixture_wait(pid_t child);
