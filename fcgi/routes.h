/*
 * fcgi/routes.h -- the table of routes.
 */
#pragma once

#include "fcgi/service.h"

/* The path, and the pattern, of what METRICS_TOKEN opens. */
#define HF_METRICS_ROUTE "metrics"

typedef struct HfRoute HfRoute;

/* arguments are the segments that stars stood for, in order; two stars give the rest, joined by slashes. */
typedef HfReply *(*HfHandler)(HfService *service, const HfRequest *request, char **arguments,
			      const HfRoute *route);

struct HfRoute {
	const char *method;
	/* Behind HF_API_PREFIX.  A star as a segment stands for any one, two stars, at the end, for one and more. */
	const char *pattern;
	HfHandler handler;
	const char *failure; /* the "message" of an error: "Backup failed" */
	const char *detail;  /* what tells routes of one handler apart: the kind of a job */
};

/*
 * The route of a request.  NULL where there is none: *allow_out is then the methods that the path knows ("GET, HEAD"),
 * or NULL where there is no such path.  g_free() it, and g_strfreev() *arguments_out.
 */
const HfRoute *hf_route_find(const HfRequest *request, char ***arguments_out, char **allow_out);

/* All of them; *count_out may not be NULL.  For tests: every one is tried without a token. */
const HfRoute *hf_routes(size_t *count_out);
