#include "config.h"

#include "auth/bearer.h"
#include "auth/internal.h"
#include "common/error.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 32 random bytes, in hexadecimal digits and a line end. */
#define RANDOM_BYTES 32
#define TOKEN_LEN (2 * RANDOM_BYTES)

/* NOT_FOUND where there is none yet. */
static bool
check_mode(const char *path, GError **error)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return hf_error_errno(error, "internal token \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return hf_error_set(error, HF_ERROR_DENIED, "internal token \"%s\" is no file: remove it",
				    path);
	return (st.st_mode & 077) == 0 ||
	       hf_error_set(error, HF_ERROR_DENIED,
			    "internal token \"%s\" may be read by others: remove it, and a new one is made",
			    path);
}

static HfSecret *
read_token(const char *path, GError **error)
{
	HfSecret *token = NULL;
	char *text;
	size_t len;

	if (!check_mode(path, error) || !hf_file_read_small(path, HF_SECRET_BYTES_MAX, &text, &len, error))
		return NULL;
	if (len != TOKEN_LEN + 1 || text[TOKEN_LEN] != '\n')
		hf_error_set(error, HF_ERROR_CORRUPT,
			     "internal token \"%s\" is damaged: remove it, and a new one is made", path);
	else
		token = hf_secret_new(text, TOKEN_LEN, "internal token", error);
	OPENSSL_cleanse(text, len);
	g_free(text);
	return token;
}

static bool
write_random(int fd, const char *path, GError **error)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[RANDOM_BYTES];
	char text[TOKEN_LEN + 1];
	bool is_written;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return hf_error_set(error, HF_ERROR_FAILED, "the system gives no random numbers");
	for (size_t i = 0; i < sizeof bytes; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[TOKEN_LEN] = '\n';
	is_written = write(fd, text, sizeof text) == (ssize_t)sizeof text && fsync(fd) == 0;
	OPENSSL_cleanse(bytes, sizeof bytes);
	OPENSSL_cleanse(text, sizeof text);
	return is_written || hf_error_errno(error, "write \"%s\"", path);
}

/* Whole before it has its name, so that nobody reads half of it; who comes second finds the first one's. */
static bool
make_token(const char *folder, const char *path, GError **error)
{
	g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
	bool is_good;
	int fd;

	if (g_mkdir_with_parents(folder, 0700) != 0)
		return hf_error_errno(error, "BACKUP_STATE_DIR \"%s\"", folder);
	fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return hf_error_errno(error, "internal token \"%s\"", path);
	is_good = write_random(fd, temporary, error);
	close(fd);
	if (is_good && link(temporary, path) != 0 && errno != EEXIST)
		is_good = hf_error_errno(error, "internal token \"%s\"", path);
	(void)unlink(temporary);
	return is_good;
}

static HfSecret *
kept_token(const char *folder, GError **error)
{
	g_autofree char *path = g_build_filename(folder, "internal-token", NULL);
	g_autoptr(GError) missing = NULL;
	HfSecret *token = read_token(path, &missing);

	if (token)
		return token;
	if (!hf_error_is(missing, HF_ERROR_NOT_FOUND)) {
		g_propagate_error(error, g_steal_pointer(&missing));
		return NULL;
	}
	return make_token(folder, path, error) ? read_token(path, error) : NULL;
}

HfSecret *
hf_internal_token(const HfSettings *settings, GError **error)
{
	const HfSecret *given = hf_settings_secret(settings, HF_SET_INTERNAL_TOKEN);
	const char *folder = hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR);

	if (given && hf_secret_len(given) < HF_BEARER_LEN_MIN)
		hf_error_set(error, HF_ERROR_USAGE, "INTERNAL_TOKEN: %d letters or more are wanted",
			     HF_BEARER_LEN_MIN);
	else if (given)
		return hf_secret_copy(given);
	else if (!folder)
		hf_error_set(error, HF_ERROR_USAGE,
			     "no place for the internal token: set BACKUP_STATE_DIR, or INTERNAL_TOKEN");
	else
		return kept_token(folder, error);
	return NULL;
}
