#include "config.h"

#include "backup/catalog/catalog.h"
#include "backup/catalog/image-view.h"
#include "backup/catalog/reference-list.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/outcome.h"
#include "cli/proof.h"
#include "cli/replicas.h"
#include "cli/text.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"

static struct {
	gboolean wants_tables, wants_objects, wants_references;
	char *prefix, *after, *from;
	int limit; /* 0: none */
} given;

static void
say_archive(const HfCli *cli, const char *what, const HfArchive *archive)
{
	for (guint i = 0; archive && i < archive->parts->len; i++) {
		const HfPart *part = archive->parts->pdata[i];
		g_autofree char *bytes = hf_text_bytes(part->bytes);

		hf_cli_say(cli, "%-9s %s  %s\n", i == 0 ? what : "", part->key, bytes);
	}
}

static void
say_database(const HfCli *cli, const HfDatabaseRecord *database)
{
	g_autofree char *tables = hf_text_count(database->tables);
	g_autofree char *rows = hf_text_count(database->rows);
	g_autofree char *plain = hf_text_bytes(database->archive->plain_bytes);

	hf_cli_say(cli, "database  %s%s%s: %s tables, %s rows, %s plain\n", database->name ? "\"" : "",
		   database->name ? database->name : "?", database->name ? "\"" : "", tables, rows, plain);
	if (database->server_version)
		hf_cli_say(cli, "server    PostgreSQL %s, dumped by pg_dump %s, encoding %s\n",
			   database->server_version, database->dump_version, database->encoding);
	say_archive(cli, "dump", database->archive);
	say_archive(cli, "roles", database->globals);
	if (database->globals_absent)
		hf_cli_say(cli, "roles     not in the set: %s\n", database->globals_absent);
	say_archive(cli, "index", database->index);
}

static void
say_images(const HfCli *cli, const HfImagesRecord *images)
{
	g_autofree char *objects = hf_text_count(images->objects);
	g_autofree char *bytes = hf_text_bytes(images->bytes);

	hf_cli_say(cli, "images    %s objects, %s, of %s\n", objects, bytes,
		   images->source ? images->source : "?");
	hf_cli_say(cli,
		   "changes   %" G_GUINT64_FORMAT " added, %" G_GUINT64_FORMAT " changed, %" G_GUINT64_FORMAT
		   " deleted, %" G_GUINT64_FORMAT " unchanged, %s%s%s%s\n",
		   images->added, images->changed, images->deleted, images->unchanged,
		   images->base ? "since " : "a full run", images->base ? images->base : "",
		   images->full_reason ? ": " : "", images->full_reason ? images->full_reason : "");
	for (guint i = 0; i < images->archives->len; i++) {
		const HfImageArchive *archive = images->archives->pdata[i];

		say_archive(cli, i == 0 ? "archives" : "", archive->archive);
	}
	say_archive(cli, "index", images->index);
	say_archive(cli, "top", images->top);
	say_archive(cli, "dead", images->dead);
	for (guint i = 0; i < images->troubles->len; i++) {
		const HfImageTrouble *trouble = images->troubles->pdata[i];
		g_autofree char *key = hf_log_one_line(trouble->key);

		hf_cli_say(cli, "%-9s \"%s\" could not be read: %s\n", i == 0 ? "trouble" : "", key,
			   trouble->reason);
	}
	if (images->troubled > images->troubles->len)
		hf_cli_say(cli, "          and %" G_GUINT64_FORMAT " more: see --objects\n",
			   images->troubled - images->troubles->len);
	hf_outcome_say_references(cli, images);
}

static void
say_marks(const HfCli *cli, const HfSet *set)
{
	if (set->is_suspect)
		hf_cli_say(cli, "suspect   %s\n", set->suspect_reason);
	if (set->is_accepted)
		hf_cli_say(cli, "accepted  somebody looked and takes the set for good\n");
	else if (set->is_suspect)
		hf_cli_say(
			cli,
			"          nothing is pruned until \"holdfast accept %s\", or until it is deleted\n",
			set->id);
}

