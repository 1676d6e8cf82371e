#include "config.h"

#include "backup/store/s3-client.h"
#include "backup/store/s3-error.h"
#include "backup/store/traffic.h"
#include "common/cancel.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

/* A page of 1,000 keys of 1,024 bytes, percent-encoded, is under 4 MiB. */
#define BODY_BYTES_MAX (16u << 20)
/* AWS SDKs Reference Guide, "Retry behavior": doubling pauses with jitter, at most 20 s. */
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS 20000
/* A clean-up after Ctrl-C must not keep the user waiting on a server that is gone. */
#define CLEANUP_TRIES 3
#define CLEANUP_SECONDS 10L
#define CONNECT_SECONDS_MAX 10
/* Larger writes to the socket, fewer system calls; libcurl's own default is 64 KiB. */
#define UPLOAD_BUFFER_BYTES (256L << 10)
/* The same for what comes: with libcurl's default of 16 KiB an image of 150 KB takes ten reads and as many polls. */
#define DOWNLOAD_BUFFER_BYTES (256L << 10)
/* Ours and the server's clock may differ by so much without a request being refused for it; RGW and AWS allow 900. */
#define SKEW_NOTED_S 60

struct HfS3Transfer {
	HfS3Client *client;
	const HfS3Request *request;
	CURL *curl;
	struct curl_slist *headers;
	HfS3Reply reply;
	GError *body_error; /* of on_body, or of a reply that is too large */
	int64_t signed_skew_s;
	char detail[CURL_ERROR_SIZE];
};

static void
reply_init(HfS3Reply *reply)
{
	*reply = (HfS3Reply){0};
	reply->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	reply->body = g_byte_array_new();
}

void
hf_s3_reply_clear(HfS3Reply *reply)
{
	g_clear_pointer(&reply->headers, g_hash_table_unref);
	g_clear_pointer(&reply->body, g_byte_array_unref);
}

const char *
hf_s3_reply_header(const HfS3Reply *reply, const char *name)
{
	return g_hash_table_lookup(reply->headers, name);
}

int64_t
hf_s3_reply_time(const HfS3Reply *reply, const char *name)
{
	const char *text = hf_s3_reply_header(reply, name);
	time_t time = text ? curl_getdate(text, NULL) : -1;

	return time > 0 ? (int64_t)time : 0;
}

char *
hf_s3_reply_etag(const HfS3Reply *reply)
{
	const char *etag = hf_s3_reply_header(reply, "etag");
	size_t len = etag ? strlen(etag) : 0;

	if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"')
		return g_strndup(etag + 1, len - 2);
	return g_strdup(etag);
}

HfS3Transfer *
hf_s3_transfer_new(HfS3Client *client, const HfS3Request *request)
{
	HfS3Transfer *transfer = g_new0(HfS3Transfer, 1);

	transfer->client = client;
	transfer->request = request;
	transfer->curl = hf_s3_client_take_handle(client);
	reply_init(&transfer->reply);
	return transfer;
}

CURL *
hf_s3_transfer_handle(HfS3Transfer *transfer)
{
	return transfer->curl;
}

void
hf_s3_transfer_take_reply(HfS3Transfer *transfer, HfS3Reply *reply_out)
{
	*reply_out = transfer->reply;
	transfer->reply = (HfS3Reply){0};
}

/* Wiped: among the headers is the session token. */
static void
free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *header = headers; header; header = header->next)
		OPENSSL_cleanse(header->data, strlen(header->data));
	curl_slist_free_all(headers);
}

void
hf_s3_transfer_free(HfS3Transfer *transfer)
{
	if (!transfer)
		return;
	hf_s3_client_give_handle(transfer->client, transfer->curl);
	free_headers(transfer->headers);
	hf_s3_reply_clear(&transfer->reply);
	g_clear_error(&transfer->body_error);
	g_free(transfer);
}

static size_t
on_header(char *line, size_t size, size_t len, void *data)
{
	HfS3Transfer *transfer = data;
	const char *colon = memchr(line, ':', len);

	(void)size; /* always 1 */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		g_hash_table_remove_all(transfer->reply.headers); /* what came before was a 100 */
	} else if (colon) {
		size_t name_len = (size_t)(colon - line);
		char *value = g_strstrip(g_strndup(colon + 1, len - name_len - 1));

		g_hash_table_replace(transfer->reply.headers, g_ascii_strdown(line, (gssize)name_len), value);
	}
	return len;
}

static size_t
on_bytes(char *bytes, size_t size, size_t len, void *data)
{
	HfS3Transfer *transfer = data;
	const HfS3Request *request = transfer->request;
	HfS3Reply *reply = &transfer->reply;

	(void)size; /* always 1 */
	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &reply->status);
	if (request->on_body && reply->status >= 200 && reply->status < 300)
		return request->on_body(request->on_body_data, reply, bytes, len, &transfer->body_error) ? len
													 : 0;
	if (reply->body->len + len > BODY_BYTES_MAX) {
		hf_error_set(&transfer->body_error, HF_ERROR_FAILED, "%s: a reply of more than %u bytes",
			     transfer->client->url, BODY_BYTES_MAX);
		return 0;
	}
	g_byte_array_append(reply->body, (const guint8 *)bytes, (guint)len);
	return len;
}

