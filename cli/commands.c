#include "config.h"

#include "cli/commands.h"
#include "common/error.h"
#include "common/spelling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SET_HELP \
	"SET is a set's id, as \"holdfast list\" prints it, a unique beginning of one, or \"latest\", the " \
	"newest good one."

HfCommandOptions hf_command_options = {.verify = {.level = 2}};

static GOptionEntry backup_images_options[] = {
	{"full", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.backup_images.full,
	 "Store every image again, and refer to no earlier archive", NULL},
	{0}};

static GOptionEntry backup_full_options[] = {
	{"full-images", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.backup_full.full_images,
	 "Store every image again, and refer to no earlier archive", NULL},
	{0}};

static GOptionEntry show_options[] = {
	{"tables", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.show.wants_tables,
	 "List the set's tables with their rows and bytes", NULL},
	{"references", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.show.wants_references,
	 "List images that are missing for rows, and images that no row names", NULL},
	{"objects", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.show.wants_objects,
	 "List the set's images, a line each, and nothing else; with --json a JSON object a line", NULL},
	{"prefix", 0, 0, G_OPTION_ARG_STRING, &hf_command_options.show.prefix,
	 "With --objects: only those whose keys begin so", "TEXT"},
	{0}};

static GOptionEntry cat_options[] = {{"object", 0, 0, G_OPTION_ARG_STRING, &hf_command_options.cat.object,
				      "The image of this key, also where it is spelled like one of the words",
				      "KEY"},
				     {0}};

static GOptionEntry restore_images_options[] = {
	{"to", 0, 0, G_OPTION_ARG_STRING, &hf_command_options.restore_images.to,
	 "The place to restore to: s3://bucket/prefix, or a path (required)", "STORE"},
	{"only", 0, 0, G_OPTION_ARG_STRING, &hf_command_options.restore_images.only,
	 "Restore only the images whose keys match; nothing else is touched", "GLOB"},
	{"missing-only", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.restore_images.missing_only,
	 "Restore only what is not there, and leave alone what is", NULL},
	{"overwrite", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.restore_images.overwrite,
	 "Replace what differs; what the set does not have stays", NULL},
	{"mirror", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.restore_images.mirror,
	 "Replace what differs, and REMOVE what the set does not have", NULL},
	{0}};

static GOptionEntry restore_options[] = {
	{"to", 0, 0, G_OPTION_ARG_STRING, &hf_command_options.restore.to,
	 "The database to restore into (required)", "URL"},
	{"create", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.restore.create,
	 "Make the database, which must not exist; a failed restore drops it again", NULL},
	{"allow-non-empty", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.restore.allow_non_empty,
	 "Restore although the database holds something", NULL},
	{0}};

static GOptionEntry delete_options[] = {{"force", 0, 0, G_OPTION_ARG_NONE,
					 &hf_command_options.delete.is_forced,
					 "Delete it although it is the only good set", NULL},
					{0}};

static GOptionEntry prune_options[] = {{"dry-run", 0, 0, G_OPTION_ARG_NONE, &hf_command_options.prune.is_dry,
					"Say what would be removed, and remove nothing", NULL},
				       {0}};

static GOptionEntry verify_options[] = {
	{"level", 0, 0, G_OPTION_ARG_INT, &hf_command_options.verify.level,
	 "1: what was stored is there, in full size; 2 (default): it was read", "N"},
	{0}};

