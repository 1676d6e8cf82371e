/*
 * fcgi/made.h -- a reply that is made once and sent many times, for as long as nobody wrote to the state.
 *
 * The state's version (hf_state_version()) says whether somebody did; what changes by itself bounds how long, besides.
 */
#pragma once

#include "fcgi/service.h"

/* While a job runs the reply is made anew this often; and once a minute at least. */
#define HF_MADE_RUNNING_S 1
#define HF_MADE_S 60

/* Whether it may be sent again: made of this version, and made->until_s, which the maker sets, has not come. */
bool hf_made_is_current(const HfMade *made, uint64_t version, int64_t now_s);

/* Keeps body, and the same packed.  Takes a reference. */
void hf_made_keep(HfMade *made, GBytes *body, uint64_t version);

/* 200, packed where the request allows that, or 304. */
HfReply *hf_made_reply(const HfMade *made, const HfRequest *request, const char *type);

void hf_made_clear(HfMade *made);
