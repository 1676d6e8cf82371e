#include "config.h"

#include "backup/catalog/restore-txt-impl.h"

void
hf_restore_images_what(GString *out, const HfManifest *manifest)
{
	const HfImagesRecord *images = manifest->images;
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
						" bytes together, in %u archive(s)",
						images->objects, images->bytes, images->archives->len);
	g_autofree char *troubled = g_strdup_printf(
		"%" G_GUINT64_FORMAT " could not be read and are not in the set", images->troubled);

	hf_restore_comment(out, "images", size);
	hf_restore_comment(out, "source", images->source);
	if (images->troubled > 0)
		hf_restore_comment(out, "missing", troubled);
}

void
hf_restore_images_how(GString *out, const HfManifest *manifest)
{
	(void)manifest;
	g_string_append(
		out,
		"# The images go into the folder RESTORE_IMAGES (\"images\" in the current one where it is\n"
		"# not set), which must not hold anything yet.  It takes GNU tar and GNU xargs.\n"
		"#\n"
		"# A key that is no name of a file that tar would extract as it is lies in _escaped/: there\n"
		"# %XX is the byte of that hexadecimal number, and \"~/\" joins what was cut in pieces.\n"
		"# Content types and the like are extended attributes of the entries: add\n"
		"# --xattrs --xattrs-include='user.*' to tar where the file system has them.\n"
		"#\n");
}

static void
put_folder(GString *out)
{
	g_string_append(out, "\n# The images' folder.\n"
			     "if [ -n \"$(ls -A \"$images\" 2>/dev/null)\" ]; then\n"
			     "\techo \"$images is not empty: name another folder in RESTORE_IMAGES\" >&2\n"
			     "\texit 1\n"
			     "fi\n"
			     "mkdir -p -- \"$images\"\n");
}

/* Each archive's own note is taken out again: no key is stored under that name. */
static void
put_archive(GString *out, const HfImageArchive *archive)
{
	g_string_append_printf(out, "echo \"extracting the images of %s\"\nstatus=0\n", archive->set_id);
	hf_restore_stream(out, archive->archive);
	g_string_append(out, " |\n\ttar -x -f - -C \"$images\" --no-same-owner || status=$?\n"
			     "settle $status \"$images\"\n"
			     "rm -f -- \"$images/manifest.json\"\n");
}

static void
put_dead(GString *out, const HfArchive *dead)
{
	g_string_append(
		out,
		"\n# What the archives hold and the set does not: removed since, or under another name now.\n"
		"status=0\n");
	hf_restore_stream(out, dead);
	g_string_append(out, " |\n\t(cd -- \"$images\" && xargs -r -d '\\n' rm -f --) || status=$?\n"
			     "settle $status \"$images\"\n"
			     "find \"$images\" -mindepth 1 -type d -empty -delete\n");
}

void
hf_restore_images(GString *out, const HfManifest *manifest)
{
	const HfImagesRecord *images = manifest->images;

	put_folder(out);
	g_string_append(out, "\n# Every archive is whole.\n");
	for (guint i = 0; i < images->archives->len; i++)
		hf_restore_checks(out, ((HfImageArchive *)g_ptr_array_index(images->archives, i))->archive);
	if (images->dead)
		hf_restore_checks(out, images->dead);
	g_string_append(out, "\n# The archives, in this order: later ones write over what changed.\n");
	for (guint i = 0; i < images->archives->len; i++)
		put_archive(out, g_ptr_array_index(images->archives, i));
	if (images->dead)
		put_dead(out, images->dead);
	g_string_append_printf(out, "echo \"restored %" G_GUINT64_FORMAT " images into $images\"\n",
			       images->objects);
}
