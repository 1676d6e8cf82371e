#include "config.h"

#include "backup/catalog/image-view.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/replicas.h"
#include "cli/text.h"
#include "common/cancel.h"
#include "common/error.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

/* One of the two sets, at its present image. */
static struct {
	char *from;
} given;

typedef struct {
	HfStore *store;
	HfManifest *manifest;
	HfImageView *view;
	const HfImage *image; /* NULL: at the end */
} Side;

typedef struct {
	uint64_t added, changed, removed, unchanged;
} Counts;

static void
side_clear(Side *side)
{
	hf_image_view_free(side->view);
	hf_manifest_free(side->manifest);
	hf_store_free(side->store);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Side, side_clear)

static bool
side_open(Side *side, const HfSettings *settings, const char *id, GError **error)
{
	side->store = hf_store_open_from(settings, given.from, error);
	side->manifest = side->store ? hf_cli_find_images(side->store, id, error) : NULL;
	if (!side->manifest)
		return false;
	side->view = hf_image_view_new(side->store, side->manifest, NULL);
	return true;
}

static bool
side_next(Side *side, GError **error)
{
	const char *damage;

	/* Half a view would show images as removed that are not. */
	return hf_image_view_next(side->view, &side->image, &damage, error) &&
	       (!damage || hf_error_set(error, HF_ERROR_CORRUPT, "%s", damage));
}

static bool
has_same_user_meta(GHashTable *left, GHashTable *right)
{
	GHashTableIter iter;
	gpointer name, value;

	if ((left ? g_hash_table_size(left) : 0) != (right ? g_hash_table_size(right) : 0))
		return false;
	if (!left || !right)
		return true;
	g_hash_table_iter_init(&iter, left);
	while (g_hash_table_iter_next(&iter, &name, &value))
		if (g_strcmp0(g_hash_table_lookup(right, name), value) != 0)
			return false;
	return true;
}

static bool
is_same(const HfImage *left, const HfImage *right)
{
	const HfObjectMeta *a = &left->meta, *b = &right->meta;

	if (left->trouble || right->trouble)
		return left->trouble && right->trouble;
	return left->bytes == right->bytes && memcmp(left->sha256, right->sha256, HF_SHA256_BYTES) == 0 &&
	       g_strcmp0(a->content_type, b->content_type) == 0 &&
	       g_strcmp0(a->cache_control, b->cache_control) == 0 &&
	       g_strcmp0(a->content_disposition, b->content_disposition) == 0 &&
	       g_strcmp0(a->content_encoding, b->content_encoding) == 0 &&
	       has_same_user_meta(a->user, b->user);
}

static void
tell(const HfCli *cli, const char *what, const Side *side)
{
	g_autofree char *bytes = hf_text_bytes(side->image->bytes);
	g_autofree char *key = hf_log_one_line(side->image->key);
	HfJson *row;

	if (!cli->wants_json) {
		hf_cli_say(cli, "%c %-9s %s\n", *what == 'a' ? '+' : *what == 'r' ? '-' : '!', bytes, key);
		return;
	}
	row = hf_cli_image_json(side->manifest, side->image);
	hf_json_add_text(row, "difference", what);
	hf_cli_print_line(row);
}

/* Compares the keys at which both are, and goes on with what was told. */
static bool
step(const HfCli *cli, Side *old, Side *new, Counts *counts, GError **error)
{
	int order = !new->image ? -1 : !old->image ? 1 : strcmp(old->image->key, new->image->key);

	if (order < 0) {
		counts->removed++;
		tell(cli, "removed", old);
	} else if (order > 0) {
		counts->added++;
		tell(cli, "added", new);
	} else if (is_same(old->image, new->image)) {
		counts->unchanged++;
	} else {
		counts->changed++;
		tell(cli, "changed", new);
	}
	return (order > 0 || side_next(old, error)) && (order < 0 || side_next(new, error));
}

static void
conclude(HfCli *cli, const Side *old, const Side *new, const Counts *counts)
{
	g_autofree char *unchanged = hf_text_count(counts->unchanged);

	hf_cli_say(cli,
		   "from %s to %s: %" G_GUINT64_FORMAT " added, %" G_GUINT64_FORMAT
		   " changed, %" G_GUINT64_FORMAT " removed, %s unchanged\n",
		   old->manifest->id, new->manifest->id, counts->added, counts->changed, counts->removed,
		   unchanged);
	hf_json_add_text(cli->reply, "from", old->manifest->id);
	hf_json_add_text(cli->reply, "to", new->manifest->id);
	hf_json_add_number(cli->reply, "added", counts->added);
	hf_json_add_number(cli->reply, "changed", counts->changed);
	hf_json_add_number(cli->reply, "removed", counts->removed);
	hf_json_add_number(cli->reply, "unchanged", counts->unchanged);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_auto(Side) old = {0};
	g_auto(Side) new = {0};
	Counts counts = {0};

	cli->is_streaming = true;
	if (!side_open(&old, cli->settings, arguments[0], error) ||
	    !side_open(&new, cli->settings, arguments[1], error) || !side_next(&old, error) ||
	    !side_next(&new, error))
		return false;
	while (old.image || new.image)
		if (!hf_cancel_check(error) || !step(cli, &old, &new, &counts, error))
			return false;
	conclude(cli, &old, &new, &counts);
	return true;
}

static GOptionEntry options[] = {HF_FROM_OPTION(&given.from), {0}};

const HfCommand hf_command_diff = {
	"diff",
	"SET SET",
	2,
	2,
	"show which images differ between two sets",
	"Prints a line for each image that the second set has and the first has not (+), that only the "
	"first has (-), or "
	"whose content or metadata differ (!), then the counts. With --json it is one JSON object a line, "
	"and the counts "
	"in the last.\n\n" HF_SET_HELP,
	options,
	false,
	run};