/* What the run cost: its rate, memory, requests, then its phases. */
static void
say_metrics(const HfCli *cli, const HfRunMetrics *metrics)
{
	g_autofree char *rate = hf_text_bytes(metrics->bytes_per_s);
	g_autofree char *memory = hf_text_bytes(metrics->peak_memory_bytes);
	g_autoptr(GString) phases = g_string_new(NULL);

	hf_cli_say(cli, "run       %s a second, %.1f s of processor time, %s of memory", rate,
		   (double)metrics->cpu_ms / 1000, memory);
	if (metrics->requests > 0)
		hf_cli_say(cli, ", %" G_GUINT64_FORMAT " requests, %" G_GUINT64_FORMAT " retries",
			   metrics->requests, metrics->retries);
	for (guint i = 0; i < metrics->phases->len; i++) {
		const HfRunPhase *phase = metrics->phases->pdata[i];
		g_autofree char *name = hf_log_one_line(phase->name);

		g_string_append_printf(phases, "%s%s %.1f s", i == 0 ? "" : ", ", name,
				       (double)phase->ms / 1000);
	}
	hf_cli_say(cli, "\n%-9s %s\n", "phases", phases->str);
}

static void
say_signed(const HfCli *cli, const HfSet *set)
{
	static const char *const words[] = {
		[HF_SIGNED_UNCHECKED] = "yes, but not checked: SIGNING_PUBLIC_KEYS is not set",
		[HF_SIGNED_NO] = "no",
		[HF_SIGNED_YES] = "yes, the signature is right",
		[HF_SIGNED_BAD] = "the signature is WRONG",
	};

	if (!set->is_adopted)
		hf_cli_say(cli, "signed    %s\n", words[set->is_signed]);
}

static void
say_set(const HfCli *cli, const HfSet *set)
{
	const HfManifest *manifest = set->manifest;
	g_autofree char *started = hf_clock_rfc3339(set->started_s);
	g_autofree char *bytes = hf_text_bytes(set->bytes);

	hf_cli_say(cli, "set       %s (%s)\n", set->id, set->kind);
	hf_cli_say(cli, "status    %s, level %d %s\n",
		   set->is_adopted                  ? "adopted: made without a manifest"
		   : set->status == HF_SET_COMPLETE ? "complete"
						    : "partial",
		   set->level, hf_text_level(set->level));
	say_signed(cli, set);
	say_marks(cli, set);
	if (manifest->note)
		hf_cli_say(cli, "note      %s\n", manifest->note);
	if (set->is_held)
		hf_cli_say(cli, "held      %s\n",
			   set->hold_reason ? set->hold_reason : "until it is released");
	hf_cli_say(cli, "started   %s\n", set->started_s > 0 ? started : "not known");
	if (manifest->finished_s >= manifest->started_s && manifest->host)
		hf_cli_say(cli, "took      %d s, on %s, by %s\n",
			   (int)(manifest->finished_s - manifest->started_s), manifest->host,
			   manifest->program);
	if (manifest->metrics)
		say_metrics(cli, manifest->metrics);
	hf_cli_say(cli, "size      %s in the store\n", bytes);
	if (manifest->sealed)
		hf_cli_say(cli, "names     not known: %s\n", manifest->sealed);
	if (manifest->database)
		say_database(cli, manifest->database);
	if (manifest->images && manifest->images->index)
		say_images(cli, manifest->images);
}

static bool
tell_set(HfCli *cli, const HfSet *set, GError **error)
{
	g_autoptr(GBytes) bytes = hf_manifest_to_json(set->manifest);
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);
	HfJson *manifest = hf_json_parse(text, len, error);

	if (!manifest)
		return false;
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_text(cli->reply, "kind", set->kind);
	hf_json_add_number(cli->reply, "level", (uint64_t)set->level);
	hf_json_add_text(cli->reply, "proof", hf_text_level(set->level));
	hf_json_add_flag(cli->reply, "adopted", set->is_adopted);
	hf_json_add_text(cli->reply, "signed", set->is_adopted ? NULL : hf_signed_word(set->is_signed));
	hf_json_add_flag(cli->reply, "held", set->is_held);
	hf_json_add_bytes(cli->reply, "hold_reason", set->hold_reason);
	hf_json_add_number(cli->reply, "bytes", set->bytes);
	hf_json_add_flag(cli->reply, "suspect", set->is_suspect);
	hf_json_add_bytes(cli->reply, "suspect_reason", set->suspect_reason);
	hf_json_add_flag(cli->reply, "accepted", set->is_accepted);
	hf_json_add(cli->reply, "manifest", manifest);
	return true;
}

