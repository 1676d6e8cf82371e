#include "config.h"

#include "backup/job/audit.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#define LISTED_DEFAULT 20
#define LISTED_MAX (2 * HF_AUDIT_KEPT)

static struct {
	gboolean wants_changes, wants_refused;
	gint limit;
} given = {.limit = LISTED_DEFAULT};

static const char *
or_dash(const char *text)
{
	return text && *text ? text : "-";
}

static HfJson *
entry_to_json(const HfAuditEntry *entry)
{
	HfJson *object = json_object_new_object();
	g_autofree char *at = hf_clock_rfc3339(entry->at_s);

	hf_json_add_text(object, "at", at);
	hf_json_add_text(object, "who", entry->who);
	hf_json_add_text(object, "method", entry->method);
	hf_json_add_text(object, "path", entry->path);
	hf_json_add_number(object, "status", (uint64_t)MAX(entry->status, 0));
	hf_json_add_text(object, "what", entry->what);
	hf_json_add_text(object, "peer", entry->peer);
	hf_json_add_text(object, "request", entry->request_id);
	return object;
}

static void
add_row(HfGrid *grid, const HfAuditEntry *entry)
{
	g_autofree char *at = hf_clock_rfc3339(entry->at_s);
	g_autofree char *status = g_strdup_printf("%d", entry->status);
	g_autofree char *call = g_strdup_printf("%s %s", or_dash(entry->method), or_dash(entry->path));

	hf_grid_add(grid, (const char *const[]){at, or_dash(entry->who), or_dash(entry->peer), status, call,
						entry->what ? entry->what : ""});
}

static bool
check_given(GError **error)
{
	if (given.wants_changes && given.wants_refused)
		return hf_error_set(error, HF_ERROR_USAGE, "--changes and --refused exclude each other");
	if (given.limit < 1 || given.limit > LISTED_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "--limit %d: 1 to %d is wanted", given.limit,
				    LISTED_MAX);
	return true;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	HfAuditKind kind = given.wants_changes   ? HF_AUDIT_CHANGES
			   : given.wants_refused ? HF_AUDIT_REFUSED
						 : HF_AUDIT_ALL;
	g_autoptr(HfGrid) grid = hf_grid_new("lllrll");
	g_autoptr(HfState) state = NULL;
	g_autoptr(GPtrArray) entries = NULL;
	g_autofree char *text = NULL;
	HfJson *calls;

	(void)arguments;
	if (!check_given(error))
		return false;
	state = hf_state_open(hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR), error);
	entries = state ? hf_audit_list(state, kind, 0, (unsigned)given.limit, error) : NULL;
	if (!entries)
		return false;
	calls = json_object_new_array();
	hf_json_add(cli->reply, "calls", calls);
	hf_grid_add(grid, (const char *const[]){"AT", "WHO", "FROM", "STATUS", "CALL", ""});
	for (guint i = 0; i < entries->len; i++) {
		add_row(grid, entries->pdata[i]);
		json_object_array_add(calls, entry_to_json(entries->pdata[i]));
	}
	text = hf_grid_to_text(grid);
	hf_cli_say(cli, "%s", entries->len > 0 ? text : "no such call yet on this host\n");
	return true;
}

static GOptionEntry options[] = {
	{"changes", 0, 0, G_OPTION_ARG_NONE, &given.wants_changes,
	 "Only calls that asked for a change and were let in", NULL},
	{"refused", 0, 0, G_OPTION_ARG_NONE, &given.wants_refused,
	 "Only calls that were refused for their token, or for their number", NULL},
	{"limit", 0, 0, G_OPTION_ARG_INT, &given.limit, "List so many, the newest (20)", "N"},
	{0}};

const HfCommand hf_command_audit = {
	"audit",
	"",
	0,
	0,
	"list who asked the service for what, and what was answered",
	"Lists the newest calls of the API on this host: when, the token's subject, the client's address, "
	"the "
	"status that was "
	"answered, the call, and what came of it (a job, or why it was refused).\n\n"
	"Kept are the newest 10,000 calls that asked for a change and were let in, and the newest 10,000 of "
	"all others, in "
	"BACKUP_STATE_DIR. What is done on a shell is in \"holdfast jobs\".",
	options,
	false,
	run};
