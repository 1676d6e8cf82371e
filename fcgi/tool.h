/*
 * fcgi/tool.h -- the `holdfast` program as a child: what needs the store or the engine is done there, not in a worker.
 *
 * So a worker stays small whatever the store does, and a crash in the engine takes no worker with it.  The child gets our
 * environment, since settings live there, but not the keys of the API.
 */
#pragma once

#include "common/child.h"
#include "common/json.h"

typedef struct {
	char *program;  /* a path */
	char *env_file; /* NULL: none was named */
	char **environment;
} HfTool;

/* program NULL: "holdfast" beside our own executable. */
HfTool *hf_tool_new(const char *program, const char *env_file);
void hf_tool_free(HfTool *tool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfTool, hf_tool_free)

/*
 * Runs `holdfast WORDS... --json` to its end and gives the JSON object that it printed, which is at most 4 MiB.  Where it
 * failed the error is the one that it told, with its code.  words is closed by NULL; what a client sent may stand in
 * them only behind "--" or "--option=".
 */
HfJson *hf_tool_run(const HfTool *tool, const char *const *words, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for JSON lines: the last one is the reply, *lines_out gets the others as an array. */
HfJson *hf_tool_run_lines(const HfTool *tool, const char *const *words, HfJson **lines_out,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Starts `holdfast WORDS...` whose output is bytes: the caller reads them, waits, and frees. */
HfChild *hf_tool_start(const HfTool *tool, const char *const *words,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
