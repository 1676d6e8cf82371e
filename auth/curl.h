/*
 * auth/curl.h -- libcurl, loaded when it is first needed.
 *
 * Only JWT_JWKS_URL needs it, and it brings along 25 libraries: a worker that is linked with it has some 6 MiB more resident.
 * What is loaded stays until the program ends.
 */
#pragma once

#include <glib.h>
/* The checks of curl_easy_setopt()'s arguments are macros around the function's own name. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

typedef struct {
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *curl, CURLoption option, ...);
	CURLcode (*easy_perform)(CURL *curl);
	CURLcode (*easy_getinfo)(CURL *curl, CURLINFO info, ...);
	void (*easy_cleanup)(CURL *curl);
	const char *(*easy_strerror)(CURLcode code);
	CURLcode (*global_init)(long flags);
	CURLU *(*url)(void);
	CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text, unsigned flags);
	CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **text_out, unsigned flags);
	void (*url_cleanup)(CURLU *url);
	void (*free)(void *text);
} HfCurlApi;

/* Static.  FAILED where the library is not installed. */
const HfCurlApi *hf_curl_load(GError **error) G_GNUC_WARN_UNUSED_RESULT;
