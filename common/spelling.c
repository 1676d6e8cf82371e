#include "config.h"

#include "common/spelling.h"

#include <glib.h>
#include <string.h>

#define NAME_BYTES_MAX 64
#define LONG_NAME_BYTES 10
#define SHORT_NAME_BYTES 4

static unsigned
cell(unsigned (*rows)[NAME_BYTES_MAX + 1], const char *a, const char *b, size_t i, size_t j)
{
	unsigned replaced = rows[1][j - 1] + (a[i - 1] != b[j - 1]);
	unsigned best = MIN(replaced, MIN(rows[1][j], rows[2][j - 1]) + 1);

	if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
		best = MIN(best, rows[0][j - 2] + 1);
	return best;
}

unsigned
hf_spelling_distance(const char *a, const char *b, unsigned limit)
{
	unsigned rows[3][NAME_BYTES_MAX + 1]; /* the row before the last, the last, and this one */
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > NAME_BYTES_MAX || b_len > NAME_BYTES_MAX || MAX(a_len, b_len) - MIN(a_len, b_len) > limit)
		return limit + 1;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = rows[2][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		memcpy(rows[0], rows[1], sizeof rows[0]);
		memcpy(rows[1], rows[2], sizeof rows[1]);
		rows[2][0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++)
			rows[2][j] = cell(rows, a, b, i, j);
	}
	return MIN(rows[2][b_len], limit + 1);
}

/* The name without its digits, in buf. */
static const char *
letters(const char *name, char buf[NAME_BYTES_MAX + 1])
{
	size_t len = 0;

	for (; *name && len < NAME_BYTES_MAX; name++)
		if (!g_ascii_isdigit(*name))
			buf[len++] = *name;
	buf[len] = 0;
	return buf;
}

bool
hf_spelling_is_near(const char *typed, const char *known)
{
	unsigned limit = strlen(known) >= LONG_NAME_BYTES ? 2 : 1;
	char a[NAME_BYTES_MAX + 1], b[NAME_BYTES_MAX + 1];

	/* Every second name is one letter away from TZ. */
	if (strlen(known) < SHORT_NAME_BYTES)
		return false;
	if (hf_spelling_distance(typed, known, limit) > limit)
		return false;
	return strcmp(letters(typed, a), letters(known, b)) != 0;
}
