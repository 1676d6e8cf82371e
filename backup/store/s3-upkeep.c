/* Unfinished uploads, versioning, lifecycle rules and Object Lock: what upkeep.h asks of a bucket. */
#include "config.h"

#include "backup/store/s3-impl.h"
#include "backup/store/s3-xml.h"
#include "common/error.h"

#include <string.h>

#define UPLOADS "ListMultipartUploadsResult/"
#define RULE "LifecycleConfiguration/Rule"

/* ---- unfinished uploads ---- */

/* API Reference, "ListMultipartUploads": a page as it is read. */
typedef struct {
	GPtrArray *uploads;            /* of HfUnfinished, with keys as they are in the reply */
	char *key, *id, *begun;        /* of the upload that is being read */
	char *next_key, *next_id;      /* where the next page begins */
	bool is_truncated, is_encoded; /* keys and markers as a form encodes them */
} Page;

static void
page_clear(Page *page)
{
	g_clear_pointer(&page->uploads, g_ptr_array_unref);
	g_free(page->key);
	g_free(page->id);
	g_free(page->begun);
	g_free(page->next_key);
	g_free(page->next_id);
	*page = (Page){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Page, page_clear)

static void
end_upload(Page *page)
{
	g_autoptr(GDateTime) begun = page->begun ? g_date_time_new_from_iso8601(page->begun, NULL) : NULL;
	HfUnfinished *upload;

	/* One whose age is not known is not ours to judge. */
	if (page->key && page->id && begun) {
		upload = g_new0(HfUnfinished, 1);
		upload->key = g_steal_pointer(&page->key);
		upload->upload_id = g_steal_pointer(&page->id);
		upload->begun_s = g_date_time_to_unix(begun);
		g_ptr_array_add(page->uploads, upload);
	}
	g_clear_pointer(&page->key, g_free);
	g_clear_pointer(&page->id, g_free);
	g_clear_pointer(&page->begun, g_free);
}

static void
on_upload(const char *path, const char *text, void *data)
{
	Page *page = data;
	char **field = strcmp(path, UPLOADS "Upload/Key") == 0           ? &page->key
		       : strcmp(path, UPLOADS "Upload/UploadId") == 0    ? &page->id
		       : strcmp(path, UPLOADS "Upload/Initiated") == 0   ? &page->begun
		       : strcmp(path, UPLOADS "NextKeyMarker") == 0      ? &page->next_key
		       : strcmp(path, UPLOADS "NextUploadIdMarker") == 0 ? &page->next_id
									 : NULL;

	if (field) {
		g_free(*field);
		*field = g_strdup(text);
	} else if (strcmp(path, UPLOADS "Upload") == 0) {
		end_upload(page);
	} else if (strcmp(path, UPLOADS "IsTruncated") == 0) {
		page->is_truncated = strcmp(text, "true") == 0;
	} else if (strcmp(path, UPLOADS "EncodingType") == 0) {
		page->is_encoded = strcmp(text, "url") == 0;
	}
}

/* NULL for a bad escape. */
static char *
decode(const Page *page, const char *text)
{
	g_autofree char *spaced = NULL;

	if (!text || !page->is_encoded)
		return g_strdup(text);
	spaced = g_strdelimit(g_strdup(text), "+", ' ');
	return g_uri_unescape_string(spaced, NULL);
}

typedef struct {
	HfS3 *s3;
	const HfS3Request *request;
	Page *page;
} PageTry;

static bool
try_page(void *data, bool *moved, GError **error)
{
	PageTry *page_try = data;
	g_auto(HfS3Reply) reply = {0};

	(void)moved;
	page_clear(page_try->page);
	page_try->page->uploads = g_ptr_array_new_with_free_func((GDestroyNotify)hf_unfinished_free);
	return hf_s3_perform_once(page_try->s3->client, page_try->request, &reply, error) &&
	       hf_s3_xml_parse(reply.body->data, reply.body->len, on_upload, page_try->page, error);
}

/* markers are of the page before, or NULL; a server that repeats itself would be asked for ever. */
static bool
fetch_page(HfS3 *s3, const char *prefix, char *markers[2], Page *page, GError **error)
{
	HfPair query[] = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}, {0}, {0}, {0}};
	HfS3Request request = {.method = "GET", .query = query};
	PageTry page_try = {s3, &request, page};
	g_autofree char *key = NULL;

	if (markers[0])
		query[3] = (HfPair){"key-marker", markers[0]};
	if (markers[0] && markers[1])
		query[4] = (HfPair){"upload-id-marker", markers[1]};
	if (!hf_s3_retry(s3->client, try_page, &page_try, false, error))
		return false;
	key = decode(page, page->next_key);
	if (page->is_truncated &&
	    (!key || (g_strcmp0(key, markers[0]) == 0 && g_strcmp0(page->next_id, markers[1]) == 0)))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\": the server's list of unfinished uploads does not go on",
				    s3->base.location);
	g_free(markers[0]);
	g_free(markers[1]);
	markers[0] = g_steal_pointer(&key);
	markers[1] = g_strdup(page->next_id);
	return true;
}