static void
add_table(HfGrid *grid, HfJson *rows, const HfTable *table)
{
	g_autofree char *count = hf_text_count(table->rows);
	g_autofree char *bytes = hf_text_bytes(table->bytes);
	HfJson *row = json_object_new_object();

	hf_grid_add(grid, (const char *const[]){table->name, count, bytes});
	hf_json_add_text(row, "name", table->name);
	hf_json_add_number(row, "rows", table->rows);
	hf_json_add_number(row, "bytes", table->bytes);
	json_object_array_add(rows, row);
}

static bool
show_tables(HfCli *cli, HfStore *store, const HfSet *set, GError **error)
{
	g_autoptr(GPtrArray) tables = NULL;
	g_autoptr(HfGrid) grid = hf_grid_new("lrr");
	g_autofree char *text = NULL;
	HfJson *rows;

	if (!set->manifest->database || !set->manifest->database->index)
		return hf_error_set(error, HF_ERROR_NOT_FOUND,
				    "set \"%s\" has no index of tables: it was made by another program",
				    set->id);
	tables = hf_catalog_read_tables(store, set->manifest, error);
	if (!tables)
		return false;
	rows = json_object_new_array();
	hf_json_add(cli->reply, "tables", rows);
	hf_grid_add(grid, (const char *const[]){"TABLE", "ROWS", "BYTES"});
	for (guint i = 0; i < tables->len; i++)
		add_table(grid, rows, tables->pdata[i]);
	text = hf_grid_to_text(grid);
	hf_cli_say(cli, "\n%s", text);
	return true;
}

static void
print_image(const HfCli *cli, const HfManifest *manifest, const HfImage *image)
{
	g_autofree char *modified = hf_clock_rfc3339(image->modified_s);
	g_autofree char *key = hf_log_one_line(image->key);

	if (cli->wants_json)
		hf_cli_print_line(hf_cli_image_json(manifest, image));
	else
		hf_cli_say(cli, "%s %12" G_GUINT64_FORMAT "  %s%s%s\n", modified, image->bytes, key,
			   image->trouble ? "  could not be read: " : "",
			   image->trouble ? image->trouble : "");
}

/* Prints the page's images and its damages; the last key, where more follow, becomes "next". */
typedef struct {
	uint64_t objects, damages;
	char *last_key;
	bool has_more;
} Page;

static bool
print_page(HfCli *cli, HfImageView *view, const HfManifest *manifest, Page *page, GError **error)
{
	const HfImage *image;
	const char *damage;

	do {
		if (!hf_cancel_check(error) || !hf_image_view_next(view, &image, &damage, error))
			return false;
		page->has_more = image && given.limit > 0 && page->objects == (uint64_t)given.limit;
		if (page->has_more)
			return true;
		if (image) {
			print_image(cli, manifest, image);
			g_free(page->last_key);
			page->last_key = g_strdup(image->key);
		}
		if (damage)
			g_warning("%s", damage);
		page->objects += image != NULL;
		page->damages += damage != NULL;
	} while (image || damage);
	return true;
}

/* As a stream: there may be millions.  What is damaged is told, and the exit status says so in the end. */
static bool
show_objects(HfCli *cli, HfStore *store, const char *id, GError **error)
{
	g_autoptr(HfManifest) manifest = hf_cli_find_images(store, id, error);
	g_autoptr(HfImageView) view = NULL;
	g_autofree char *last_key = NULL;
	Page page = {0};
	bool is_shown;

	if (!manifest)
		return false;
	view = hf_image_view_new(store, manifest, given.prefix);
	if (given.after && *given.after)
		hf_image_view_start_after(view, given.after);
	is_shown = print_page(cli, view, manifest, &page, error);
	last_key = page.last_key;
	if (!is_shown)
		return false;
	hf_json_add_text(cli->reply, "set", manifest->id);
	hf_json_add_number(cli->reply, "objects", page.objects);
	if (page.has_more)
		hf_json_add_bytes(cli->reply, "next", last_key);
	return page.damages == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "the index of set \"%s\" is damaged: not all images were listed", manifest->id);
}

