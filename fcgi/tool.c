#include "config.h"

#include "common/error.h"
#include "fcgi/deadline.h"
#include "fcgi/tool.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Somebody waits for the reply, and a worker is held meanwhile. */
#define PATIENCE_S 120

/* What a child prints is held: a manifest, or a page of images. */
#define OUTPUT_MAX ((size_t)4 << 20)

extern char **environ;

/* Not for a child that only reads or changes the store.  And somebody waits: two tries are enough. */
static char **
make_environment(void)
{
	static const char *const kept_back[] = {"JWT_", "INTERNAL_TOKEN", "FCGI_"};
	g_auto(GStrv) all = g_strdupv(environ);
	g_autoptr(GPtrArray) some = g_ptr_array_new();

	for (char **variable = all; *variable; variable++) {
		bool is_kept_back = !strchr(*variable, '=') || g_str_has_prefix(*variable, "S3_TRIES=");

		for (size_t i = 0; i < G_N_ELEMENTS(kept_back); i++)
			is_kept_back = is_kept_back || g_str_has_prefix(*variable, kept_back[i]);
		if (!is_kept_back)
			g_ptr_array_add(some, g_strdup(*variable));
	}
	g_ptr_array_add(some, g_strdup("S3_TRIES=2"));
	g_ptr_array_add(some, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&some), FALSE);
}

static char *
find_program(void)
{
	g_autofree char *own = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(own ? own : ".");

	return g_build_filename(folder, "holdfast", NULL);
}

HfTool *
hf_tool_new(const char *program, const char *env_file)
{
	HfTool *tool = g_new0(HfTool, 1);

	tool->program = program ? g_strdup(program) : find_program();
	tool->env_file = g_strdup(env_file);
	tool->environment = make_environment();
	return tool;
}

void
hf_tool_free(HfTool *tool)
{
	if (!tool)
		return;
	g_free(tool->program);
	g_free(tool->env_file);
	g_strfreev(tool->environment);
	g_free(tool);
}

/* The words of "code" that the command line prints (cli/main.c). */
static HfError
code_of(const char *word)
{
	static const struct {
		const char *word;
		HfError code;
	} codes[] = {
		{"usage", HF_ERROR_USAGE},         {"transient", HF_ERROR_TRANSIENT},
		{"not_found", HF_ERROR_NOT_FOUND}, {"denied", HF_ERROR_DENIED},
		{"conflict", HF_ERROR_CONFLICT},   {"corrupt", HF_ERROR_CORRUPT},
		{"cancelled", HF_ERROR_CANCELLED},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
		if (g_strcmp0(codes[i].word, word) == 0)
			return codes[i].code;
	return HF_ERROR_FAILED;
}

static HfChild *
start(const HfTool *tool, const char *const *words, bool wants_json, GError **error)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) argv = NULL;

	g_strv_builder_add(builder, tool->program);
	if (tool->env_file) {
		g_strv_builder_add(builder, "--env-file");
		g_strv_builder_add(builder, tool->env_file);
	}
	if (wants_json)
		g_strv_builder_add(builder, "--json");
	for (; *words; words++)
		g_strv_builder_add(builder, *words);
	argv = g_strv_builder_end(builder);
	return hf_child_spawn(&(HfChildOptions){.argv = (const char *const *)argv,
						.env = (const char *const *)tool->environment,
						.pipes = HF_CHILD_STDOUT},
			      error);
}

HfChild *
hf_tool_start(const HfTool *tool, const char *const *words, GError **error)
{
	return start(tool, words, false, error);
}

static bool
read_pieces(HfChild *child, GString *output, GError **error)
{
	char piece[PIPE_BUF];
	size_t got;

	do {
		if (!hf_child_read(child, piece, sizeof piece, &got, error))
			return false;
		if (output->len + got > OUTPUT_MAX)
			return hf_error_set(error, HF_ERROR_FAILED,
					    "the reply is larger than %zu MiB: use \"holdfast\" on the host",
					    OUTPUT_MAX >> 20);
		g_string_append_len(output, piece, (gssize)got);
	} while (got > 0);
	return true;
}

static bool
read_all(HfChild *child, GString *output, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	bool is_read;

	hf_deadline_cancel(PATIENCE_S);
	is_read = read_pieces(child, output, &trouble);
	if (hf_deadline_clear())
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "it took longer than %d seconds: is the store slow?", PATIENCE_S);
	if (!is_read)
		g_propagate_error(error, g_steal_pointer(&trouble));
	return is_read;
}

/* The reply says itself whether it is good; a child that printed none is judged by its exit. */
static bool
judge(HfChild *child, HfJson *reply, GError **error)
{
	g_autoptr(GError) ended = NULL;
	const char *text = NULL;
	const char *code = NULL;
	HfJson *success = NULL;

	if (!hf_child_wait(child, &ended) && !reply) {
		g_propagate_error(error, g_steal_pointer(&ended));
		return false;
	}
	if (reply && json_object_object_get_ex(reply, "success", &success) &&
	    json_object_get_boolean(success))
		return true;
	if (!hf_json_find_text(reply, "error", &text, NULL) || !text)
		return hf_error_set(error, HF_ERROR_FAILED, "holdfast: %s",
				    ended ? ended->message : "it printed no reply");
	(void)hf_json_find_text(reply, "code", &code, NULL);
	return hf_error_set(error, code_of(code), "%s", text);
}

HfJson *
hf_tool_run(const HfTool *tool, const char *const *words, GError **error)
{
	g_autoptr(HfChild) child = start(tool, words, true, error);
	g_autoptr(GString) output = g_string_new(NULL);
	g_autoptr(HfJson) reply = NULL;

	if (!child || !read_all(child, output, error))
		return NULL;
	reply = hf_json_parse(output->str, output->len, NULL);
	return judge(child, reply, error) ? g_steal_pointer(&reply) : NULL;
}

/* One after the other, so that the text and its objects are never held as a whole twice. */
static HfJson *
split_lines(GString *output, HfJson *lines)
{
	HfJson *last = NULL;
	char *line = output->str;

	while (line && *line) {
		char *end = strchr(line, '\n');
		HfJson *object = hf_json_parse(line, end ? (size_t)(end - line) : strlen(line), NULL);

		if (last)
			json_object_array_add(lines, last);
		last = object;
		line = end ? end + 1 : NULL;
	}
	return last;
}

HfJson *
hf_tool_run_lines(const HfTool *tool, const char *const *words, HfJson **lines_out, GError **error)
{
	g_autoptr(HfChild) child = start(tool, words, true, error);
	g_autoptr(GString) output = g_string_new(NULL);
	g_autoptr(HfJson) lines = json_object_new_array();
	g_autoptr(HfJson) reply = NULL;

	if (!child || !read_all(child, output, error))
		return NULL;
	reply = split_lines(output, lines);
	if (!judge(child, reply, error))
		return NULL;
	*lines_out = g_steal_pointer(&lines);
	return g_steal_pointer(&reply);
}
