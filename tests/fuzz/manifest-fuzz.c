/*
 * hf_manifest_parse() on any bytes: it must not crash, an error says something, and what it takes is written and parsed to
 * the same again.
 */
#include "config.h"

#include "backup/catalog/manifest.h"
#include "tests/fuzz/fuzz.h"

#define ID "2024-01-15_02-00-00"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GBytes) input = g_bytes_new(data, len);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) manifest = hf_manifest_parse(input, ID, NULL, &error);
	g_autoptr(HfManifest) again = NULL;
	g_autoptr(GBytes) json = NULL, json_again = NULL;

	g_assert_true(!manifest == (error != NULL));
	if (!manifest)
		return 0;
	json = hf_manifest_to_json(manifest);
	/* What is not known is left out, and what is left is no manifest. */
	if (manifest->sealed)
		return 0;
	again = hf_manifest_parse(json, ID, NULL, &error);
	g_assert_no_error(error);
	json_again = hf_manifest_to_json(again);
	g_assert_true(g_bytes_equal(json, json_again));
	return 0;
}
