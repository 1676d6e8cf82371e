#include "config.h"

#include "common/url.h"

#include <glib.h>
#include <string.h>

bool
hf_url_is_loopback(const char *host)
{
	static const char *const here[] = {"localhost", "127.0.0.1", "[::1]", "::1"};

	for (size_t i = 0; i < G_N_ELEMENTS(here); i++)
		if (g_ascii_strcasecmp(host, here[i]) == 0)
			return true;
	return false;
}

bool
hf_url_is_guarded(const char *scheme, const char *host)
{
	return strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && hf_url_is_loopback(host));
}
