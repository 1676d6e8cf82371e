#include "config.h"

#include "common/log.h"
#include "common/clock.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "Return to the first column, erase to the end of the line" (ECMA-48, EL). */
#define ERASE_LINE "\r\033[K"

static GMutex lock;
static HfLogLevel wanted = HF_LOG_NORMAL;
static int copy_fd = -1; /* guarded by lock */
static char *status;     /* what stands in the status line, or NULL */

char *
hf_log_one_line(const char *text)
{
	char *line = g_strchomp(g_utf8_make_valid(text, -1));

	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return line;
}

static bool
is_wanted(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
		return true;
	return wanted == HF_LOG_VERBOSE || (wanted == HF_LOG_NORMAL && (level & G_LOG_LEVEL_MESSAGE));
}

static const char *
word_of(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return "error";
	if (level & G_LOG_LEVEL_WARNING)
		return "warning";
	return level & G_LOG_LEVEL_MESSAGE ? "notice" : "info";
}

static void
write_line(GLogLevelFlags level, const char *text)
{
	g_autofree char *line = hf_log_one_line(text);
	g_autofree char *time = hf_clock_rfc3339(hf_clock_now_s());

	g_mutex_lock(&lock);
	if (copy_fd >= 0)
		(void)dprintf(copy_fd, "%s %s: %s\n", time, word_of(level), line);
	if (!isatty(STDERR_FILENO))
		fprintf(stderr, "%s %s: %s\n", time, word_of(level), line);
	else
		fprintf(stderr, "%sholdfast: %s%s\n%s", status ? ERASE_LINE : "",
			level & G_LOG_LEVEL_WARNING ? "warning: " : "", line, status ? status : "");
	fflush(stderr);
	g_mutex_unlock(&lock);
}

static const char *
message_of(const GLogField *fields, gsize count)
{
	for (gsize i = 0; i < count; i++)
		if (strcmp(fields[i].key, "MESSAGE") == 0)
			return fields[i].value;
	return "";
}

static GLogWriterOutput
on_log(GLogLevelFlags level, const GLogField *fields, gsize count, gpointer data)
{
	(void)data;
	if (is_wanted(level))
		write_line(level, message_of(fields, count));
	return G_LOG_WRITER_HANDLED;
}

void
hf_log_install(HfLogLevel level)
{
	static gsize is_installed;

	wanted = level;
	if (g_once_init_enter(&is_installed)) {
		g_log_set_writer_func(on_log, NULL, NULL);
		g_once_init_leave(&is_installed, 1);
	}
}

void
hf_log_set_status(const char *line)
{
	g_mutex_lock(&lock);
	if (status || line)
		fprintf(stderr, ERASE_LINE "%s", line ? line : "");
	g_free(status);
	status = g_strdup(line);
	fflush(stderr);
	g_mutex_unlock(&lock);
}

void
hf_log_set_copy(int fd)
{
	g_mutex_lock(&lock);
	copy_fd = fd;
	g_mutex_unlock(&lock);
}

void
hf_log_copy(const char *text)
{
	g_mutex_lock(&lock);
	if (copy_fd >= 0)
		(void)!write(copy_fd, text, strlen(text));
	g_mutex_unlock(&lock);
}
