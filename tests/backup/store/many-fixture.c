#include "config.h"

#include "tests/backup/store/many-fixture.h"
#include "common/error.h"

#include <glib/gstdio.h>
#include <string.h>

GBytes *
many_content(guint32 seed, size_t len)
{
	guint32 *words = g_malloc(len + sizeof *words);
	guint32 state = seed * 2654435761u + 1;

	for (size_t i = 0; i <= len / sizeof *words; i++) {
		/* Marsaglia, "Xorshift RNGs", 2003: 13, 17, 5. */
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		words[i] = state;
	}
	return g_bytes_new_take(words, len);
}

size_t
many_size(guint32 i)
{
	guint32 mixed = (i + 1) * 2654435761u;

	if (i % 17 == 3)
		return 0;
	return i % 3 == 0 ? mixed % 300001 : mixed % 20000;
}

const char *
many_key(guint32 i)
{
	static char key[16];

	g_snprintf(key, sizeof key, "%05u.jpg", i);
	return key;
}

char *
many_folder_new(void)
{
	g_autoptr(GError) error = NULL;
	char *folder = g_dir_make_tmp("holdfast-many-XXXXXX", &error);

	g_assert_no_error(error);
	return folder;
}

static void
remove_all(const char *path)
{
	g_autoptr(GDir) folder = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);

	for (const char *name; folder && (name = g_dir_read_name(folder));) {
		g_autofree char *inside = g_build_filename(path, name, NULL);

		remove_all(inside);
	}
	g_remove(path);
}

void
many_folder_free(char *folder)
{
	remove_all(folder);
	g_free(folder);
}

void
many_put(HfStore *store, guint32 count)
{
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GError) error = NULL;

	for (guint32 i = 0; i < count; i++) {
		g_autoptr(GBytes) content = many_content(i, many_size(i));

		(void)!hf_put_object(put, many_key(i), NULL, content, &error);
		g_assert_no_error(error);
	}
	(void)!hf_put_finish(put, &error);
	g_assert_no_error(error);
}

void
many_ask(HfFetch *fetch, const char *key, uint64_t bytes)
{
	HfObject object = {.key = key, .bytes = bytes};

	hf_fetch_ask(fetch, &object);
}

void
many_ask_all(HfFetch *fetch, guint32 count)
{
	for (guint32 i = 0; i < count; i++)
		many_ask(fetch, many_key(i), many_size(i));
	g_assert_cmpuint(hf_fetch_pending(fetch), ==, count);
}

const HfFetched *
many_next(HfFetch *fetch)
{
	g_autoptr(GError) error = NULL;
	const HfFetched *fetched = NULL;

	(void)!hf_fetch_next(fetch, &fetched, &error);
	g_assert_no_error(error);
	return fetched;
}

void
many_want_all(HfFetch *fetch, guint32 count, const char *but)
{
	for (guint32 i = 0; i < count; i++) {
		g_autoptr(GBytes) content = many_content(i, many_size(i));
		const HfFetched *fetched = many_next(fetch);

		g_assert_nonnull(fetched);
		g_assert_cmpstr(fetched->key, ==, many_key(i));
		if (but && strcmp(but, many_key(i)) == 0)
			continue;
		g_assert_no_error(fetched->error);
		g_assert_cmpuint(fetched->bytes, ==, many_size(i));
		g_assert_nonnull(fetched->etag);
		g_assert_nonnull(fetched->content);
		g_assert_true(g_bytes_equal(fetched->content, content));
	}
	g_assert_null(many_next(fetch));
	g_assert_cmpuint(hf_fetch_pending(fetch), ==, 0);
}
