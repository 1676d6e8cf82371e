#include "config.h"

#include "backup/catalog/catalog.h"
#include "backup/catalog/image-index.h"
#include "backup/catalog/names.h"
#include "backup/stage/sink.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/replicas.h"
#include "common/error.h"

#include <string.h>
#include <unistd.h>

static struct {
	char *object, *from;
} given;

typedef enum {
	CAT_DATABASE,
	CAT_GLOBALS,
	CAT_INDEX,
	CAT_MANIFEST,
	CAT_RESTORE,
} What;

static const char *const words[] = {"database", "globals", "index", "manifest", "restore.txt"};

/* False where it is none of the words: the key of an image. */
static bool
parse_what(const char *word, What *what_out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_ascii_strcasecmp(word ? word : words[0], words[i]) == 0) {
			*what_out = (What)i;
			return true;
		}
	}
	return false;
}

static bool
absent(const HfSet *set, What what, const char *why, GError **error)
{
	return hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" has no %s%s%s", set->id, words[what],
			    why ? ": " : "", why ? why : "");
}

/* Either of the two is set where the set has what is wanted. */
typedef struct {
	const HfArchive *archive;
	char *key;
} Place;

static bool
find_place(const HfSet *set, What what, Place *place_out, GError **error)
{
	const HfDatabaseRecord *database = set->manifest->database;
	const HfImagesRecord *images = set->manifest->images;
	const HfArchive *archives[] = {
		[CAT_DATABASE] = database ? database->archive : NULL,
		[CAT_GLOBALS] = database ? database->globals : NULL,
		[CAT_INDEX] = database ? database->index
			      : images ? images->index
				       : NULL,
		[CAT_MANIFEST] = NULL,
		[CAT_RESTORE] = NULL,
	};

	*place_out = (Place){archives[what], NULL};
	if (what == CAT_MANIFEST || what == CAT_RESTORE) {
		if (set->is_adopted)
			return absent(set, what, "it was made by another program", error);
		place_out->key = what == CAT_MANIFEST ? hf_name_manifest(set->id) : hf_name_restore(set->id);
		return true;
	}
	if (!archives[what])
		return absent(set, what, what == CAT_GLOBALS && database ? database->globals_absent : NULL,
			      error);
	return true;
}

static bool
copy(HfStore *store, const HfSet *set, What what, GError **error)
{
	uint64_t bytes = 0;
	g_autoptr(HfStage) chain = hf_meter_new(hf_sink_fd_new(STDOUT_FILENO, "standard output"), &bytes);
	g_autofree char *key = NULL;
	Place place;
	bool ok;

	if (!find_place(set, what, &place, error))
		return false;
	key = place.key;
	ok = place.archive ? hf_archive_read(store, place.archive, chain, error)
			   : hf_store_read(store, key, HF_WHOLE, chain, error);
	if (!ok && bytes > 0)
		g_prefix_error(error, "what was written so far must not be used: ");
	return ok && hf_stage_finish(chain, error);
}

/* A set that holds no image can only have been asked for one of the words. */
static bool
explain(const char *key, GError **error)
{
	g_autofree char *all = g_strdup_printf("%s, %s, %s, %s or %s", words[0], words[1], words[2], words[3],
					       words[4]);

	g_prefix_error(error,
		       "\"%s\" is no part of a set (%s), so it is taken for the key of an image: ", key, all);
	return false;
}

static bool
copy_image(HfStore *store, const char *id, const char *key, GError **error)
{
	uint64_t bytes = 0;
	g_autoptr(HfStage) chain = hf_meter_new(hf_sink_fd_new(STDOUT_FILENO, "standard output"), &bytes);
	g_autoptr(HfManifest) manifest = hf_cli_find_images(store, id, error);
	g_autoptr(HfImage) image = NULL;

	if (!manifest)
		return given.object ? false : explain(key, error);
	image = hf_image_index_find(store, manifest, key, error);
	if (!image)
		return false;
	if (hf_image_read(store, manifest, image, chain, error))
		return hf_stage_finish(chain, error);
	if (bytes > 0)
		g_prefix_error(error, "what was written so far must not be used: ");
	return false;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	const char *key = given.object;
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSet) set = NULL;
	What what = CAT_DATABASE;

	if (key && arguments[1])
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--object \"%s\" and \"%s\": one of them is wanted", key, arguments[1]);
	store = hf_store_open_from(cli->settings, given.from, error);
	if (!store)
		return false;
	if (key || !parse_what(arguments[1], &what))
		return copy_image(store, arguments[0], key ? key : arguments[1], error);
	set = hf_catalog_find(store, arguments[0], error);
	if (!set)
		return false;
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id,
				    set->trouble);
	return copy(store, set, what, error);
}

static GOptionEntry options[] = {{"object", 0, 0, G_OPTION_ARG_STRING, &given.object,
				  "The image of this key, also where it is spelled like one of the words",
				  "KEY"},
				 HF_FROM_OPTION(&given.from),
				 {0}};

const HfCommand hf_command_cat = {
	"cat",
	"SET [WHAT]",
	1,
	2,
	"write a part of a set, or one image, to standard output",
	"WHAT is database (the dump as plain SQL, the default), globals (the roles as SQL), index (the "
	"tables, or else "
	"the images, JSON lines), manifest or restore.txt; anything else is the key of an image, which is "
	"read by one "
	"ranged request. Every digest is checked on the way: where the exit status is not 0, do not use "
	"what was "
	"written.\n\n"
	"    holdfast cat latest | psql -X -v ON_ERROR_STOP=1 postgres://...\n\n"
	"    holdfast cat latest avatars/42.jpg >42.jpg\n\n" HF_SET_HELP,
	options,
	true,
	run};
