#include "config.h"

#include "backup/catalog/prune.h"
#include "cli/history.h"
#include "cli/lease.h"
#include "cli/outcome.h"
#include "cli/text.h"

static double
ratio_of(const HfArchive *archive)
{
	return archive->packed_bytes > 0 ? (double)archive->plain_bytes / (double)archive->packed_bytes : 1;
}

static void
say_database(const HfCli *cli, const HfDatabaseRecord *database, double duration_s)
{
	const HfArchive *archive = database->archive;
	g_autofree char *tables = hf_text_count(database->tables);
	g_autofree char *rows = hf_text_count(database->rows);
	g_autofree char *plain = hf_text_bytes(archive->plain_bytes);
	g_autofree char *stored = hf_text_bytes(archive->packed_bytes);
	double rate = (double)archive->plain_bytes / MAX(duration_s, 0.001) / 1e6;

	hf_cli_say(cli, "database  \"%s\": %s tables, %s rows\n", database->name, tables, rows);
	hf_cli_say(cli, "size      %s plain, %s stored (%.1f : 1), %.0f MB/s\n", plain, stored,
		   ratio_of(archive), rate);
	if (database->globals_absent)
		hf_cli_say(cli, "roles     not in the set: %s\n", database->globals_absent);
}

/* What this run itself stored of the images. */
static uint64_t
own_tarball_bytes(const HfManifest *manifest)
{
	const GPtrArray *archives = manifest->images->archives;
	uint64_t bytes = 0;

	for (guint i = 0; i < archives->len; i++) {
		const HfImageArchive *archive = archives->pdata[i];

		if (g_strcmp0(archive->set_id, manifest->id) == 0)
			bytes += archive->archive->packed_bytes;
	}
	return bytes;
}

void
hf_outcome_say_references(const HfCli *cli, const HfImagesRecord *images)
{
	const HfReferencesRecord *references = images->references;
	g_autofree char *named = NULL;
	g_autofree char *missing = NULL;
	g_autofree char *unnamed = NULL;

	if (!references)
		return;
	named = hf_text_count(references->named);
	missing = hf_text_count(references->counts[HF_REFERENCE_MISSING]);
	unnamed = hf_text_count(references->counts[HF_REFERENCE_UNNAMED]);
	hf_cli_say(cli, "rows      name %s images: %s of them missing; no row names %s\n", named, missing,
		   unnamed);
}

static void
say_images(const HfCli *cli, const HfManifest *manifest)
{
	const HfImagesRecord *images = manifest->images;
	g_autofree char *objects = hf_text_count(images->objects);
	g_autofree char *bytes = hf_text_bytes(images->bytes);
	g_autofree char *added = hf_text_count(images->added);
	g_autofree char *changed = hf_text_count(images->changed);
	g_autofree char *deleted = hf_text_count(images->deleted);
	g_autofree char *unchanged = hf_text_count(images->unchanged);
	g_autofree char *troubled = hf_text_count(images->troubled);
	g_autofree char *own = hf_text_bytes(own_tarball_bytes(manifest));

	hf_cli_say(cli, "images    %s objects, %s, of %s\n", objects, bytes, images->source);
	hf_cli_say(cli, "changes   %s new, %s changed, %s deleted, %s unchanged, %s troubled\n", added,
		   changed, deleted, unchanged, troubled);
	if (images->base)
		hf_cli_say(cli, "archive   %s, going on from set %s\n", own, images->base);
	else
		hf_cli_say(cli, "archive   %s, a full run%s%s\n", own, images->full_reason ? ": " : "",
			   images->full_reason ? images->full_reason : "");
	hf_outcome_say_references(cli, images);
}

static void
say_set(const HfCli *cli, const HfStore *store, const HfManifest *manifest, double duration_s)
{
	g_autofree char *stored = hf_text_bytes(hf_manifest_stored_bytes(manifest));
	g_autofree char *duration = hf_text_duration(duration_s);

	hf_cli_say(cli, "set       %s\n", manifest->id);
	if (manifest->database)
		say_database(cli, manifest->database, duration_s);
	if (manifest->images)
		say_images(cli, manifest);
	hf_cli_say(cli, "time      %s\n", duration);
	hf_cli_say(cli, "store     %s: %s\n", hf_store_location(store), stored);
	hf_cli_say(cli, "level     1 stored; \"holdfast verify %s\" reads it back\n", manifest->id);
	if (manifest->note)
		hf_cli_say(cli, "note      %s\n", manifest->note);
	if (manifest->alarms)
		hf_cli_say(
			cli,
			"suspect   see above; nothing is pruned until \"holdfast accept %s\", or until it is "
			"deleted\n",
			manifest->id);
}