/* Takes over what is below the prefix and old enough. */
static void
take_page(const HfS3 *s3, const char *prefix, int64_t before_s, const Page *page, GPtrArray *found)
{
	for (guint i = 0; i < page->uploads->len; i++) {
		const HfUnfinished *listed = page->uploads->pdata[i];
		g_autofree char *key = decode(page, listed->key);
		HfUnfinished *upload;

		if (!key || !g_str_has_prefix(key, prefix) || listed->begun_s >= before_s)
			continue;
		upload = g_new0(HfUnfinished, 1);
		upload->key = g_strdup(key + strlen(s3->prefix));
		upload->upload_id = g_strdup(listed->upload_id);
		upload->begun_s = listed->begun_s;
		g_ptr_array_add(found, upload);
	}
}

GPtrArray *
hf_s3_unfinished(HfStore *self, const char *prefix, int64_t before_s, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_prefix = hf_s3_full_key(s3, prefix);
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)hf_unfinished_free);
	char *markers[2] = {NULL, NULL};
	bool is_done, goes_on;

	do {
		g_auto(Page) page = {0};

		is_done = fetch_page(s3, full_prefix, markers, &page, error);
		goes_on = is_done && page.is_truncated;
		if (is_done)
			take_page(s3, full_prefix, before_s, &page, found);
	} while (goes_on);
	g_free(markers[0]);
	g_free(markers[1]);
	return is_done ? g_steal_pointer(&found) : NULL;
}

