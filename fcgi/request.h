/*
 * fcgi/request.h -- one HTTP request as a handler sees it: read, bounded, decoded; no FastCGI in it.
 *
 * Nothing of it is trusted.  What is wrong with it is kept in `refusal` and answered only after authorisation: whoever
 * has no token learns nothing but that.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No request of ours needs more; nginx/holdfast.conf says the same. */
#define HF_REQUEST_BODY_MAX 65536
#define HF_REQUEST_URI_MAX 8192
#define HF_REQUEST_SEGMENTS_MAX 64
#define HF_REQUEST_ID_MAX 64

#define HF_API_PREFIX "/api/backup/"

typedef struct {
	unsigned status;
	const char *code; /* static */
	char *text;
} HfRefusal;

typedef struct {
	char *method; /* "GET"; a HEAD is a GET with is_head */
	bool is_head;
	char *path; /* as it was sent, without the query, and safe to print */
	GPtrArray *
		segments; /* of char *: what stands behind HF_API_PREFIX, decoded, UTF-8; empty where refusal is set */
	bool is_internal;    /* the first segment is "internal" */
	GHashTable *query;   /* name -> value, decoded, UTF-8 */
	char *authorization; /* NULL: none; wiped when freed */
	char *content_type;  /* these NULL where they were not sent */
	char *prefer;
	char *accept_encoding;
	char *if_none_match;
	char *id;             /* of the request: the client's, where it was harmless, else a new one */
	char *remote;         /* the client's address as nginx gave it */
	size_t body_declared; /* CONTENT_LENGTH */
	GByteArray *body;     /* filled by the loop */
	HfRefusal *refusal;   /* NULL: well formed */
	bool is_scrape;       /* let in by METRICS_TOKEN; set by the service */
	char *who;            /* the principal, set by the service; NULL before */
	/*
	 * Sleeps so long, and gives false at once where the client has gone or the worker is to stop: the handler then ends
	 * what it does.  NULL: never.
	 */
	bool (*wait)(void *context, unsigned ms);
	void *wait_context;
} HfRequest;

/* Gives a FastCGI parameter or NULL; borrowed. */
typedef const char *(*HfParameterFunc)(void *context, const char *name);

/* Never fails: see refusal. */
HfRequest *hf_request_new(HfParameterFunc parameter, void *context);
void hf_request_free(HfRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfRequest, hf_request_free)

/* The first one stays.  code as in reply.h. */
void hf_request_refuse(HfRequest *request, unsigned status, const char *code, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/* A parameter of the query; NULL where it was not sent. */
const char *hf_request_query(const HfRequest *request, const char *name);

/* True where "Prefer: respond-async" was sent (RFC 7240 section 4.1), among others or alone, in any case of letters. */
bool hf_request_prefers_async(const HfRequest *request);

/* True where a reply may be packed by gzip (RFC 9110 section 12.5.3); a "*" is not taken for it. */
bool hf_request_accepts_gzip(const HfRequest *request);