static bool
is_stopped(const HfS3Request *request)
{
	return (!request->is_cleanup && hf_cancel_is_requested()) ||
	       (request->cancel && g_atomic_int_get(request->cancel) != 0);
}

static int
on_progress(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	const HfS3Transfer *transfer = data;

	(void)down_total, (void)down, (void)up_total, (void)up;
	return is_stopped(transfer->request);
}

static void
set_header(HfS3Transfer *transfer, const char *name, const char *value)
{
	/* "Name;" is how libcurl is told to send a header without a value. */
	g_autofree char *line = value[0] ? g_strdup_printf("%s: %s", name, value)
					 : g_strdup_printf("%s;", name);

	transfer->headers = curl_slist_append(transfer->headers, line);
}

static bool
sign(HfS3Transfer *transfer, const char *path, const char *query, GError **error)
{
	HfS3Client *client = transfer->client;
	const HfS3Request *request = transfer->request;
	HfSha256Hex sha256 = hf_s3_sign_sha256(request->body, request->body_bytes);
	int64_t now_s = g_get_real_time() / G_USEC_PER_SEC;
	g_autoptr(GArray) headers = g_array_new(TRUE, TRUE, sizeof(HfPair));
	g_autofree char *time = NULL;

	transfer->signed_skew_s = hf_s3_client_skew(client);
	time = hf_s3_sign_time(now_s + transfer->signed_skew_s);
	const HfPair ours[] = {
		{"host", client->host}, {"x-amz-content-sha256", sha256.text}, {"x-amz-date", time}};
	g_array_append_vals(headers, ours, G_N_ELEMENTS(ours));
	for (const HfPair *header = request->headers; header && header->name; header++)
		g_array_append_val(headers, *header);
	for (guint i = 0; i < headers->len; i++)
		set_header(transfer, g_array_index(headers, HfPair, i).name,
			   g_array_index(headers, HfPair, i).value);
	HfSignRequest to_sign = {
		request->method, path,           query, (const HfPair *)(const void *)headers->data,
		sha256.text,     client->region, "s3",  time};
	return hf_s3_client_sign(client, &to_sign, &transfer->headers, error);
}

/* curl_easy_setopt() is a macro that checks types, and counts as a branch each: these are out of the way here. */
static void
set_fixed_options(HfS3Transfer *transfer)
{
	const HfS3Client *client = transfer->client;
	CURL *curl = transfer->curl;

	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, DOWNLOAD_BUFFER_BYTES);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->detail);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)MIN(client->stall_s, CONNECT_SECONDS_MAX));
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)client->stall_s);
	if (client->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
}

/*
 * A body is given to libcurl as POSTFIELDS whatever the method: it lies whole in memory, so that libcurl can begin
 * anew by itself when a kept connection turns out to be dead.
 */
static void
set_method(HfS3Transfer *transfer)
{
	const HfS3Request *request = transfer->request;
	CURL *curl = transfer->curl;

	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
		return;
	}
	if (strcmp(request->method, "GET") != 0) {
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
		curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
	}
	if (request->is_cleanup)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, CLEANUP_SECONDS);
	if (request->is_counted)
		curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
}

static bool
has_header(const HfS3Request *request, const char *name)
{
	for (const HfPair *header = request->headers; header && header->name; header++)
		if (strcmp(header->name, name) == 0)
			return true;
	return false;
}

bool
hf_s3_transfer_start(HfS3Transfer *transfer, GError **error)
{
	HfS3Client *client = transfer->client;
	g_autofree char *key = transfer->request->key ? hf_s3_sign_escape(transfer->request->key, true)
						      : NULL;
	/* A virtual host's bucket is "/"; "/bucket" alone is fine for path style. */
	g_autofree char *path = g_strconcat(client->path, key || !client->path[0] ? "/" : "", key ? key : "",
					    NULL);
	g_autofree char *query = hf_s3_sign_query(transfer->request->query);
	g_autofree char *url = g_strconcat(client->base, path, query[0] ? "?" : "", query, NULL);

	hf_traffic_count_request();
	set_fixed_options(transfer);
	set_method(transfer);
	curl_easy_setopt(transfer->curl, CURLOPT_URL, url);
	if (!sign(transfer, path, query, error))
		return false;
	/* Not waited for: S3 answers it, others do not.  libcurl would name a type that nobody gave. */
	transfer->headers = curl_slist_append(transfer->headers, "Expect:");
	if (!has_header(transfer->request, "content-type"))
		transfer->headers = curl_slist_append(transfer->headers, "Content-Type:");
	curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, transfer->headers);
	return true;
}

