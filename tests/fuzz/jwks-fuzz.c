/*
 * hf_jwks_parse() on any bytes: it must not crash, gives keys exactly where it gives no error, and every key is one that
 * an algorithm goes with.
 */
#include "config.h"

#include "auth/jwks.h"
#include "tests/fuzz/fuzz.h"

static void
say_nothing(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
	(void)domain;
	(void)level;
	(void)message;
	(void)data;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static guint handler;
	g_autoptr(GPtrArray) keys = hf_keys_new();
	g_autoptr(GError) error = NULL;
	bool is_good;

	if (!handler)
		handler = g_log_set_handler("holdfast", G_LOG_LEVEL_MESSAGE, say_nothing, NULL);
	is_good = hf_jwks_parse(keys, (const char *)data, len, &(HfJwksSource){.what = "fuzz"}, &error);
	g_assert_true(is_good == (error == NULL) && is_good == (keys->len > 0));
	for (guint i = 0; i < keys->len; i++) {
		const HfKey *key = keys->pdata[i];

		g_assert_true(key->len > 0 && hf_algorithm_first(0, key->type, key->curve));
	}
	return 0;
}
