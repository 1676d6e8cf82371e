/*
 * common/url.h -- what may be asked over plain HTTP.
 */
#pragma once

#include <stdbool.h>

/* Whether host, as a URL has it ("[::1]" with its brackets), is this very host by its address or its name "localhost". */
bool hf_url_is_loopback(const char *host);

/* True for https, and for http to this host: anybody on the way could read, or change, all else. */
bool hf_url_is_guarded(const char *scheme, const char *host);