bool
hf_s3_abandon(HfStore *self, const HfUnfinished *unfinished, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_key = hf_s3_full_key(s3, unfinished->key);
	const HfPair query[] = {{"uploadId", unfinished->upload_id}, {NULL, NULL}};
	HfS3Request request = {.method = "DELETE", .key = full_key, .query = query};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;

	if (hf_s3_perform(s3->client, &request, &reply, &cause) || hf_error_is(cause, HF_ERROR_NOT_FOUND))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/* ---- questions about the bucket and about an object ---- */

/*
 * Asks for a subresource.  *is_told_out is false where there is none, where the server does not know it, and where we may
 * not see it; reply_out is cleared by the caller.
 */
static bool
ask(HfS3 *s3, const char *full_key, const char *what, HfS3Reply *reply_out, bool *is_told_out, GError **error)
{
	const HfPair query[] = {{what, ""}, {NULL, NULL}};
	HfS3Request request = {.method = "GET", .key = full_key, .query = query};
	g_autoptr(GError) cause = NULL;

	*is_told_out = hf_s3_perform(s3->client, &request, reply_out, &cause);
	if (*is_told_out ||
	    (!hf_error_is(cause, HF_ERROR_TRANSIENT) && !hf_error_is(cause, HF_ERROR_CANCELLED)))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/* The text at path in the reply to a question; NULL where nothing was told.  g_free() *text_out. */
static bool
ask_text(HfS3 *s3, const char *full_key, const char *what, const char *path, char **text_out, GError **error)
{
	g_auto(HfS3Reply) reply = {0};
	bool is_told;

	*text_out = NULL;
	if (!ask(s3, full_key, what, &reply, &is_told, error))
		return false;
	if (is_told)
		*text_out = hf_s3_xml_find(reply.body->data, reply.body->len, path);
	return true;
}

/* API Reference, "GetBucketLifecycleConfiguration": a rule as it is read. */
typedef struct {
	const char *our_prefix;
	HfUpkeep *upkeep;
	bool is_enabled, is_narrow; /* of the rule */
	unsigned expiry_days, upload_days;
} Rules;

static unsigned
days_of(const char *text)
{
	guint64 days;

	return g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT, &days, NULL) ? (unsigned)days : 0;
}

static void
lower(unsigned *least, unsigned days)
{
	if (days > 0 && (*least == 0 || days < *least))
		*least = days;
}

static void
on_rule(const char *path, const char *text, void *data)
{
	Rules *rules = data;

	if (!g_str_has_prefix(path, RULE))
		return;
	path += strlen(RULE);
	if (strcmp(path, "/Status") == 0)
		rules->is_enabled = strcmp(text, "Enabled") == 0;
	else if (g_str_has_suffix(path, "/Prefix"))
		rules->is_narrow = rules->is_narrow || !g_str_has_prefix(rules->our_prefix, text);
	else if (strstr(path, "/Tag") || strstr(path, "/ObjectSize"))
		rules->is_narrow = true;
	else if (strcmp(path, "/NoncurrentVersionExpiration/NoncurrentDays") == 0)
		rules->expiry_days = days_of(text);
	else if (strcmp(path, "/AbortIncompleteMultipartUpload/DaysAfterInitiation") == 0)
		rules->upload_days = days_of(text);
	else if (*path == '\0') {
		if (rules->is_enabled && !rules->is_narrow) {
			lower(&rules->upkeep->expiry_days, rules->expiry_days);
			lower(&rules->upkeep->upload_days, rules->upload_days);
		}
		*rules = (Rules){.our_prefix = rules->our_prefix, .upkeep = rules->upkeep};
	}
}

/* A bucket without rules answers 404, and one that we may not ask 403: the first is an answer. */
static bool
ask_rules(HfS3 *s3, HfUpkeep *upkeep, GError **error)
{
	g_auto(HfS3Reply) reply = {0};
	Rules rules = {.our_prefix = s3->prefix, .upkeep = upkeep};
	bool is_told;

	if (!ask(s3, NULL, "lifecycle", &reply, &is_told, error))
		return false;
	upkeep->is_expiry_known = is_told || reply.status == 404;
	return !is_told || hf_s3_xml_parse(reply.body->data, reply.body->len, on_rule, &rules, error);
}

bool
hf_s3_upkeep(HfStore *self, HfUpkeep *upkeep_out, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *versioning = NULL;
	g_autofree char *lock = NULL;

	if (!ask_text(s3, NULL, "versioning", "VersioningConfiguration/Status", &versioning, error) ||
	    !ask_text(s3, NULL, "object-lock", "ObjectLockConfiguration/ObjectLockEnabled", &lock, error))
		return false;
	if (g_strcmp0(versioning, "Enabled") == 0)
		upkeep_out->versions = HF_VERSIONS_KEPT;
	else if (g_strcmp0(versioning, "Suspended") == 0)
		upkeep_out->versions = HF_VERSIONS_SUSPENDED;
	upkeep_out->has_lock = g_strcmp0(lock, "Enabled") == 0;
	return ask_rules(s3, upkeep_out, error);
}

/* API Reference, "GetObjectRetention" and "GetObjectLegalHold". */
bool
hf_s3_lock(HfStore *self, const char *key, HfObjectLock *lock_out, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_key = hf_s3_full_key(s3, key);
	g_autofree char *until = NULL;
	g_autofree char *mode = NULL;
	g_autofree char *hold = NULL;
	g_autoptr(GDateTime) time = NULL;
	g_auto(HfS3Reply) reply = {0};
	bool is_told;

	if (!ask(s3, full_key, "retention", &reply, &is_told, error) ||
	    !ask_text(s3, full_key, "legal-hold", "LegalHold/Status", &hold, error))
		return false;
	if (is_told) {
		until = hf_s3_xml_find(reply.body->data, reply.body->len, "Retention/RetainUntilDate");
		mode = hf_s3_xml_find(reply.body->data, reply.body->len, "Retention/Mode");
	}
	time = until ? g_date_time_new_from_iso8601(until, NULL) : NULL;
	lock_out->until_s = time ? g_date_time_to_unix(time) : 0;
	lock_out->is_compliance = g_strcmp0(mode, "COMPLIANCE") == 0;
	lock_out->has_legal_hold = g_strcmp0(hold, "ON") == 0;
	return true;
}
