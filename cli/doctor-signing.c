#include "config.h"

#include "backup/age/keyring.h"
#include "cli/doctor.h"
#include "cli/signing.h"
#include "common/error.h"

/* So many troubles are named; "holdfast chain" names all. */
#define TROUBLES_MAX 5

static void
check_keys(HfDoctor *doctor, const HfKeyring *keyring)
{
	const HfSignKey *key = hf_keyring_signing_key(keyring);
	const GArray *trusted = hf_keyring_trusted(keyring);
	g_autofree char *public_key = key ? hf_verify_key_to_text(&key->public_key) : NULL;

	if (!trusted)
		return;
	if (key)
		hf_doctor_report(doctor, HF_MARK_OK, "signing",
				 "manifests are signed; public key %s, %u more count", public_key,
				 trusted->len - 1);
	else
		hf_doctor_report(doctor, HF_MARK_WARN, "signing",
				 "signatures by %u %s are checked, but this host has no key of its own: to "
				 "make backups "
				 "or delete here, set SIGNING_KEY_FILE",
				 trusted->len, trusted->len == 1 ? "key" : "keys");
}

void
hf_doctor_check_signing(HfDoctor *doctor, HfStore *store)
{
	g_autoptr(GError) error = NULL;
	HfChainCounts counts = {0};
	g_autoptr(GPtrArray) troubles = hf_cli_chain_troubles(doctor->cli, store, &counts, &error);

	check_keys(doctor, hf_store_keyring(store));
	if (!troubles) {
		hf_doctor_report(doctor, HF_MARK_FAIL, "chain", "%s", error->message);
		return;
	}
	for (guint i = 0; i < troubles->len && i < TROUBLES_MAX; i++)
		hf_doctor_report(doctor, HF_MARK_FAIL, "chain", "%s", (const char *)troubles->pdata[i]);
	if (troubles->len > TROUBLES_MAX)
		hf_doctor_report(doctor, HF_MARK_FAIL, "chain", "and %u more: see \"holdfast chain\"",
				 troubles->len - TROUBLES_MAX);
	if (troubles->len == 0 && counts.sets > 0)
		hf_doctor_report(doctor, HF_MARK_OK, "chain", "no set was taken away or put back");
}
