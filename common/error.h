/*
 * common/error.h -- the one error domain.
 *
 * A fallible function takes a GError ** last and returns false or NULL exactly when it sets it.  The message is one
 * lower-case line without a full stop: the object quoted, what went wrong, and the remedy where we know one.  Whoever
 * stops an error prints it, once.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A code exists only where a caller acts on it; the comment says how. */
typedef enum {
	HF_ERROR_FAILED, /* nobody can act on it: report and stop.  Exit 1, HTTP 500 */
	HF_ERROR_USAGE,  /* what was asked or configured is wrong; names the setting.  Exit 2, HTTP 400/422 */
	HF_ERROR_TRANSIENT, /* the same call may succeed later: retry.  HTTP 503 */
	HF_ERROR_NOT_FOUND, /* HTTP 404 */
	HF_ERROR_DENIED,    /* HTTP 403 */
	HF_ERROR_CONFLICT,  /* somebody else holds it, or it changed.  HTTP 409 */
	HF_ERROR_CORRUPT,   /* stored bytes are not what was written */
	HF_ERROR_CANCELLED, /* the user, or the system's TERM, asked us to stop */
} HfError;

#define HF_ERROR (hf_error_quark())
GQuark hf_error_quark(void);

/* Sets *error and returns false, so that a failing function ends in one statement. */
bool hf_error_set(GError **error, HfError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/*
 * The same from errno, which is read first: "<formatted>: <strerror>".  ENOENT becomes NOT_FOUND; EACCES, EPERM and
 * EROFS become DENIED; ENOSPC and EDQUOT are FAILED with the remedy appended; everything else is FAILED.
 */
bool hf_error_errno(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* True where error is of our domain and has this code.  error may be NULL. */
bool hf_error_is(const GError *error, HfError code);

/* The code as --json, the API and job records say it: "failed", "usage", "not_found", ...  Static. */
const char *hf_error_word(const GError *error);
