/*
 * common/exposition.h -- metrics as text for Prometheus: its "Exposition formats", text format 0.0.4.
 *
 * A family is begun once, and all its samples follow before the next one is begun: the format wants them together.
 * Whatever a label's value is, it stays inside its quotes.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* The Content-Type that goes with it. */
#define HF_EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

typedef struct {
	const char *name;
	const char *value; /* bytes; what is not UTF-8 is replaced */
} HfLabel;

/* Begins a family of gauges; help is one line. */
void hf_exposition_begin(GString *text, const char *name, const char *help);

/* A sample of it; labels are closed by a pair of NULLs, or NULL. */
void hf_exposition_add(GString *text, const char *name, const HfLabel *labels, uint64_t value);

/* The same in seconds, from milliseconds: Prometheus wants base units. */
void hf_exposition_add_ms(GString *text, const char *name, const HfLabel *labels, uint64_t value_ms);