static const HfCommand commands[] = {
	{"backup database", "", 0, 0, "back up the database of the settings",
	 "Dumps the database that DATABASE_URL or DB_* name, inside one snapshot, and stores the dump, the "
	 "roles, an index "
	 "of the tables, RESTORE.txt and, last, the manifest. Whatever fails before that leaves nothing "
	 "behind: a set "
	 "exists when its manifest does.\n\n"
	 "Ctrl-C cancels; nothing is stored then. The exit status is 3 where the set was stored but a part "
	 "of what was "
	 "asked for is missing.",
	 NULL, false, hf_command_backup_database},
	{"backup images", "", 0, 0, "back up the images of the settings",
	 "Lists IMAGES_DIR, or AWS_BUCKET_NAME below IMAGES_PREFIX, and compares the listing with the last "
	 "set: only "
	 "what is new or changed is read and stored. The new set is a full view all the same, which refers "
	 "to "
	 "earlier archives for the rest. Where the backups lie in the same bucket or folder, they are left "
	 "out.\n\n"
	 "What cannot be read is named, and tried again by the next run; the set is stored without it, and "
	 "the "
	 "exit "
	 "status is 3.",
	 backup_images_options, false, hf_command_backup_images},
	{"backup full", "", 0, 0, "back up the database and the images into one set",
	 "Takes the database's snapshot, then lists the images, and stores both at the same time: every "
	 "image "
	 "that a row "
	 "names is in the set, unless it was deleted meanwhile. Where the images fail, the database is kept "
	 "and "
	 "the exit "
	 "status is 3; where the database fails, nothing is stored.",
	 backup_full_options, false, hf_command_backup_full},
	{"list", "", 0, 0, "list the backup sets, the newest last",
	 "Prints a line for each set: its id, what it holds, how far it was proved (unverified, stored, "
	 "read), and what it "
	 "takes in the store. A set whose manifest cannot be read is listed as damaged, with the reason.",
	 NULL, false, hf_command_list},
	{"show", "SET", 1, 1, "show what a set holds", "Prints what the set's manifest says. " SET_HELP,
	 show_options, false, hf_command_show},
	{"restore database", "SET", 1, 1, "restore a set's database",
	 "Restores the dump with psql, which stops at the first error, and compares the rows of every table "
	 "with what "
	 "was counted when the dump was made. The database must be empty, unless --allow-non-empty is given; "
	 "nothing is "
	 "ever dropped or emptied.\n\n"
	 "URL is postgres://user@host:port/name or any libpq connection string. A password in it can be seen "
	 "by other "
	 "users of this host: put it into PGPASSWORD or ~/.pgpass instead.\n\n" SET_HELP,
	 restore_options, false, hf_command_restore_database},
	{"restore images", "SET", 1, 1, "restore a set's images into a bucket or a folder",
	 "Stores the set's images with their metadata. Each one's SHA-256 is compared before it is stored: a "
	 "damaged one "
	 "is named and left out, all others are restored, and the exit status is 1.\n\n"
	 "STORE is s3://bucket/prefix, reached with the endpoint and the keys of the images' settings, or a "
	 "folder. Unless "
	 "a mode is given, nothing is written where STORE holds an object that would be overwritten or that "
	 "the set does "
	 "not have. An object with the size and the etag that the image had when it was backed up is the "
	 "same, and is left "
	 "alone in every mode; any other one differs.\n\n"
	 "GLOB is of *, ? and [...] over the whole key; * matches slashes, too: --only 'avatars/*'. With it, "
	 "nothing else "
	 "is looked at, and --mirror removes nothing else. Backups that lie in STORE are never touched. What "
	 "--mirror "
	 "removes is removed last, and only if all else was restored. An interrupted restore is gone on with "
	 "by "
	 "--missing-only.\n\n" SET_HELP,
	 restore_images_options, false, hf_command_restore_images},
	{"cat", "SET [WHAT]", 1, 2, "write a part of a set, or one image, to standard output",
	 "WHAT is database (the dump as plain SQL, the default), globals (the roles as SQL), index (the "
	 "tables, or else "
	 "the images, JSON lines), manifest or restore.txt; anything else is the key of an image, which is "
	 "read by one "
	 "ranged request. Every digest is checked on the way: where the exit status is not 0, do not use "
	 "what was "
	 "written.\n\n"
	 "    holdfast cat latest | psql -X -v ON_ERROR_STOP=1 postgres://...\n\n"
	 "    holdfast cat latest avatars/42.jpg >42.jpg\n\n" SET_HELP,
	 cat_options, true, hf_command_cat},
	{"diff", "SET SET", 2, 2, "show which images differ between two sets",
	 "Prints a line for each image that the second set has and the first has not (+), that only the "
	 "first has (-), or "
	 "whose content or metadata differ (!), then the counts. With --json it is one JSON object a line, "
	 "and the counts "
	 "in the last.\n\n" SET_HELP,
	 NULL, false, hf_command_diff},
	{"verify", "SET", 1, 1, "prove that a set is what it was",
	 "Level 1 asks the store whether every object is there in full size. Level 2 reads them back, "
	 "compares every "
	 "SHA-256, unpacks, parses the dump to its closing line, and compares tables, rows and row digests "
	 "with the "
	 "index; of images, all archives that the set refers to, the index, and every image's own SHA-256; "
	 "whatever is damaged "
	 "is named. A level that was reached is recorded in the store.\n\n" SET_HELP,
	 verify_options, false, hf_command_verify},
	{"delete", "SET", 1, 1, "delete a set",
	 "Removes the set and its objects. Archives of images that newer sets refer to stay, and go with the "
	 "last of those "
	 "sets, by \"holdfast prune\". The only good set of a database or of images is refused, unless "
	 "--force is "
	 "given. SET is a set's whole id.",
	 delete_options, false, hf_command_delete},
	{"prune", "", 0, 0, "remove what no set needs any more",
	 "Reads all manifests, counts which archives they refer to, and removes what is left over of deleted "
	 "sets, and of runs that were killed more than two days ago. While a run goes on, archives of images "
	 "stay. Files of other programs are never touched.",
	 prune_options, false, hf_command_prune},
	{"config", "", 0, 0, "print the settings and where they come from",
	 "Prints each setting with its value and where that was read. Secrets are never shown.", NULL, false,
	 hf_command_config},
	{"doctor", "", 0, 0, "check everything a backup needs",
	 "Checks settings, database login and rights, pg_dump, the store (a small object is written, read, "
	 "listed and "
	 "removed), free space and the last good set: a line each, with what to do about it. The exit status "
	 "is 1 where "
	 "a check failed.",
	 NULL, false, hf_command_doctor},
};

