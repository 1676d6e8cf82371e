/*
 * cli/proof.h -- what proofs came to, in words and as members of the reply.
 */
#pragma once

#include "backup/catalog/marks.h"
#include "cli/command.h"

/* The members that "verify", "drill" and "show" have in common; the caller owns it. */
HfJson *hf_cli_proof_json(const HfProof *proof);

/* Differences (the first ones, on stderr) and what was not proved, a line each. */
void hf_cli_say_proof(const HfCli *cli, const HfProof *proof);

/* The recorded proofs of a set: lines, and "proofs" in the reply. */
bool hf_cli_show_proofs(HfCli *cli, HfStore *store, const HfSet *set,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Proves with the settings' ways and a progress bar; as hf_prove(). */
bool hf_cli_prove(HfCli *cli, HfStore *store, const HfSet *set, int level, HfProof **proof_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Says what was reached; cli->exit becomes HF_EXIT_SUSPECT where that is less than was wanted. */
void hf_cli_conclude_proof(HfCli *cli, const HfSet *set, int wanted, const HfProof *proof);

/*
 * Proves a set that was just stored, to the level that VERIFY_AFTER_BACKUP says, or, where asked is not -1, to that level or as
 * far as this host can.  What it comes to is said and told; cli->exit becomes HF_EXIT_SUSPECT where the proof failed, or
 * where the setting wants more than was reached.
 */
void hf_cli_prove_after(HfCli *cli, HfStore *store, const char *id, int asked);
