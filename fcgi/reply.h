/*
 * fcgi/reply.h -- what a handler answers: a status, headers, and a body that is held or streamed.
 *
 * Every reply is JSON but for images and the log's like; every error has the same four members ("success", "message",
 * "error", "code"), so that a client needs one way to read them.
 */
#pragma once

#include "common/json.h"

/* The words of "code", and the statuses that go with them: docs/openapi.yaml has the list. */
#define HF_CODE_USAGE "usage"
#define HF_CODE_UNAUTHORIZED "unauthorized"
#define HF_CODE_DENIED "denied"
#define HF_CODE_NOT_FOUND "not_found"
#define HF_CODE_METHOD "method_not_allowed"
#define HF_CODE_CONFLICT "conflict"
#define HF_CODE_TOO_LARGE "too_large"
#define HF_CODE_MEDIA_TYPE "unsupported_media_type"
#define HF_CODE_TRANSIENT "transient"
#define HF_CODE_SUSPECT "suspect"

/* Bytes that come while they are sent. */
typedef struct HfReplySource HfReplySource;
struct HfReplySource {
	/* The next piece, borrowed until the next call; *len_out 0 at the end.  False: what was sent must not be used. */
	bool (*next)(HfReplySource *self, const void **bytes_out, size_t *len_out, GError **error);
	void (*free)(HfReplySource *self);
};

typedef struct {
	unsigned status;
	GString *headers; /* "Name: value\r\n"...; without Status, Content-Type and Content-Length */
	const char *type; /* of the body, static or owned by type_owned */
	char *type_owned;
	GBytes *body;          /* NULL: none, or source */
	HfReplySource *source; /* NULL: none */
	uint64_t source_bytes; /* how many it will give */
	char *what; /* NULL, or what came of it, for the log and the audit trail: an error's text, a job's id */
} HfReply;

/* Empty, and of no body. */
HfReply *hf_reply_new(unsigned status);

/* Takes members, and adds "success": true where they do not say it themselves. */
HfReply *hf_reply_json(unsigned status, HfJson *members);

/* Takes a reference. */
HfReply *hf_reply_bytes(unsigned status, const char *type, GBytes *body);

/* An error: message is for people ("Backup failed"), text says what went wrong and the remedy; both are copied. */
HfReply *hf_reply_problem(unsigned status, const char *code, const char *message, const char *text);

/* The same with more members: takes members. */
HfReply *hf_reply_problem_with(unsigned status, const char *code, const char *message, const char *text,
			       HfJson *members);

/* The same from an error; its code decides the status.  USAGE is what was asked for: 422. */
HfReply *hf_reply_error(const GError *error, const char *message);

/* The status and the word for an error of ours. */
unsigned hf_reply_status_of(const GError *error, const char **code_out);

/* value must have no line end; one that has is left out. */
void hf_reply_add_header(HfReply *reply, const char *name, const char *value);

/* "Moved" words for a status: "200 OK".  Static. */
const char *hf_reply_status_line(unsigned status);

void hf_reply_free(HfReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfReply, hf_reply_free)
