#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/stored-host.h"
#include "common/host.h"

char *
hf_stored_host(const HfStore *store)
{
	g_autofree char *machine = NULL;
	g_autofree char *known = NULL;
	g_autofree char *digest = NULL;

	if (!hf_keyring_hides_names(hf_store_keyring(store)))
		return g_strdup(hf_host_name());
	if (!g_file_get_contents("/etc/machine-id", &machine, NULL, NULL))
		return g_strdup("host");
	known = g_strconcat("holdfast ", machine, hf_host_name(), NULL);
	digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, known, -1);
	return g_strdup_printf("host-%.8s", digest);
}
