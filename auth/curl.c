#include "config.h"

#include "auth/curl.h"
#include "common/error.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* The name of libcurl 7.16 and later; Debian's package libcurl4. */
#define LIBRARY "libcurl.so.4"

static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
	{"curl_easy_init", offsetof(HfCurlApi, easy_init)},
	{"curl_easy_setopt", offsetof(HfCurlApi, easy_setopt)},
	{"curl_easy_perform", offsetof(HfCurlApi, easy_perform)},
	{"curl_easy_getinfo", offsetof(HfCurlApi, easy_getinfo)},
	{"curl_easy_cleanup", offsetof(HfCurlApi, easy_cleanup)},
	{"curl_easy_strerror", offsetof(HfCurlApi, easy_strerror)},
	{"curl_global_init", offsetof(HfCurlApi, global_init)},
	{"curl_url", offsetof(HfCurlApi, url)},
	{"curl_url_set", offsetof(HfCurlApi, url_set)},
	{"curl_url_get", offsetof(HfCurlApi, url_get)},
	{"curl_url_cleanup", offsetof(HfCurlApi, url_cleanup)},
	{"curl_free", offsetof(HfCurlApi, free)},
};

const HfCurlApi *
hf_curl_load(GError **error)
{
	static HfCurlApi api;
	static bool is_loaded;
	void *library;

	if (is_loaded)
		return &api;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; library && i < G_N_ELEMENTS(functions); i++) {
		void *function = dlsym(library, functions[i].symbol);

		/* POSIX lets a pointer to a function be copied out of a void *. */
		memcpy((char *)&api + functions[i].offset, &function, sizeof function);
		is_loaded = function != NULL;
		if (!function)
			break;
	}
	if (!is_loaded || api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		hf_error_set(error, HF_ERROR_FAILED, "JWT_JWKS_URL: %s cannot be loaded: install libcurl4",
			     LIBRARY);
		return NULL;
	}
	return &api;
}
