#include "config.h"

#include "backup/store/s3-client.h"
#include "common/error.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <string.h>

/* More idle connections than uploads can have (S3 connections are bounded by hf_s3_open) are closed. */
#define IDLE_MAX 32

typedef CURLU HfCurlUrl;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfCurlUrl, curl_url_cleanup)

static bool
is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return host[0] == '[' || inet_pton(AF_INET, host, address) == 1;
}

/*
 * True where the bucket may be the first label of a host name ("Virtual hosting of buckets", S3 User Guide): a dot in
 * it would not match the wildcard of the endpoint's certificate.
 */
static bool
can_be_host(const char *bucket, const char *host, bool is_tls)
{
	size_t len = strlen(bucket);

	if (is_address(host) || g_ascii_strcasecmp(host, "localhost") == 0 || len < 3 || len > 63)
		return false;
	for (const char *c = bucket; *c; c++)
		if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c) && *c != '-' && (*c != '.' || is_tls))
			return false;
	return g_ascii_isalnum(bucket[0]) && g_ascii_isalnum(bucket[len - 1]);
}

static bool
url_part(HfCurlUrl *url, CURLUPart part, unsigned flags, char **text_out)
{
	char *text = NULL;

	if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
		return false;
	*text_out = g_strdup(text);
	curl_free(text);
	return true;
}

static bool
set_address(HfS3Client *client, const HfS3Options *options, const char *endpoint, GError **error)
{
	g_autoptr(HfCurlUrl) url = curl_url();
	g_autofree char *scheme = NULL, *host = NULL, *path = NULL, *port = NULL;
	bool is_virtual;
	size_t path_len;

	if (curl_url_set(url, CURLUPART_URL, endpoint, 0) != CURLUE_OK ||
	    !url_part(url, CURLUPART_SCHEME, 0, &scheme) || !url_part(url, CURLUPART_HOST, 0, &host) ||
	    !url_part(url, CURLUPART_PATH, 0, &path) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "AWS_ENDPOINT_URL \"%s\" is not a URL of the form https://host[:port]",
				    endpoint);
	(void)url_part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, &port);
	path_len = strlen(path);
	if (path_len > 0 && path[path_len - 1] == '/')
		path[path_len - 1] = '\0';
	is_virtual = !options->force_path_style &&
		     can_be_host(options->bucket, host, strcmp(scheme, "https") == 0);
	client->host = g_strdup_printf("%s%s%s%s%s", is_virtual ? options->bucket : "", is_virtual ? "." : "",
				       host, port ? ":" : "", port ? port : "");
	client->base = g_strdup_printf("%s://%s", scheme, client->host);
	g_autofree char *escaped = hf_s3_sign_escape(options->bucket, false);
	client->path = is_virtual ? g_strdup(path) : g_strdup_printf("%s/%s", path, escaped);
	client->url = g_strconcat(client->base, client->path, NULL);
	return true;
}

/* S3 User Guide, "Getting started with Transfer Acceleration": only bucket.s3-accelerate, and no dots in the bucket's name. */
#define ACCELERATED "https://s3-accelerate.amazonaws.com"

static bool
check_accelerate(const HfS3Options *options, GError **error)
{
	if (!options->use_accelerate)
		return true;
	if (options->endpoint_url)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"S3_USE_ACCELERATE is Amazon's, and the endpoint is \"%s\": unset one of them",
			options->endpoint_url);
	if (options->force_path_style)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "S3_USE_ACCELERATE wants the bucket's name in the host name: unset "
				    "S3_FORCE_PATH_STYLE");
	return can_be_host(options->bucket, "s3-accelerate.amazonaws.com", true) ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "S3_USE_ACCELERATE: the name of bucket \"%s\" cannot be part of a host name "
			    "(lower-case letters, "
			    "digits and hyphens): unset it",
			    options->bucket);
}

static bool
set_options(HfS3Client *client, const HfS3Options *options, GError **error)
{
	g_autofree char *aws = NULL;

	if (!options->bucket || !options->bucket[0] || strchr(options->bucket, '/'))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"\"%s\" is not a bucket's name: correct S3_BACKUP_BUCKET or AWS_BUCKET_NAME",
			options->bucket ? options->bucket : "");
	client->bucket = g_strdup(options->bucket);
	client->region = g_strdup(options->region && options->region[0] ? options->region : "us-east-1");
	client->ca_file = g_strdup(options->ca_file);
	client->tries = options->tries ? options->tries : 6;
	client->stall_s = options->stall_s ? options->stall_s : 30;
	if (!check_accelerate(options, error))
		return false;
	aws = options->use_accelerate ? g_strdup(ACCELERATED)
				      : g_strdup_printf("https://s3.%s.amazonaws.com", client->region);
	return set_address(client, options, options->endpoint_url ? options->endpoint_url : aws, error);
}