typedef struct {
	const HfCli *cli;
	HfJson *missing, *unnamed;
} References;

static bool
show_reference(void *context, HfReferenceKind kind, const char *key, GError **error)
{
	const References *references = context;
	HfJson *item = NULL;

	(void)error;
	if (!references->cli->wants_json) {
		hf_cli_say(references->cli, "%s  %s\n", kind == HF_REFERENCE_MISSING ? "missing" : "unnamed",
			   key);
		return true;
	}
	item = json_object_new_object();
	hf_json_add_bytes(item, "key", key);
	json_object_array_add(kind == HF_REFERENCE_MISSING ? references->missing : references->unnamed, item);
	return true;
}

static bool
show_references(HfCli *cli, HfStore *store, const HfSet *set, GError **error)
{
	References references = {.cli = cli};

	if (!hf_manifest_check_names(set->manifest, error))
		return false;

	if (!set->manifest->images || !set->manifest->images->references)
		return hf_error_set(
			error, HF_ERROR_NOT_FOUND,
			"set \"%s\" does not say what rows name: set IMAGE_REFERENCES_SQL and make a "
			"new one with \"holdfast backup full\"",
			set->id);
	references.missing = json_object_new_array();
	references.unnamed = json_object_new_array();
	hf_json_add(cli->reply, "missing", references.missing);
	hf_json_add(cli->reply, "unnamed", references.unnamed);
	hf_cli_say(cli, "\n");
	return hf_reference_list_read(store, set->manifest, show_reference, &references, error);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = hf_store_open_from(cli->settings, given.from, error);
	g_autoptr(HfSet) set = NULL;

	if (!store)
		return false;
	if ((given.prefix || given.after || given.limit != 0) && !given.wants_objects)
		return hf_error_set(error, HF_ERROR_USAGE, "--prefix, --after and --limit go with --objects");
	if (given.limit < 0)
		return hf_error_set(error, HF_ERROR_USAGE, "--limit %d: 1 or more is wanted", given.limit);
	cli->is_streaming = given.wants_objects;
	if (cli->is_streaming)
		return show_objects(cli, store, arguments[0], error);
	set = hf_catalog_find(store, arguments[0], error);
	if (!set)
		return false;
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id,
				    set->trouble);
	say_set(cli, set);
	if (!tell_set(cli, set, error) || !hf_cli_show_proofs(cli, store, set, error))
		return false;
	if (given.wants_tables && !show_tables(cli, store, set, error))
		return false;
	return !given.wants_references || show_references(cli, store, set, error);
}

static GOptionEntry options[] = {
	{"tables", 0, 0, G_OPTION_ARG_NONE, &given.wants_tables,
	 "List the set's tables with their rows and bytes", NULL},
	{"references", 0, 0, G_OPTION_ARG_NONE, &given.wants_references,
	 "List images that are missing for rows, and images that no row names", NULL},
	{"objects", 0, 0, G_OPTION_ARG_NONE, &given.wants_objects,
	 "List the set's images, a line each, and nothing else; with --json a JSON object a line", NULL},
	{"prefix", 0, 0, G_OPTION_ARG_STRING, &given.prefix, "With --objects: only those whose keys begin so",
	 "TEXT"},
	{"after", 0, 0, G_OPTION_ARG_STRING, &given.after,
	 "With --objects: only those whose keys follow this one", "KEY"},
	{"limit", 0, 0, G_OPTION_ARG_INT, &given.limit, "With --objects: at most so many", "N"},
	HF_FROM_OPTION(&given.from),
	{0}};

const HfCommand hf_command_show = {
	"show",  "SET", 1,  1, "show what a set holds", "Prints what the set's manifest says. " HF_SET_HELP,
	options, false, run};
