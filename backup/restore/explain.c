#include "config.h"

#include "backup/restore/explain.h"

#include <string.h>

const char *
hf_restore_remedy(const char *words, const char *globals_hint)
{
	if (strstr(words, "role \"") && strstr(words, "does not exist") && globals_hint)
		return globals_hint;
	if (strstr(words, "invalid command \\restrict") || strstr(words, "invalid command \\unrestrict"))
		return "psql is older than the dump: upgrade postgresql-client";
	if (strstr(words, "is not available"))
		return "install that extension's package on the server";
	if (strstr(words, "permission denied to create extension"))
		return "restore with a login that may create it";
	if (strstr(words, "max_locks_per_transaction"))
		return "raise max_locks_per_transaction at the server and restart it";
	if (strstr(words, "No space left"))
		return "free some space on the server and run it again";
	return NULL;
}

HfError
hf_restore_code(const char *words)
{
	if (strstr(words, "permission denied") || strstr(words, "must be owner") ||
	    strstr(words, "must be superuser"))
		return HF_ERROR_DENIED;
	if (strstr(words, "terminating connection") || strstr(words, "server closed the connection"))
		return HF_ERROR_TRANSIENT;
	return HF_ERROR_FAILED;
}