static void
free_handle(gpointer curl)
{
	curl_easy_cleanup(curl);
}

HfS3Client *
hf_s3_client_new(const HfS3Options *options, HfCredentials *credentials, GError **error)
{
	static gsize is_ready;
	g_autoptr(HfS3Client) client = g_new0(HfS3Client, 1);

	if (g_once_init_enter(&is_ready)) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		g_once_init_leave(&is_ready, 1);
	}
	pthread_mutex_init(&client->lock, NULL);
	client->credentials = credentials;
	client->idle = g_ptr_array_new_with_free_func(free_handle);
	return set_options(client, options, error) ? g_steal_pointer(&client) : NULL;
}

void
hf_s3_client_free(HfS3Client *client)
{
	if (!client)
		return;
	g_ptr_array_unref(client->idle);
	hf_credentials_free(client->credentials);
	pthread_mutex_destroy(&client->lock);
	g_free(client->bucket);
	g_free(client->region);
	g_free(client->url);
	g_free(client->host);
	g_free(client->path);
	g_free(client->base);
	g_free(client->ca_file);
	g_free(client);
}

const char *
hf_s3_client_url(const HfS3Client *client)
{
	return client->url;
}

const char *
hf_s3_client_bucket(const HfS3Client *client)
{
	return client->bucket;
}

int64_t
hf_s3_client_skew(HfS3Client *client)
{
	int64_t skew_s;

	pthread_mutex_lock(&client->lock);
	skew_s = client->skew_s;
	pthread_mutex_unlock(&client->lock);
	return skew_s;
}

void
hf_s3_client_set_skew(HfS3Client *client, int64_t skew_s)
{
	pthread_mutex_lock(&client->lock);
	client->skew_s = skew_s;
	pthread_mutex_unlock(&client->lock);
}

CURL *
hf_s3_client_take_handle(HfS3Client *client)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&client->lock);
	if (client->idle->len > 0)
		curl = g_ptr_array_steal_index(client->idle, client->idle->len - 1);
	pthread_mutex_unlock(&client->lock);
	if (!curl)
		curl = curl_easy_init();
	g_assert(curl);
	return curl;
}

void
hf_s3_client_give_handle(HfS3Client *client, CURL *curl)
{
	curl_easy_reset(curl); /* the connection stays */
	pthread_mutex_lock(&client->lock);
	if (client->idle->len < IDLE_MAX) {
		g_ptr_array_add(client->idle, curl);
		curl = NULL;
	}
	pthread_mutex_unlock(&client->lock);
	if (curl)
		curl_easy_cleanup(curl);
}

static void
append_secret_header(struct curl_slist **headers, const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 3;
	char *line = g_malloc(len);

	g_snprintf(line, len, "%s: %s", name, value);
	*headers = curl_slist_append(*headers, line);
	OPENSSL_cleanse(line, len);
	g_free(line);
}

static void
sign_with(const HfAccessKey *key, HfSignRequest *request, struct curl_slist **headers)
{
	const HfPair *given = request->headers;
	const char *token = key->session_token ? hf_secret_bytes(key->session_token) : NULL;
	g_autoptr(GArray) all = g_array_new(TRUE, TRUE, sizeof(HfPair));
	g_autofree char *authorization = NULL;

	for (; given->name; given++)
		g_array_append_val(all, *given);
	if (token) {
		HfPair pair = {"x-amz-security-token", token};

		g_array_append_val(all, pair);
		append_secret_header(headers, pair.name, token);
	}
	request->headers = (const HfPair *)(const void *)all->data;
	authorization = hf_s3_sign_authorization(request, key);
	append_secret_header(headers, "Authorization", authorization);
	request->headers = NULL;
}

bool
hf_s3_client_sign(HfS3Client *client, HfSignRequest *request, struct curl_slist **headers, GError **error)
{
	HfAccessKey key;
	bool has_key;

	/* Under the lock from the look-up on: the next look-up may free what the key points to. */
	pthread_mutex_lock(&client->lock);
	has_key = hf_credentials_get(client->credentials, &key, error);
	if (has_key)
		sign_with(&key, request, headers);
	pthread_mutex_unlock(&client->lock);
	return has_key;
}
