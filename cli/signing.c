#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/job/seen.h"
#include "backup/notify/configured.h"
#include "backup/notify/note.h"
#include "cli/signing.h"
#include "common/clock.h"
#include "common/error.h"

void
hf_cli_warn_unsigned(HfStore *store, const HfManifest *manifest)
{
	if (!hf_keyring_trusted(hf_store_keyring(store)))
		return;
	if (!manifest)
		g_warning("a file of the earlier implementation is never signed: whether it is what was "
			  "stored is not "
			  "known");
	else if (manifest->is_signed == HF_SIGNED_NO)
		g_warning("set %s is not signed: it is of the time before signing, or its signature was "
			  "taken away",
			  manifest->id);
}

static HfState *
open_state(const HfCli *cli)
{
	return hf_state_open(hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR), NULL);
}

/* Without a state nothing is remembered, and so nothing is missed: 0. */
static int64_t
find_lost(const HfCli *cli, HfStore *store, const HfChain *chain)
{
	g_autoptr(HfState) state = open_state(cli);
	g_autoptr(GPtrArray) ids = hf_chain_ids(chain);
	g_autoptr(GError) trouble = NULL;
	int64_t lost_s = 0;

	if (state &&
	    (!hf_seen_update(state, store, ids, &trouble) || !hf_seen_lost(state, store, &lost_s, &trouble)))
		g_warning("what this host saw before is not known: %s", trouble->message);
	return lost_s;
}

GPtrArray *
hf_cli_chain_troubles(const HfCli *cli, HfStore *store, HfChainCounts *counts_out, GError **error)
{
	g_autoptr(HfChain) chain = hf_chain_read(store, error);

	if (!chain)
		return NULL;
	*counts_out = hf_chain_counts(chain);
	return hf_chain_troubles(chain, find_lost(cli, store, chain));
}

void
hf_cli_watch_chain(const HfCli *cli, HfStore *store)
{
	HfChainCounts counts;
	g_autoptr(GError) error = NULL;
	g_autoptr(HfState) state = NULL;
	g_autoptr(GPtrArray) troubles = NULL;

	if (!hf_notify_is_configured(cli->settings))
		return;
	troubles = hf_cli_chain_troubles(cli, store, &counts, &error);
	state = troubles ? hf_state_open(hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR), &error)
			 : NULL;
	if (troubles && troubles->len > 0)
		g_warning("%s%s", (const char *)troubles->pdata[0],
			  troubles->len > 1 ? " (\"holdfast chain\" has more)" : "");
	if (!state || !hf_notify_chain(state, troubles, &error))
		g_warning("whether the chain of sets is whole was not noted: %s", error->message);
}

bool
hf_cli_acknowledge(const HfCli *cli, HfStore *store, const char *id, GError **error)
{
	g_autoptr(HfState) state = open_state(cli);
	g_autoptr(GError) trouble = NULL;
	bool is_missed = state && hf_seen_forget(state, store, id, NULL);

	if (hf_chain_acknowledge(store, id, hf_clock_now_s(), &trouble) ||
	    (is_missed && hf_error_is(trouble, HF_ERROR_NOT_FOUND)))
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}
