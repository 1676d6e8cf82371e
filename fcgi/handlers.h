/*
 * fcgi/handlers.h -- what answers a route: a request in, a reply out, no I/O with the client.
 */
#pragma once

#include "fcgi/routes.h"

/* trigger.c */
HfReply *hf_handle_trigger(HfService *service, const HfRequest *request, char **arguments,
			   const HfRoute *route);

/* status.c */
HfReply *hf_handle_status(HfService *service, const HfRequest *request, char **arguments,
			  const HfRoute *route);

/* metrics.c */
HfReply *hf_handle_metrics(HfService *service, const HfRequest *request, char **arguments,
			   const HfRoute *route);

/* sets.c */
HfReply *hf_handle_sets(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);
HfReply *hf_handle_set(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);
HfReply *hf_handle_delete(HfService *service, const HfRequest *request, char **arguments,
			  const HfRoute *route);
HfReply *hf_handle_mark(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);

/* orders.c: what starts a job about a set, or about all */
HfReply *hf_handle_verify(HfService *service, const HfRequest *request, char **arguments,
			  const HfRoute *route);
HfReply *hf_handle_restore(HfService *service, const HfRequest *request, char **arguments,
			   const HfRoute *route);
HfReply *hf_handle_replicate(HfService *service, const HfRequest *request, char **arguments,
			     const HfRoute *route);
HfReply *hf_handle_prune(HfService *service, const HfRequest *request, char **arguments,
			 const HfRoute *route);

/* objects.c */
HfReply *hf_handle_objects(HfService *service, const HfRequest *request, char **arguments,
			   const HfRoute *route);
HfReply *hf_handle_object(HfService *service, const HfRequest *request, char **arguments,
			  const HfRoute *route);

/* jobs.c */
HfReply *hf_handle_jobs(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);
HfReply *hf_handle_job(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);
HfReply *hf_handle_log(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);
HfReply *hf_handle_cancel(HfService *service, const HfRequest *request, char **arguments,
			  const HfRoute *route);

/* about.c */
HfReply *hf_handle_schedule(HfService *service, const HfRequest *request, char **arguments,
			    const HfRoute *route);
HfReply *hf_handle_health(HfService *service, const HfRequest *request, char **arguments,
			  const HfRoute *route);
HfReply *hf_handle_openapi(HfService *service, const HfRequest *request, char **arguments,
			   const HfRoute *route);

/* internal.c: the timer's */
HfReply *hf_handle_run(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route);
HfReply *hf_handle_slots(HfService *service, const HfRequest *request, char **arguments,
			 const HfRoute *route);
