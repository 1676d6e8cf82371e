#include "config.h"

#include "tests/backup/job/images-world.h"
#include "backup/stage/sink.h"

#include <string.h>

World *
world_new(void)
{
	World *world = g_new0(World, 1);

	world->fixture = fixture_new();
	world->source = memstore_new();
	world->options.source = world->source;
	return world;
}

void
world_free(World *world)
{
	hf_store_free(world->source);
	fixture_free(world->fixture);
	g_free(world);
}

void
world_put(World *world, const char *key, const char *text)
{
	memstore_put(world->source, key, text, strlen(text), "image/jpeg");
}

HfManifest *
world_backup(World *world)
{
	GError *error = NULL;
	HfManifest *manifest = hf_backup_images(world->fixture->store, &world->options, &error);

	g_assert_no_error(error);
	g_assert_nonnull(manifest);
	return manifest;
}

/* ---- what a set holds ---- */

static void
world_assert_image(const World *world, const HfManifest *manifest, const char *key, GBytes *content)
{
	GError *error = NULL;
	g_autoptr(HfImage) image = hf_image_index_find(world->fixture->store, manifest, key, &error);
	g_autoptr(HfStage) sink = hf_sink_bytes_new((size_t)64 << 20);
	g_autoptr(GBytes) bytes = NULL;

	g_assert_no_error(error);
	g_assert_true(hf_image_read(world->fixture->store, manifest, image, sink, &error));
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(sink, NULL));
	bytes = hf_sink_bytes_get(sink);
	g_assert_true(g_bytes_equal(bytes, content));
}

typedef struct {
	const World *world;
	const HfManifest *manifest;
	const char *folder;
	unsigned files;
} View;

static void
check_object(const char *key, GBytes *content, gpointer context)
{
	View *view = context;
	g_autoptr(HfImage)
		image = hf_image_index_find(view->world->fixture->store, view->manifest, key, NULL);
	g_autofree char *file = NULL;
	g_autofree char *text = NULL;
	gsize len;

	g_assert_nonnull(image);
	if (image->trouble)
		return;
	world_assert_image(view->world, view->manifest, key, content);
	file = g_build_filename(view->folder, image->path ? image->path : key, NULL);
	g_assert_true(g_file_get_contents(file, &text, &len, NULL));
	g_assert_cmpuint(len, ==, g_bytes_get_size(content));
	g_assert_true(memcmp(text, g_bytes_get_data(content, NULL), len) == 0);
	view->files++;
}

char *
world_shell(const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	char **copy = g_strdupv((char **)(uintptr_t)argv);
	g_autofree char *errors = NULL;
	char *output = NULL;
	int status = 0;

	g_assert_true(g_spawn_sync(NULL, copy, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors,
				   &status, NULL));
	g_strfreev(copy);
	if (status != 0 || *errors)
		g_test_message("%s\n%s%s", script, output, errors);
	g_assert_cmpstr(errors, ==, "");
	g_assert_cmpint(status, ==, 0);
	return output;
}

void
world_assert_is_source(const World *world, const HfManifest *manifest)
{
	g_autofree char *folder = g_dir_make_tmp("holdfast-restored-XXXXXX", NULL);
	g_autofree char *restore = g_strdup_printf("RESTORE_IMAGES=%s sh %s/backup_%s.RESTORE.txt", folder,
						   world->fixture->folder, manifest->id);
	g_autofree char *count = g_strdup_printf("find %s -type f -printf .", folder);
	g_autofree char *cleanup = g_strdup_printf("rm -rf %s", folder);
	View view = {world, manifest, folder, 0};
	g_autofree char *dots = NULL;

	g_free(world_shell(restore));
	memstore_foreach(world->source, check_object, &view);
	dots = world_shell(count);
	g_assert_cmpuint(strlen(dots), ==, view.files);
	g_assert_cmpuint(manifest->images->objects, ==, view.files);
	g_free(world_shell(cleanup));
}

const char *const world_odd_keys[WORLD_ODD_KEYS] = {
	"a",           "a/b",          "a/b/c",        "a.jpg",  "with space",
	"p+q%2F",      "x//y",         "/lead",        "trail/", "../outside",
	"./dot",       "new\nline",    "bell\a",       "Case",   "case",
	"latin1-\xe9", "zażółć/ź.png", "_escaped/x",   "-rf",    "manifest.json",
	"~",           "back\\n",      "quote'\"$(x)", "C:\\w",  "_escaped/a%2Fb~/c",
};

void
world_put_odd_keys(World *world)
{
	for (size_t i = 0; i < WORLD_ODD_KEYS; i++)
		world_put(world, world_odd_keys[i], world_odd_keys[i]);
}
