#include "config.h"

#include "backup/verify/drill-impl.h"
#include "common/error.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum {
	ALWAYS = 1 << 0,
	DATABASE = 1 << 1,
	IMAGES = 1 << 2,
	BUCKET = 1 << 3,
	GZIP = 1 << 4,
	ZSTD = 1 << 5,
	AGE = 1 << 6,
} When;

/* All that RESTORE.txt calls (backup/catalog/restore-txt.c), and the package of each in Debian. */
static const struct {
	const char *name;
	When when;
	const char *package;
} tools[] = {
	{"sh", ALWAYS, "dash"},
	{"cat", ALWAYS, "coreutils"},
	{"dirname", ALWAYS, "coreutils"},
	{"mktemp", ALWAYS, "coreutils"},
	{"rm", ALWAYS, "coreutils"},
	{"sha256sum", ALWAYS, "coreutils"},
	{"ls", IMAGES, "coreutils"},
	{"mkdir", IMAGES, "coreutils"},
	{"tar", IMAGES, "tar"},
	{"xargs", IMAGES, "findutils"},
	{"find", IMAGES, "findutils"},
	{"gunzip", GZIP, "gzip"},
	{"gzip", GZIP, "gzip"},
	{"zstd", ZSTD, "zstd"},
	{"age", AGE, "age"},
	{"createdb", DATABASE, "postgresql-client"},
	{"psql", DATABASE, "postgresql-client"},
	{"aws", BUCKET, "awscli"},
};

static When
whens(const HfDrillNeeds *needs)
{
	return ALWAYS | (needs->has_database ? DATABASE : 0) | (needs->has_images ? IMAGES : 0) |
	       (needs->is_bucket ? BUCKET : 0) | (needs->needs_gzip ? GZIP : 0) |
	       (needs->needs_zstd ? ZSTD : 0) | (needs->needs_age ? AGE : 0);
}

static char *
find_tool(size_t i, const HfDrillNeeds *needs)
{
	g_autofree char *path = NULL;

	if (!(tools[i].when & DATABASE))
		return g_find_program_in_path(tools[i].name);
	path = g_build_filename(needs->bin_dir, tools[i].name, NULL);
	return g_file_test(path, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&path) : NULL;
}

/* awscli is a script with helpers of its own, wherever it was installed from: it alone keeps our PATH. */
static bool
wrap(const char *path, const char *link_path, GError **error)
{
	g_autofree char *ours = g_shell_quote(g_getenv("PATH") ? g_getenv("PATH") : "/usr/bin:/bin");
	g_autofree char *quoted = g_shell_quote(path);
	g_autofree char *text = g_strdup_printf("#!/bin/sh\nPATH=%s exec %s \"$@\"\n", ours, quoted);

	return (g_file_set_contents(link_path, text, -1, NULL) && chmod(link_path, 0755) == 0) ||
	       hf_error_errno(error, "write \"%s\"", link_path);
}

static bool
put_tool(size_t i, const char *path, const char *link_path, GError **error)
{
	if (tools[i].when & BUCKET)
		return wrap(path, link_path, error);
	return symlink(path, link_path) == 0 || hf_error_errno(error, "link \"%s\"", link_path);
}

bool
hf_drill_tools(const char *folder, const HfDrillNeeds *needs, GError **error)
{
	g_autoptr(GString) missing = g_string_new(NULL);

	if (mkdir(folder, 0755) != 0)
		return hf_error_errno(error, "make \"%s\"", folder);
	for (size_t i = 0; i < G_N_ELEMENTS(tools); i++) {
		g_autofree char *link_path = g_build_filename(folder, tools[i].name, NULL);
		g_autofree char *path = NULL;

		if (!(tools[i].when & whens(needs)))
			continue;
		path = find_tool(i, needs);
		if (!path)
			g_string_append_printf(missing, "%s%s (package %s)", missing->len ? ", " : "",
					       tools[i].name, tools[i].package);
		if (path && !put_tool(i, path, link_path, error))
			return false;
	}
	return missing->len == 0 ||
	       hf_error_set(error, HF_ERROR_NOT_FOUND, "RESTORE.txt takes what is not installed here: %s",
			    missing->str);
}
