#include "config.h"

#include "auth/base64url.h"

#include <string.h>

static int
value_of(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a' + 26;
	if (letter >= '0' && letter <= '9')
		return letter - '0' + 52;
	return letter == '-' ? 62 : letter == '_' ? 63 : -1;
}

/* g_base64_decode() skips letters that it does not know and has the other alphabet. */
unsigned char *
hf_base64url_decode(const char *text, size_t len, size_t *len_out)
{
	g_autofree unsigned char *bytes = g_malloc(len / 4 * 3 + 4);
	size_t used = 0;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < len; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return NULL;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[used++] = (unsigned char)(bits >> held);
		}
	}
	if (held >= 6 || (bits & ((1U << held) - 1)) != 0)
		return NULL;
	bytes[used] = 0;
	*len_out = used;
	return g_steal_pointer(&bytes);
}

char *
hf_base64url_encode(const void *bytes, size_t len)
{
	char *text = g_base64_encode(bytes, len);

	text[strcspn(text, "=")] = 0;
	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	return text;
}