/* ---- the reply ---- */

static void
tell_database(HfCli *cli, const HfDatabaseRecord *database)
{
	const HfPart *part = database->archive->parts->pdata[0];

	hf_json_add_text(cli->reply, "database", database->name);
	hf_json_add_text(cli->reply, "file", part->key);
	hf_json_add_number(cli->reply, "tables", database->tables);
	hf_json_add_number(cli->reply, "rows", database->rows);
	hf_json_add_number(cli->reply, "plain_bytes", database->archive->plain_bytes);
	hf_json_add_text(cli->reply, "globals_absent", database->globals_absent);
}

static HfJson *
troubles_to_json(const GPtrArray *troubles)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < troubles->len; i++) {
		const HfImageTrouble *trouble = troubles->pdata[i];
		HfJson *item = json_object_new_object();

		hf_json_add_bytes(item, "key", trouble->key);
		hf_json_add_bytes(item, "reason", trouble->reason);
		json_object_array_add(array, item);
	}
	return array;
}

static HfJson *
alarms_to_json(const GPtrArray *alarms)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < alarms->len; i++) {
		g_autofree char *line = g_utf8_make_valid(alarms->pdata[i], -1);

		json_object_array_add(array, json_object_new_string(line));
	}
	return array;
}

static void
tell_images(HfCli *cli, const HfManifest *manifest)
{
	const HfImagesRecord *images = manifest->images;
	HfJson *object = json_object_new_object();

	hf_json_add_bytes(object, "source", images->source);
	hf_json_add_text(object, "base", images->base);
	hf_json_add_bytes(object, "full_reason", images->full_reason);
	hf_json_add_number(object, "objects", images->objects);
	hf_json_add_number(object, "bytes", images->bytes);
	hf_json_add_number(object, "added", images->added);
	hf_json_add_number(object, "changed", images->changed);
	hf_json_add_number(object, "deleted", images->deleted);
	hf_json_add_number(object, "unchanged", images->unchanged);
	hf_json_add_number(object, "troubled", images->troubled);
	hf_json_add_number(object, "archive_bytes", own_tarball_bytes(manifest));
	if (images->references) {
		hf_json_add_number(object, "named", images->references->named);
		hf_json_add_number(object, "missing", images->references->counts[HF_REFERENCE_MISSING]);
		hf_json_add_number(object, "unnamed", images->references->counts[HF_REFERENCE_UNNAMED]);
	}
	hf_json_add(object, "troubles", troubles_to_json(images->troubles));
	hf_json_add(cli->reply, "images", object);
}

/* What to name of a set of images: its own first archive, or, where nothing was new, its index. */
static const char *
images_file(const HfManifest *manifest)
{
	const GPtrArray *archives = manifest->images->archives;
	const HfArchive *named = manifest->images->index;

	for (guint i = 0; i < archives->len; i++) {
		const HfImageArchive *archive = archives->pdata[i];

		if (g_strcmp0(archive->set_id, manifest->id) == 0) {
			named = archive->archive;
			break;
		}
	}
	return named && named->parts->len > 0 ? ((const HfPart *)named->parts->pdata[0])->key : NULL;
}

static void
tell_set(HfCli *cli, const HfStore *store, const HfManifest *manifest, double duration_s)
{
	hf_json_add_text(cli->reply, "set", manifest->id);
	hf_json_add_text(cli->reply, "kind", hf_manifest_kind(manifest));
	hf_json_add_text(cli->reply, "store", hf_store_location(store));
	if (manifest->database)
		tell_database(cli, manifest->database);
	if (manifest->images)
		tell_images(cli, manifest);
	if (!manifest->database)
		hf_json_add_text(cli->reply, "file", images_file(manifest));
	hf_json_add_number(cli->reply, "stored_bytes", hf_manifest_stored_bytes(manifest));
	hf_cli_tell_duration(cli, duration_s);
	hf_json_add_number(cli->reply, "level", 1);
	hf_json_add_text(cli->reply, "status", manifest->status == HF_SET_COMPLETE ? "complete" : "partial");
	hf_json_add_bytes(cli->reply, "note", manifest->note);
	hf_json_add_flag(cli->reply, "suspect", manifest->alarms != NULL);
	if (manifest->alarms)
		hf_json_add(cli->reply, "alarms", alarms_to_json(manifest->alarms));
}

