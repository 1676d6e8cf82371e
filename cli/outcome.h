/*
 * cli/outcome.h -- what a backup came to, in words and as members of the reply.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"
#include "cli/command.h"

/* "references 1,234 named by rows, 2 missing, 5 not named"; nothing where rows were not asked. */
void hf_outcome_say_references(const HfCli *cli, const HfImagesRecord *images);

/*
 * Says and tells it all; cli->exit becomes HF_EXIT_SUSPECT where the set is partial, and what could not be read is named
 * on stderr.
 */
void hf_outcome_report(HfCli *cli, const HfStore *store, const HfManifest *manifest, double duration_s);

/* After a good backup: deletes what no rule keeps (prune.h), and reports that, too.  Nothing where cli->exit is not good. */
void hf_outcome_prune(HfCli *cli, HfStore *store);
