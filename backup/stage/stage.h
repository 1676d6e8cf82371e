/*
 * backup/stage/stage.h -- one step of the pipeline that bytes flow through.
 *
 * Bytes are pushed into the head of a chain:  pg_dump -> scan -> gzip -> digest -> store
 * and the same way back:                      store -> digest -> gunzip -> scan -> psql
 *
 * A stage holds a bounded amount of memory, whatever the length of the stream.  A stream ends in exactly one of two
 * ways: hf_stage_finish() proves and commits it; freeing a chain that was not finished discards it, and nothing of it
 * becomes visible at the destination.  So an error path needs no code of its own.
 *
 * A chain belongs to the thread that made it.  Threads may live inside a stage, never between two stages.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct HfStage HfStage;

/*
 * Pushes len bytes; buf is only read during the call.  Len 0 is allowed and does nothing.  A chain that failed once
 * can never be written again: it fails with the words of a programming error, and its owner frees it.
 */
bool hf_stage_write(HfStage *head, const void *buf, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Says that the stream may be cut in two at this very byte: between two gzip members, two objects of a tarball, two
 * statements.  A stage to which it means nothing passes it on.
 */
bool hf_stage_mark(HfStage *head, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Waits until all that was written in front of the last mark has gone through the chain: afterwards no stage holds any
 * of it back for work that goes on in threads.  What is said of it on the way (where members lie) is then complete.
 */
bool hf_stage_drain(HfStage *head, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Flushes and commits every stage, head first.  A stage that must see an end of its own (a gzip trailer, the dump's
 * closing line, the announced length) fails here if it did not.  After success only getters and free are allowed.
 */
bool hf_stage_finish(HfStage *head, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Frees the whole chain; discards it first where it was not finished.  NULL is fine. */
void hf_stage_free(HfStage *head);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfStage, hf_stage_free)