/* Learns the server's time where it refused ours; then the same request may succeed, and is worth one more try. */
static bool
learn_skew(HfS3Transfer *transfer, int64_t *skew_s_out)
{
	g_autofree char *code = hf_s3_error_code(&transfer->reply);
	int64_t date_s = hf_s3_reply_time(&transfer->reply, "date");
	int64_t skew_s = date_s - g_get_real_time() / G_USEC_PER_SEC;

	*skew_s_out = skew_s;
	if (g_strcmp0(code, "RequestTimeTooSkewed") != 0 || date_s == 0)
		return false;
	if (ABS(skew_s - transfer->signed_skew_s) < SKEW_NOTED_S)
		return false;
	hf_s3_client_set_skew(transfer->client, skew_s);
	return true;
}

static bool
is_success(const HfS3Transfer *transfer)
{
	const HfS3Reply *reply = &transfer->reply;
	g_autofree char *code = NULL;

	if (reply->status < 200 || reply->status > 299)
		return false;
	code = transfer->request->fails_in_200 ? hf_s3_error_code(reply) : NULL;
	return !code;
}

bool
hf_s3_transfer_result(HfS3Transfer *transfer, CURLcode result, GError **error)
{
	HfS3Client *client = transfer->client;
	HfS3Subject subject = {.url = client->url,
			       .bucket = client->bucket,
			       .key = transfer->request->key,
			       .region = client->region,
			       .ca_file = client->ca_file,
			       .stall_s = client->stall_s};

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &transfer->reply.status);
	if (transfer->body_error) {
		g_propagate_error(error, g_steal_pointer(&transfer->body_error));
		return false;
	}
	if (result == CURLE_ABORTED_BY_CALLBACK)
		return hf_error_set(error, HF_ERROR_CANCELLED, "cancelled");
	/* A refusal may arrive while the body is still being sent: the server's words say more than the broken pipe. */
	if (result != CURLE_OK && (transfer->reply.status < 300 || transfer->reply.body->len == 0))
		return hf_s3_error_from_curl(&subject, result, transfer->detail, error);
	if (is_success(transfer))
		return true;
	if (learn_skew(transfer, &subject.skew_s))
		return hf_error_set(
			error, HF_ERROR_TRANSIENT,
			"\"s3://%s\": this machine's clock and the server's differ by %" G_GINT64_FORMAT
			" s: set the clock (timedatectl set-ntp true)",
			client->bucket, (gint64)ABS(subject.skew_s));
	return hf_s3_error_from_reply(&subject, &transfer->reply, error);
}

unsigned
hf_s3_retry_pause_ms(unsigned tries)
{
	unsigned longest = MIN((unsigned)PAUSE_FIRST_MS << MIN(tries - 1, 10), PAUSE_MAX_MS);

	return (unsigned)g_random_int_range((gint32)longest / 2, (gint32)longest + 1);
}

/* Waits, but not longer than until a stop is asked for. */
static bool
pause_ms(unsigned tries, bool is_cleanup, GError **error)
{
	struct pollfd stop = {.fd = is_cleanup ? -1 : hf_cancel_fd(), .events = POLLIN};

	(void)poll(&stop, 1, (int)hf_s3_retry_pause_ms(tries));
	return is_cleanup || hf_cancel_check(error);
}

bool
hf_s3_retry(HfS3Client *client, HfS3Try one_try, void *data, bool is_cleanup, GError **error)
{
	unsigned tries_max = is_cleanup ? MIN(client->tries, CLEANUP_TRIES) : client->tries;

	for (unsigned tries = 1;; tries++) {
		g_autoptr(GError) cause = NULL;
		bool moved = false;

		if (one_try(data, &moved, &cause))
			return true;
		if (moved)
			tries = 1;
		if (tries >= tries_max || !hf_error_is(cause, HF_ERROR_TRANSIENT)) {
			g_propagate_error(error, g_steal_pointer(&cause));
			return false;
		}
		if (!pause_ms(tries, is_cleanup, error))
			return false;
		hf_traffic_count_retry();
	}
}

bool
hf_s3_perform_once(HfS3Client *client, const HfS3Request *request, HfS3Reply *reply_out, GError **error)
{
	g_autoptr(HfS3Transfer) transfer = hf_s3_transfer_new(client, request);
	bool is_done = (request->is_cleanup || hf_cancel_check(error)) &&
		       hf_s3_transfer_start(transfer, error) &&
		       hf_s3_transfer_result(transfer, curl_easy_perform(transfer->curl), error);

	hf_s3_transfer_take_reply(transfer, reply_out);
	return is_done;
}

typedef struct {
	HfS3Client *client;
	const HfS3Request *request;
	HfS3Reply *reply;
	unsigned tries;
} Performance;

static bool
try_to_perform(void *data, bool *moved, GError **error)
{
	Performance *performance = data;

	(void)moved;
	hf_s3_reply_clear(performance->reply);
	performance->tries++;
	return hf_s3_perform_once(performance->client, performance->request, performance->reply, error);
}

bool
hf_s3_perform(HfS3Client *client, const HfS3Request *request, HfS3Reply *reply_out, GError **error)
{
	Performance performance = {client, request, reply_out, 0};
	bool is_done;

	*reply_out = (HfS3Reply){0};
	is_done = hf_s3_retry(client, try_to_perform, &performance, request->is_cleanup, error);
	reply_out->tries = performance.tries;
	return is_done;
}
