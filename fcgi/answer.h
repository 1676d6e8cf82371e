/*
 * fcgi/answer.h -- what several handlers share: pages, ids, times, and the start of a job.
 */
#pragma once

#include "fcgi/routes.h"

#define HF_PAGE_DEFAULT 100
#define HF_PAGE_MAX 1000

/* "2024-01-15T02:00:45.000Z", as JavaScript writes a Date; g_free() it. */
char *hf_answer_time(int64_t unix_ms);

/* "limit" of the query, else HF_PAGE_DEFAULT.  False with *refusal_out where it is not 1 to HF_PAGE_MAX. */
bool hf_answer_limit(const HfRequest *request, const HfRoute *route, unsigned *limit_out,
		     HfReply **refusal_out);

/* NULL where every name in the query is one of names (closed by NULL); else the refusal: 400. */
HfReply *hf_answer_check_query(const HfRequest *request, const HfRoute *route, const char *const *names);

/* NULL where id has the form of a set's ("2024-01-15_02-00-00"), or of an adopted file's name; else the refusal: 404. */
HfReply *hf_answer_check_set(const char *id, const HfRoute *route);

/*
 * Starts a job of that kind with these parameters, which it takes, for whoever asks.  *id_out is set where it runs: NULL is
 * returned then.  Else the refusal: 409 with the job that is in the way, and so on.
 */
HfReply *hf_answer_start(HfService *service, const HfRequest *request, const HfRoute *route, const char *kind,
			 HfJson *parameters, char **id_out);

/* 202 with Location. */
HfReply *hf_answer_accepted(const char *job, const char *message);

/* A strong one of the bytes (RFC 9110 section 8.8.3), quoted; g_free() it. */
char *hf_answer_etag(GBytes *body);

/* True where If-None-Match names it. */
bool hf_answer_is_known(const HfRequest *request, const char *etag);
