#include "config.h"

#include "backup/store/s3-sign.h"

#include <glib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SHA256_BYTES 32

static HfSha256Hex
to_hex(const unsigned char digest[SHA256_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	HfSha256Hex hex = {{0}};

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		hex.text[2 * i] = digits[digest[i] >> 4];
		hex.text[2 * i + 1] = digits[digest[i] & 15];
	}
	return hex;
}

HfSha256Hex
hf_s3_sign_sha256(const void *bytes, size_t len)
{
	unsigned char digest[SHA256_BYTES];

	if (!EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL))
		g_error("SHA-256 is not available");
	return to_hex(digest);
}

char *
hf_s3_sign_time(int64_t unix_s)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(unix_s);

	return g_date_time_format(time, "%Y%m%dT%H%M%SZ");
}

char *
hf_s3_sign_escape(const char *text, bool keeps_slash)
{
	GString *escaped = g_string_sized_new(strlen(text) + 16);

	for (const char *c = text; *c; c++) {
		if (g_ascii_isalnum(*c) || strchr("-._~", *c) || (keeps_slash && *c == '/'))
			g_string_append_c(escaped, *c);
		else
			g_string_append_printf(escaped, "%%%02X", (unsigned char)*c);
	}
	return g_string_free(escaped, FALSE);
}

static gint
compare_texts(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
hf_s3_sign_query(const HfPair *pairs)
{
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);

	/* "=" sorts above "-", "." and the digits, so names are joined to their values by a byte below all of them. */
	for (const HfPair *pair = pairs; pair && pair->name; pair++) {
		g_autofree char *name = hf_s3_sign_escape(pair->name, false);
		g_autofree char *value = hf_s3_sign_escape(pair->value, false);

		g_ptr_array_add(items, g_strconcat(name, "\001", value, NULL));
	}
	g_ptr_array_sort(items, compare_texts);
	for (guint i = 0; i < items->len; i++)
		*strchr(items->pdata[i], '\001') = '=';
	g_ptr_array_add(items, NULL);
	return g_strjoinv("&", (char **)items->pdata);
}

static void
feed(EVP_MD_CTX *hash, const char *text, size_t len)
{
	if (!EVP_DigestUpdate(hash, text, len))
		g_error("SHA-256 is not available");
}

static void
feed_line(EVP_MD_CTX *hash, const char *text)
{
	feed(hash, text, strlen(text));
	feed(hash, "\n", 1);
}

/* Trimmed, and each run of blanks as one ("Create a canonical request": Trimall). */
static void
feed_value(EVP_MD_CTX *hash, const char *value)
{
	size_t end = strlen(value);
	size_t start = strspn(value, " \t\n");

	while (end > start && strchr(" \t\n", value[end - 1]))
		end--;
	for (size_t i = start; i < end; i++) {
		bool is_blank = strchr(" \t\n", value[i]) != NULL;

		if (!is_blank)
			feed(hash, &value[i], 1);
		else if (!strchr(" \t\n", value[i - 1]))
			feed(hash, " ", 1);
	}
}

static gint
compare_pairs(gconstpointer a, gconstpointer b)
{
	return strcmp((*(const HfPair *const *)a)->name, (*(const HfPair *const *)b)->name);
}

static GPtrArray *
sorted_headers(const HfPair *headers)
{
	GPtrArray *sorted = g_ptr_array_new();

	for (const HfPair *header = headers; header->name; header++)
		g_ptr_array_add(sorted, (gpointer)(uintptr_t)header);
	g_ptr_array_sort(sorted, compare_pairs); /* stable: values of one name keep their order */
	return sorted;
}

static char *
signed_names(const GPtrArray *headers)
{
	GString *names = g_string_new(NULL);
	const char *previous = NULL;

	for (guint i = 0; i < headers->len; i++) {
		const HfPair *header = headers->pdata[i];

		if (previous && strcmp(previous, header->name) == 0)
			continue;
		g_string_append_printf(names, "%s%s", previous ? ";" : "", header->name);
		previous = header->name;
	}
	return g_string_free(names, FALSE);
}

static void
feed_headers(EVP_MD_CTX *hash, const GPtrArray *headers)
{
	const char *previous = NULL;

	for (guint i = 0; i < headers->len; i++) {
		const HfPair *header = headers->pdata[i];
		bool is_another = previous && strcmp(previous, header->name) == 0;

		if (is_another) {
			feed(hash, ",", 1);
		} else {
			if (previous)
				feed(hash, "\n", 1);
			feed(hash, header->name, strlen(header->name));
			feed(hash, ":", 1);
		}
		feed_value(hash, header->value);
		previous = header->name;
	}
	feed(hash, "\n\n", 2);
}

static HfSha256Hex
canonical_request_sha256(const HfSignRequest *request, const GPtrArray *headers, const char *names)
{
	unsigned char digest[SHA256_BYTES];
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		g_error("SHA-256 is not available");
	feed_line(hash, request->method);
	feed_line(hash, request->path);
	feed_line(hash, request->query);
	feed_headers(hash, headers);
	feed_line(hash, names);
	feed(hash, request->payload_sha256, strlen(request->payload_sha256));
	if (!EVP_DigestFinal_ex(hash, digest, NULL))
		g_error("SHA-256 is not available");
	EVP_MD_CTX_free(hash);
	return to_hex(digest);
}

static void
hmac(unsigned char key[SHA256_BYTES], const char *text)
{
	unsigned char out[SHA256_BYTES];

	if (!HMAC(EVP_sha256(), key, SHA256_BYTES, (const unsigned char *)text, strlen(text), out, NULL))
		g_error("HMAC-SHA-256 is not available");
	memcpy(key, out, sizeof out);
	OPENSSL_cleanse(out, sizeof out);
}

static void
first_key(const HfSecret *secret, const char *date, unsigned char key_out[SHA256_BYTES])
{
	char seed[4 + HF_SECRET_BYTES_MAX];
	size_t len = hf_secret_len(secret);

	memcpy(seed, "AWS4", 4);
	memcpy(seed + 4, hf_secret_bytes(secret), len);
	if (!HMAC(EVP_sha256(), seed, (int)(4 + len), (const unsigned char *)date, strlen(date), key_out,
		  NULL))
		g_error("HMAC-SHA-256 is not available");
	OPENSSL_cleanse(seed, 4 + len);
}

char *
hf_s3_sign_authorization(const HfSignRequest *request, const HfAccessKey *key)
{
	g_autoptr(GPtrArray) headers = sorted_headers(request->headers);
	g_autofree char *names = signed_names(headers);
	g_autofree char *date = g_strndup(request->time, strlen("20130524"));
	g_autofree char *scope = g_strdup_printf("%s/%s/%s/aws4_request", date, request->region,
						 request->service);
	HfSha256Hex canonical = canonical_request_sha256(request, headers, names);
	g_autofree char *to_sign = g_strdup_printf("%s\n%s\n%s\n%s", ALGORITHM, request->time, scope,
						   canonical.text);
	unsigned char signing_key[SHA256_BYTES];
	HfSha256Hex signature;

	first_key(key->secret_key, date, signing_key);
	hmac(signing_key, request->region);
	hmac(signing_key, request->service);
	hmac(signing_key, "aws4_request");
	hmac(signing_key, to_sign);
	signature = to_hex(signing_key);
	OPENSSL_cleanse(signing_key, sizeof signing_key);
	return g_strdup_printf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", ALGORITHM,
			       key->access_key, scope, names, signature.text);
}
