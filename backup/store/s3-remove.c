/* Removal: many keys in one request. */
#include "config.h"

#include "backup/store/s3-impl.h"
#include "backup/store/s3-xml.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* Amazon S3 API Reference, "DeleteObjects". */
#define DELETED_AT_ONCE 1000

/* XML 1.0 has no way to write most control characters, and is UTF-8: such a key is deleted by a request of its own. */
static bool
fits_xml(const char *key)
{
	for (const char *c = key; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return g_utf8_validate(key, -1, NULL);
}

static bool
remove_one(HfS3 *s3, const char *full_key, GError **error)
{
	HfS3Request request = {.method = "DELETE", .key = full_key, .is_cleanup = hf_cancel_is_requested()};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;

	if (hf_s3_perform(s3->client, &request, &reply, &cause) || hf_error_is(cause, HF_ERROR_NOT_FOUND))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

typedef struct {
	HfS3 *s3;
	GString *xml;
	char *md5;
	bool is_cleanup;
	/* Of the reply: the first key that was refused. */
	char *key, *code, *message;
	bool is_refused;
} Removal;

static void
on_refusal(const char *path, const char *text, void *data)
{
	Removal *removal = data;
	char **field = strcmp(path, "DeleteResult/Error/Key") == 0       ? &removal->key
		       : strcmp(path, "DeleteResult/Error/Code") == 0    ? &removal->code
		       : strcmp(path, "DeleteResult/Error/Message") == 0 ? &removal->message
									 : NULL;

	if (strcmp(path, "DeleteResult/Error") == 0)
		removal->is_refused = true;
	if (field && !removal->is_refused) {
		g_free(*field);
		*field = g_strdup(text);
	}
}

static bool
set_refusal(const Removal *removal, GError **error)
{
	static const char *const transient[] = {"InternalError", "SlowDown", "ServiceUnavailable",
						"OperationAborted", NULL};
	const char *code = removal->code ? removal->code : "unknown error";
	HfError kind = g_strv_contains(transient, code)    ? HF_ERROR_TRANSIENT
		       : strcmp(code, "AccessDenied") == 0 ? HF_ERROR_DENIED
							   : HF_ERROR_FAILED;

	return hf_error_set(error, kind, "\"s3://%s/%s\" was not deleted: %s%s%s%s",
			    hf_s3_client_bucket(removal->s3->client), removal->key ? removal->key : "", code,
			    removal->message && removal->message[0] ? ": " : "",
			    removal->message ? removal->message : "",
			    kind == HF_ERROR_DENIED ? ": allow s3:DeleteObject for it" : "");
}

static bool
try_to_remove(void *data, bool *moved, GError **error)
{
	static const HfPair query[] = {{"delete", ""}, {NULL, NULL}};
	Removal *removal = data;
	const HfPair headers[] = {
		{"content-md5", removal->md5}, {"content-type", "application/xml"}, {NULL, NULL}};
	HfS3Request request = {.method = "POST",
			       .is_cleanup = removal->is_cleanup,
			       .query = query,
			       .headers = headers,
			       .body = removal->xml->str,
			       .body_bytes = removal->xml->len,
			       .fails_in_200 = true};
	g_auto(HfS3Reply) reply = {0};

	(void)moved;
	removal->is_refused = false;
	return hf_s3_perform_once(removal->s3->client, &request, &reply, error) &&
	       hf_s3_xml_parse(reply.body->data, reply.body->len, on_refusal, removal, error) &&
	       (!removal->is_refused || set_refusal(removal, error));
}

static bool
remove_batch(HfS3 *s3, GString *keys_xml, GError **error)
{
	/* Once a stop was asked for, what is removed is what a run takes back: that must still go out. */
	Removal removal = {.s3 = s3,
			   .xml = g_string_new("<Delete><Quiet>true</Quiet>"),
			   .is_cleanup = hf_cancel_is_requested()};
	bool is_done;

	g_string_append_printf(removal.xml, "%s</Delete>", keys_xml->str);
	removal.md5 = hf_s3_md5(removal.xml->str, removal.xml->len, error);
	is_done = removal.md5 && hf_s3_retry(s3->client, try_to_remove, &removal, removal.is_cleanup, error);
	g_string_free(removal.xml, TRUE);
	g_free(removal.md5);
	g_free(removal.key);
	g_free(removal.code);
	g_free(removal.message);
	return is_done;
}

bool
hf_s3_remove(HfStore *self, const char *const *keys, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	GString *batch = g_string_new(NULL);
	unsigned count = 0;
	bool is_done = true;

	for (const char *const *key = keys; *key && is_done; key++) {
		g_autofree char *full_key = hf_s3_full_key(s3, *key);
		g_autofree char *xml = NULL;

		if (!fits_xml(full_key)) {
			is_done = remove_one(s3, full_key, error);
			continue;
		}
		xml = g_markup_printf_escaped("<Object><Key>%s</Key></Object>", full_key);
		g_string_append(batch, xml);
		if (++count == DELETED_AT_ONCE) {
			is_done = remove_batch(s3, batch, error);
			g_string_truncate(batch, 0);
			count = 0;
		}
	}
	if (is_done && count > 0)
		is_done = remove_batch(s3, batch, error);
	g_string_free(batch, TRUE);
	return is_done;
}
