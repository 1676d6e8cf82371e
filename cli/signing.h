/*
 * cli/signing.h -- what commands say and ask about signatures and the chain of sets.
 */
#pragma once

#include "backup/catalog/chain.h"
#include "cli/command.h"

#define HF_IGNORE_SIGNATURE_HELP "Go on although the signature of the set's manifest is wrong or missing"

/* Where signatures are checked, says of a set that has none what that may mean.  manifest NULL: of the earlier implementation. */
void hf_cli_warn_unsigned(HfStore *store, const HfManifest *manifest);

/*
 * After a backup, where there is somebody to tell: looks whether the sets are still those that were made, and notes it for them
 * (backup/notify/note.h).  Fails nothing; what was found is a warning, too.
 */
void hf_cli_watch_chain(const HfCli *cli, HfStore *store);

/* What hf_chain_troubles() says, with what this host's state remembers. */
GPtrArray *hf_cli_chain_troubles(const HfCli *cli, HfStore *store, HfChainCounts *counts_out,
				 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Takes note that set id, which is missing, is known to be gone: a record in the store where another set names it, and this host
 * stops missing it.  NOT_FOUND where nobody misses it.
 */
bool hf_cli_acknowledge(const HfCli *cli, HfStore *store, const char *id,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
