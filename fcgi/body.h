/*
 * fcgi/body.h -- the JSON body of a request, checked against what a route takes.
 */
#pragma once

#include "fcgi/reply.h"
#include "fcgi/request.h"

typedef struct {
	const char *name; /* NULL closes a table */
	json_type type;
} HfMember;

/*
 * The body as an object; an empty one where none was sent.  Every member must stand in the table, with the type that it
 * says.  NULL with *refusal_out: 415 where it is said to be no JSON, 400 where it is none, and where a member is not known
 * or of another type; the reply names it.
 */
HfJson *hf_body_parse(const HfRequest *request, const HfMember *members, const char *message,
		      HfReply **refusal_out);
