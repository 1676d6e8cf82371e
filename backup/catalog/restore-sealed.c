#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/restore-txt-impl.h"
#include "backup/catalog/restore-txt.h"

/* The place of this file is $0 in the encrypted text as well, since the same shell runs it. */
#define RUN \
	"\n" \
	"set -eu\n" \
	"RESTORE_IDENTITY=${RESTORE_IDENTITY:-}\n" \
	"%s" \
	"\n" \
	"sum=$(fetch \"$text\" | sha256sum)\n" \
	"if [ \"${sum%%%% *}\" != \"$digest\" ]; then\n" \
	"\techo \"$text is missing or damaged: its SHA-256 is not $digest\" >&2\n" \
	"\texit 1\n" \
	"fi\n" \
	"commands=$(fetch \"$text\" | age -d ${RESTORE_IDENTITY:+-i \"$RESTORE_IDENTITY\"}) || {\n" \
	"\techo \"decrypting $text failed\" >&2\n" \
	"\texit 1\n" \
	"}\n" \
	"# A copy of it in another place is run from there.\n" \
	"place=said\n" \
	"eval \"$commands\"\n"

GBytes *
hf_restore_txt_sealed(const HfStore *store, const char *id, GBytes *sealed)
{
	g_autofree char *own = hf_name_restore(id);
	g_autofree char *text = hf_name_restore_sealed(id);
	g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, sealed);
	g_autoptr(GString) fetch = g_string_new(NULL);
	GString *out = g_string_new("#!/bin/sh\n");
	gsize len;

	hf_restore_put_fetch(fetch, store, HF_RESTORE_BESIDE);
	g_string_append_printf(out,
			       "# Backup set %s.  What is in it, how to restore it with stock tools alone, "
			       "and the commands\n"
			       "# for it are encrypted: they tell names.  To read them:\n"
			       "#\n"
			       "#   age -d -i KEY %s\n"
			       "#\n"
			       "# KEY is the file with the secret key (AGE-SECRET-KEY-1...); where it was a "
			       "passphrase leave\n"
			       "# out -i KEY, and age asks.  This text is also a shell script that does "
			       "this, and restores:\n"
			       "#\n"
			       "#   RESTORE_IDENTITY=KEY sh %s\n"
			       "#\n"
			       "# It needs age and sha256sum, and what the encrypted text says.\n"
			       "\n"
			       "text=%s\n"
			       "digest=%s\n",
			       id, text, own, text, digest);
	g_string_append_printf(out, RUN, fetch->str);
	len = out->len;
	return g_bytes_new_take(g_string_free(out, FALSE), len);
}