static void
name_troubles(const HfImagesRecord *images)
{
	for (guint i = 0; i < images->troubles->len; i++) {
		const HfImageTrouble *trouble = images->troubles->pdata[i];

		g_warning("not in the set: \"%s\": %s", trouble->key, trouble->reason);
	}
	if (images->troubled > images->troubles->len)
		g_warning("not in the set: %" G_GUINT64_FORMAT " more",
			  images->troubled - images->troubles->len);
}

static void
name_alarms(const HfManifest *manifest)
{
	for (guint i = 0; manifest->alarms && i < manifest->alarms->len; i++)
		g_warning("suspect: %s%s%s", (char *)manifest->alarms->pdata[i],
			  manifest->alarms_against ? "; compared with set " : "",
			  manifest->alarms_against ? manifest->alarms_against : "");
}

void
hf_outcome_report(HfCli *cli, const HfStore *store, const HfManifest *manifest, double duration_s)
{
	g_message("set %s is stored", manifest->id);
	say_set(cli, store, manifest, duration_s);
	tell_set(cli, store, manifest, duration_s);
	if (manifest->images)
		name_troubles(manifest->images);
	name_alarms(manifest);
	if (manifest->status != HF_SET_COMPLETE || manifest->alarms)
		cli->exit = HF_EXIT_SUSPECT;
}

/* ---- what goes after a good backup ---- */

static void
say_pruned(const HfCli *cli, const HfPrune *prune)
{
	guint deleted = prune->counts[HF_FATE_DELETED];

	if (prune->plan->is_off)
		return;
	if (prune->plan->stop || prune->is_refused)
		hf_cli_say(cli, "pruned    nothing: \"holdfast prune --dry-run\" says why\n");
	else
		hf_cli_say(cli, "pruned    %u old %s deleted, %u stay\n", deleted,
			   deleted == 1 ? "set" : "sets", prune->rows->len - deleted);
}

static void
tell_pruned(HfCli *cli, const HfPrune *prune)
{
	HfJson *object = json_object_new_object();
	HfJson *deleted = json_object_new_array();

	for (guint i = 0; i < prune->rows->len; i++) {
		const HfPruneRow *row = prune->rows->pdata[i];
		const HfSet *set = row->decision->set;

		if (row->fate == HF_FATE_DELETED)
			json_object_array_add(
				deleted, json_object_new_string(set->file_key ? set->file_key : set->id));
	}
	hf_json_add(object, "deleted", deleted);
	hf_json_add_number(object, "stay", prune->rows->len - prune->counts[HF_FATE_DELETED]);
	hf_json_add_text(object, "stopped", prune->plan->stop);
	hf_json_add_flag(object, "needs_force", prune->is_refused);
	hf_json_add(cli->reply, "pruned", object);
}

void
hf_outcome_prune(HfCli *cli, HfStore *store)
{
	g_autoptr(GPtrArray) failed = NULL;
	g_autoptr(HfPrune) prune = NULL;
	g_autofree char *reader = NULL;

	if (cli->exit != HF_EXIT_GOOD)
		return;
	/* A set that is being restored must not go; prune as a job of its own is kept apart by the claim. */
	reader = hf_cli_reading_job(cli->settings, false);
	if (reader) {
		g_message("old sets stay for now, since job %s is reading one: the next backup prunes",
			  reader);
		return;
	}
	if (!hf_cli_lease_may_remove(&reader)) {
		g_message("old sets stay for now, since %s: the next backup prunes", reader);
		return;
	}
	failed = hf_cli_failed_runs(cli->settings);
	prune = hf_prune_after_backup(store, cli->settings, failed);
	if (!prune)
		return;
	say_pruned(cli, prune);
	tell_pruned(cli, prune);
}
