#include "config.h"

#include "auth/jwks-url.h"
#include "auth/curl.h"
#include "auth/jwks.h"
#include "common/error.h"
#include "common/url.h"

#include <string.h>

#define REFRESH_S 3600
#define PAUSE_S 60
/* A worker waits for them; a provider that is there answers in a fraction of a second. */
#define CONNECT_MS 3000L
#define TOTAL_MS 5000L

struct HfJwksUrl {
	const HfCurlApi *api;
	char *url, *ca_file, *what;
	GPtrArray *keys;
	bool was_tried, is_known;
	int64_t tried_s, got_s;
};

/* Without TLS anybody on the way could put in a key of his own. */
static bool
check_url(const HfCurlApi *api, const char *text, GError **error)
{
	CURLU *url = api->url();
	char *scheme = NULL, *host = NULL;
	bool is_good = url && api->url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		       api->url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		       api->url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		       hf_url_is_guarded(scheme, host);

	api->free(scheme);
	api->free(host);
	api->url_cleanup(url);
	return is_good ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "JWT_JWKS_URL \"%s\": a URL of the form https://host/path is wanted", text);
}

HfJwksUrl *
hf_jwks_url_new(const char *url, const char *ca_file, GError **error)
{
	const HfCurlApi *api = hf_curl_load(error);
	HfJwksUrl *jwks;

	if (!api || !check_url(api, url, error))
		return NULL;
	jwks = g_new0(HfJwksUrl, 1);
	jwks->api = api;
	jwks->url = g_strdup(url);
	jwks->ca_file = g_strdup(ca_file);
	jwks->what = g_strdup_printf("JWT_JWKS_URL \"%s\"", url);
	jwks->keys = hf_keys_new();
	return jwks;
}

static size_t
receive(char *data, size_t size, size_t count, void *target)
{
	GString *body = target;

	(void)size;
	if (count > HF_JWKS_BYTES_MAX - body->len)
		return 0;
	g_string_append_len(body, data, (gssize)count);
	return count;
}

static void
set_options(CURL *curl, const HfJwksUrl *jwks, GString *body)
{
	jwks->api->easy_setopt(curl, CURLOPT_URL, jwks->url);
	jwks->api->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
	jwks->api->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	jwks->api->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	jwks->api->easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	jwks->api->easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	jwks->api->easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	jwks->api->easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	jwks->api->easy_setopt(curl, CURLOPT_USERAGENT, "holdfast/" PACKAGE_VERSION);
	jwks->api->easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)HF_JWKS_BYTES_MAX);
	jwks->api->easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	jwks->api->easy_setopt(curl, CURLOPT_WRITEDATA, body);
	if (jwks->ca_file)
		jwks->api->easy_setopt(curl, CURLOPT_CAINFO, jwks->ca_file);
}

static bool
check_result(const HfJwksUrl *jwks, CURLcode result, const char *detail, GError **error)
{
	if (result == CURLE_WRITE_ERROR || result == CURLE_FILESIZE_EXCEEDED)
		return hf_error_set(error, HF_ERROR_FAILED, "%s: the answer has more than %zu bytes",
				    jwks->what, HF_JWKS_BYTES_MAX);
	return result == CURLE_OK || hf_error_set(error, HF_ERROR_TRANSIENT, "%s: %s", jwks->what,
						  detail[0] ? detail : jwks->api->easy_strerror(result));
}

static bool
check_status(const HfJwksUrl *jwks, long status, GError **error)
{
	if (status >= 300 && status < 400)
		return hf_error_set(error, HF_ERROR_FAILED,
				    "%s: it answers with a redirection (%ld), which is not followed: set the "
				    "address that it leads to",
				    jwks->what, status);
	return status == 200 ||
	       hf_error_set(error, HF_ERROR_TRANSIENT, "%s: it answers with status %ld", jwks->what, status);
}

static bool
fetch(const HfJwksUrl *jwks, GString *body, GError **error)
{
	CURL *curl = jwks->api->easy_init();
	char detail[CURL_ERROR_SIZE] = "";
	long status = 0;
	bool is_good;

	if (!curl)
		return hf_error_set(error, HF_ERROR_FAILED, "%s: libcurl cannot be started", jwks->what);
	set_options(curl, jwks, body);
	jwks->api->easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	is_good = check_result(jwks, jwks->api->easy_perform(curl), detail, error);
	jwks->api->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	jwks->api->easy_cleanup(curl);
	return is_good && check_status(jwks, status, error);
}

static bool
is_due(const HfJwksUrl *jwks, int64_t now_s, bool is_unknown)
{
	/* A clock that was set back must not keep the keys for ever. */
	if (jwks->was_tried && now_s >= jwks->tried_s && now_s < jwks->tried_s + PAUSE_S)
		return false;
	return is_unknown || !jwks->is_known || now_s < jwks->got_s || now_s >= jwks->got_s + REFRESH_S;
}

bool
hf_jwks_url_refresh(HfJwksUrl *jwks, int64_t now_s, bool is_unknown)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) body = NULL;
	g_autoptr(GPtrArray) keys = NULL;

	if (!is_due(jwks, now_s, is_unknown))
		return false;
	jwks->was_tried = true;
	jwks->tried_s = now_s;
	body = g_string_new(NULL);
	keys = hf_keys_new();
	if (!fetch(jwks, body, &error) ||
	    !hf_jwks_parse(keys, body->str, body->len, &(HfJwksSource){jwks->what, true}, &error)) {
		g_warning("%s: %s", error->message,
			  jwks->is_known ? "the keys that were seen last are used"
					 : "no token of this provider is accepted until it answers");
		return false;
	}
	g_ptr_array_unref(jwks->keys);
	jwks->keys = g_steal_pointer(&keys);
	jwks->is_known = true;
	jwks->got_s = now_s;
	return true;
}

const GPtrArray *
hf_jwks_url_keys(const HfJwksUrl *jwks)
{
	return jwks->keys;
}

void
hf_jwks_url_free(HfJwksUrl *jwks)
{
	if (!jwks)
		return;
	g_free(jwks->url);
	g_free(jwks->ca_file);
	g_free(jwks->what);
	g_ptr_array_unref(jwks->keys);
	g_free(jwks);
}
