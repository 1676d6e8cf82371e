#include "config.h"

#include "common/error.h"

#include <errno.h>

GQuark
hf_error_quark(void)
{
	return g_quark_from_static_string("hf-error");
}

bool
hf_error_set(GError **error, HfError code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error) {
		g_assert(*error == NULL);
		*error = g_error_new_valist(HF_ERROR, (int)code, format, args);
	}
	va_end(args);
	return false;
}

static HfError
code_of_errno(int number)
{
	switch (number) {
	case ENOENT:
		return HF_ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return HF_ERROR_DENIED;
	default:
		return HF_ERROR_FAILED;
	}
}

bool
hf_error_errno(GError **error, const char *format, ...)
{
	int number = errno;
	const char *remedy = number == ENOSPC || number == EDQUOT ? ": free some space and run it again" : "";
	g_autofree char *what = NULL;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);
	return hf_error_set(error, code_of_errno(number), "%s: %s%s", what, g_strerror(number), remedy);
}

bool
hf_error_is(const GError *error, HfError code)
{
	return g_error_matches(error, HF_ERROR, (int)code);
}

const char *
hf_error_word(const GError *error)
{
	static const char *const words[] = {
		[HF_ERROR_FAILED] = "failed",       [HF_ERROR_USAGE] = "usage",
		[HF_ERROR_TRANSIENT] = "transient", [HF_ERROR_NOT_FOUND] = "not_found",
		[HF_ERROR_DENIED] = "denied",       [HF_ERROR_CONFLICT] = "conflict",
		[HF_ERROR_CORRUPT] = "corrupt",     [HF_ERROR_CANCELLED] = "cancelled",
	};

	return error->domain == HF_ERROR && error->code < (int)G_N_ELEMENTS(words) ? words[error->code]
										   : "failed";
}