const HfCommand *
hf_commands(size_t *count_out)
{
	if (count_out)
		*count_out = G_N_ELEMENTS(commands);
	return commands;
}

/* How many of words the command's name takes; 0 where it is another command. */
static size_t
matching_words(const HfCommand *command, char **words)
{
	g_auto(GStrv) name = g_strsplit(command->name, " ", -1);
	size_t count = g_strv_length(name);

	for (size_t i = 0; i < count; i++)
		if (g_strcmp0(words[i], name[i]) != 0)
			return 0;
	return count;
}

static bool
unknown_command(char **words, GError **error)
{
	size_t length = strlen(words[0]);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_auto(GStrv) name = g_strsplit(commands[i].name, " ", -1);

		if (name[1] && strncmp(commands[i].name, words[0], length) == 0 && !name[0][length])
			return hf_error_set(error, HF_ERROR_USAGE,
					    "\"holdfast %s\" is not complete: \"holdfast %s\"?", words[0],
					    commands[i].name);
		if (hf_spelling_distance(words[0], name[0], 2) <= 2)
			return hf_error_set(error, HF_ERROR_USAGE,
					    "unknown command \"%s\": did you mean \"holdfast %s\"?", words[0],
					    commands[i].name);
	}
	return hf_error_set(error, HF_ERROR_USAGE, "unknown command \"%s\": see \"holdfast help\"", words[0]);
}

const HfCommand *
hf_command_find(char **words, size_t *used_out, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		*used_out = matching_words(&commands[i], words);
		if (*used_out > 0)
			return &commands[i];
	}
	unknown_command(words, error);
	return NULL;
}

void
hf_cli_say(const HfCli *cli, const char *format, ...)
{
	va_list args;

	if (cli->wants_json || cli->is_quiet)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

void
hf_cli_tell_duration(const HfCli *cli, double seconds)
{
	g_autofree char *text = g_strdup_printf("%.3f", seconds);

	hf_json_add(cli->reply, "duration", json_object_new_double_s(seconds, text));
}

bool
hf_cli_flush(GError **error)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return hf_error_errno(error, "write to standard output");
	return true;
}
