#include "config.h"

#include "backup/age/base64.h"

#include <string.h>

char *
hf_age_base64(const uint8_t *bytes, size_t len)
{
	char *text = g_base64_encode(bytes, len);

	text[strcspn(text, "=")] = 0;
	return text;
}

/* GLib's decoder passes over what is no letter, so what it gave is spelled again and compared. */
bool
hf_age_unbase64(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	g_autofree char *padded = NULL;
	g_autofree guchar *bytes = NULL;
	g_autofree char *again = NULL;
	gsize got = 0;

	if (text_len != (len * 4 + 2) / 3)
		return false;
	padded = g_strdup_printf("%.*s%s", (int)text_len, text, &"==="[text_len % 4 ? text_len % 4 - 1 : 3]);
	bytes = g_base64_decode(padded, &got);
	if (got != len)
		return false;
	again = hf_age_base64(bytes, len);
	if (strlen(again) != text_len || memcmp(again, text, text_len) != 0)
		return false;
	memcpy(out, bytes, len);
	return true;
}
