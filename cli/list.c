#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/replicas.h"
#include "cli/text.h"
#include "common/clock.h"

static struct {
	char *from;
} given;

static const char *
status_word(const HfSet *set)
{
	if (set->is_damaged)
		return "damaged";
	if (set->is_adopted)
		return "adopted";
	return set->status == HF_SET_COMPLETE ? "complete" : "partial";
}

/* What somebody has to look at goes before what was stored. */
static const char *
standing_word(const HfSet *set)
{
	if (set->is_accepted)
		return "accepted";
	return set->is_suspect ? "suspect" : status_word(set);
}

/* What a person should know of it beside its state; g_free() it. */
static char *
remark(const HfSet *set)
{
	const char *why = set->is_suspect && !set->is_accepted ? set->suspect_reason : NULL;
	g_autofree char *held = NULL;

	if (set->trouble)
		return g_strdup(set->trouble);
	if (!set->is_held)
		return g_strdup(why ? why : "");
	held = g_strconcat("held", set->hold_reason ? ": " : NULL, set->hold_reason, NULL);
	return why ? g_strconcat(held, "; ", why, NULL) : g_steal_pointer(&held);
}

/* A column only where something is, or should be, signed. */
static bool
has_signatures(const GPtrArray *sets, const HfStore *store)
{
	bool any = hf_keyring_trusted(hf_store_keyring(store)) != NULL;

	for (guint i = 0; i < sets->len; i++)
		any = any || ((const HfSet *)sets->pdata[i])->is_signed != HF_SIGNED_NO;
	return any;
}

static void
add_row(HfGrid *grid, const HfSet *set, bool wants_signed)
{
	g_autofree char *size = hf_text_bytes(set->bytes);
	g_autofree char *age = hf_text_age(set->started_s, hf_clock_now_s());
	g_autofree char *note = remark(set);
	bool is_known = !set->is_damaged;
	const char *kind = is_known && set->kind ? set->kind : "-";
	const char *level = is_known ? hf_text_level(set->level) : "-";
	const char *is_signed = set->is_adopted ? "-" : hf_signed_word(set->is_signed);
	const char *const cells[] = {set->id,
				     kind,
				     level,
				     standing_word(set),
				     is_known ? size : "-",
				     set->started_s > 0 ? age : "-",
				     note,
				     NULL};
	const char *const with_signed[] = {cells[0], cells[1], cells[2], cells[3], is_signed,
					   cells[4], cells[5], cells[6], NULL};

	hf_grid_add(grid, wants_signed ? with_signed : cells);
}

static HfGrid *
make_grid(bool wants_signed)
{
	static const char *const cells[] = {"SET", "KIND", "LEVEL", "STATUS", "SIZE", "AGE", "", NULL};
	static const char *const with_signed[] = {"SET",  "KIND", "LEVEL", "STATUS", "SIGNED",
						  "SIZE", "AGE",  "",      NULL};
	HfGrid *grid = hf_grid_new(wants_signed ? "lllllrrl" : "llllrrl");

	hf_grid_add(grid, wants_signed ? with_signed : cells);
	return grid;
}

static void
tell_set(HfJson *sets, const HfSet *set)
{
	HfJson *row = json_object_new_object();
	g_autofree char *started = hf_clock_rfc3339(set->started_s);

	hf_json_add_text(row, "set", set->id);
	hf_json_add_text(row, "kind", set->kind);
	hf_json_add_number(row, "level", (uint64_t)MAX(set->level, 0));
	hf_json_add_text(row, "proof", hf_text_level(set->level));
	hf_json_add_text(row, "status", status_word(set));
	hf_json_add_number(row, "bytes", set->bytes);
	hf_json_add_text(row, "started", set->started_s > 0 ? started : NULL);
	hf_json_add_text(row, "trouble", set->trouble);
	hf_json_add_flag(row, "suspect", set->is_suspect);
	hf_json_add_bytes(row, "suspect_reason", set->suspect_reason);
	hf_json_add_flag(row, "accepted", set->is_accepted);
	if (set->failed_level > 0)
		hf_json_add_number(row, "failed_level", (uint64_t)set->failed_level);
	hf_json_add_text(row, "file", set->file_key);
	hf_json_add_text(row, "signed", set->is_adopted ? NULL : hf_signed_word(set->is_signed));
	hf_json_add_flag(row, "held", set->is_held);
	hf_json_add_bytes(row, "hold_reason", set->hold_reason);
	json_object_array_add(sets, row);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = hf_store_open_from(cli->settings, given.from, error);
	g_autoptr(GPtrArray) sets = store ? hf_catalog_list(store, error) : NULL;
	g_autoptr(HfGrid) grid = NULL;
	g_autofree char *text = NULL;
	bool wants_signed;
	HfJson *rows;

	(void)arguments;
	if (!sets)
		return false;
	wants_signed = has_signatures(sets, store);
	grid = make_grid(wants_signed);
	rows = json_object_new_array();
	hf_json_add_text(cli->reply, "store", hf_store_location(store));
	hf_json_add(cli->reply, "sets", rows);
	for (guint i = 0; i < sets->len; i++) {
		add_row(grid, sets->pdata[i], wants_signed);
		tell_set(rows, sets->pdata[i]);
	}
	text = hf_grid_to_text(grid);
	if (sets->len > 0)
		hf_cli_say(cli, "%s", text);
	else
		hf_cli_say(cli, "no backup yet in %s: \"holdfast backup database\" makes the first\n",
			   hf_store_location(store));
	return true;
}

static GOptionEntry options[] = {HF_FROM_OPTION(&given.from), {0}};

const HfCommand hf_command_list = {
	"list",
	"",
	0,
	0,
	"list the backup sets, the newest last",
	"Prints a line for each set: its id, what it holds, how far it was proved (unverified, stored, "
	"read, restored, equal), what it takes in the store, and whether it is held. A set whose manifest "
	"cannot "
	"be read is listed as damaged, with the reason, and one that lost something or failed a proof as "
	"suspect "
	"(\"holdfast accept\"). Where manifests are signed, a column says whether the signature was checked "
	"and is "
	"right (yes), is missing (no), is wrong (bad), or could not be checked without SIGNING_PUBLIC_KEYS "
	"(unchecked).",
	options,
	false,
	run};
