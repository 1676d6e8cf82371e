/*
 * cli/replicas.h -- replicas brought level, as a command of its own and at the end of a backup.
 */
#pragma once

#include "backup/store/store.h"
#include "cli/command.h"

/* An option of the commands that read sets: which store they read. */
#define HF_FROM_OPTION(variable) \
	{ \
		"from", 0, 0, G_OPTION_ARG_STRING, variable, \
			"Read a replica instead of the store: replica-1 to replica-4", "REPLICA" \
	}

/* Zero is what is common. */
typedef struct {
	unsigned only; /* 0: all that are set */
	bool is_dry;
} HfReplicateWish;

typedef struct {
	unsigned level, behind; /* replicas */
	GError *trouble;        /* NULL, or why the first that is behind is: "replica-1: ..." */
} HfReplicated;

void hf_replicated_clear(HfReplicated *done);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfReplicated, hf_replicated_clear)

/* Brings them level, one after the other, and says, tells ("replicas") and notes what came of each.  CONFLICT where another process does. */
bool hf_cli_replicate(HfCli *cli, HfStore *store, const HfReplicateWish *wish, HfReplicated *done_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * After a backup.  The set is good whatever comes of it: trouble is a warning.  False where a replica is behind: hf_cli_warn_behind() is
 * for the end of the command, when old sets were pruned.
 */
bool hf_cli_replicate_after(HfCli *cli, HfStore *store);

/* Makes a good run's exit status HF_EXIT_SUSPECT, and tells "warning": all else is well. */
void hf_cli_warn_behind(HfCli *cli);
