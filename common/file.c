#include "config.h"

#include "common/file.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

/* Fills buf up to size bytes; false with errno set. */
static bool
read_all(int fd, char *buf, size_t size, size_t *got_out)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, buf + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*got_out = got;
	return true;
}

bool
hf_file_read_small(const char *path, size_t limit_bytes, char **text_out, size_t *len_out, GError **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len = 0;
	bool ok;

	if (fd < 0)
		return hf_error_errno(error, "open \"%s\"", path);
	text = g_malloc0(limit_bytes + 2);
	ok = read_all(fd, text, limit_bytes + 1, &len);
	if (!ok)
		hf_error_errno(error, "read \"%s\"", path);
	else if (len > limit_bytes)
		ok = hf_error_set(error, HF_ERROR_USAGE,
				  "\"%s\" has more than %zu bytes: is it the right file?", path, limit_bytes);
	close(fd);
	if (!ok) {
		OPENSSL_cleanse(text, limit_bytes + 2);
		g_free(text);
		return false;
	}
	*text_out = text;
	*len_out = len;
	return true;
}
