/*
 * fcgi/openapi.h -- docs/openapi.yaml as JSON; fcgi/openapi.py makes it when the worker is built.
 */
#pragma once

#include <stddef.h>

extern const char hf_openapi_json[];
extern const size_t hf_openapi_json_len;
