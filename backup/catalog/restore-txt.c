#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/restore-txt-impl.h"
#include "backup/catalog/restore-txt.h"
#include "backup/catalog/names.h"
#include "common/clock.h"

#include <string.h>

/* What stands in a comment: control characters, a line end above all, would end the comment and be run. */
static char *
for_comment(const char *text)
{
	g_autofree char *plain = g_utf8_make_valid(text ? text : "not known", -1);

	for (char *byte = plain; *byte; byte++)
		if (g_ascii_iscntrl(*byte))
			*byte = '?';
	return g_steal_pointer(&plain);
}

void
hf_restore_comment(GString *out, const char *label, const char *value)
{
	g_autofree char *plain = for_comment(value);

	g_string_append_printf(out, "#   %-10s %s\n", label, plain);
}

static void
assign(GString *out, const char *variable, const char *value)
{
	g_autofree char *quoted = g_shell_quote(value);

	g_string_append_printf(out, "%s=%s\n", variable, quoted);
}

static bool
is_bucket(const HfStore *store)
{
	return g_str_has_prefix(hf_store_location(store), "s3://");
}

static void
put_database_what(GString *out, const HfDatabaseRecord *database)
{
	g_autofree char *locale = g_strdup_printf("%s, %s", database->encoding, database->collate);
	g_autofree char *size = g_strdup_printf(
		"%" G_GUINT64_FORMAT " bytes of SQL in %u part(s) of %" G_GUINT64_FORMAT " bytes together",
		database->archive->plain_bytes, database->archive->parts->len,
		database->archive->packed_bytes);
	g_autofree char *rows = g_strdup_printf("%" G_GUINT64_FORMAT " in %" G_GUINT64_FORMAT " tables",
						database->rows, database->tables);

	hf_restore_comment(out, "database", database->name);
	hf_restore_comment(out, "server", database->server_version);
	hf_restore_comment(out, "pg_dump", database->dump_version);
	hf_restore_comment(out, "encoding", locale);
	hf_restore_comment(out, "rows", rows);
	hf_restore_comment(out, "size", size);
}

static void
put_what(GString *out, const HfManifest *manifest)
{
	g_autofree char *started = hf_clock_rfc3339(manifest->started_s);

	g_string_append_printf(out, "# Backup set %s, and how to restore it with stock tools alone.\n#\n",
			       manifest->id);
	hf_restore_comment(out, "taken", started);
	hf_restore_comment(out, "on host", manifest->host);
	if (manifest->note)
		hf_restore_comment(out, "note", manifest->note);
	if (manifest->database)
		put_database_what(out, manifest->database);
	if (manifest->images)
		hf_restore_images_what(out, manifest);
	g_string_append(out, "#\n");
}

static void
put_database_how(GString *out, const HfDatabaseRecord *database)
{
	g_autofree char *version = for_comment(database->dump_version);

	g_string_append_printf(
		out,
		"# It makes a new database and fills it.  The server is named by libpq's usual variables\n"
		"# (PGHOST, PGPORT, PGUSER, PGPASSWORD); the new database has the old name unless\n"
		"# RESTORE_DATABASE says another.  It must not exist.  RESTORE_GLOBALS=no leaves out the "
		"roles.\n"
		"#\n"
		"# It needs createdb and psql of version %s or newer: the dump begins with \\restrict, which "
		"a\n"
		"# psql older than the pg_dump that wrote it refuses (install postgresql-client).\n"
		"#\n",
		version);
}

/* What unpacks: the whole set is of one kind, except that earlier archives may be of another. */
static void
put_needs(GString *out, const HfStore *store)
{
	g_autofree char *plain = for_comment(hf_store_location(store));

	g_string_append_printf(out, "# It needs sha256sum, gunzip or zstd for names in .gz or .zst%s.\n",
			       is_bucket(store) ? ", and aws (awscli)" : "");
	if (is_bucket(store))
		g_string_append_printf(out,
				       "# The files are read from %s; awscli's usual variables say in whose\n"
				       "# name.  Each is read twice: to be checked, then to be restored.\n",
				       plain);
	else
		g_string_append(out, "# The files are expected beside this one.\n");
}

/* Any of what the commands read. */
static bool
is_encrypted(const HfManifest *manifest)
{
	const HfDatabaseRecord *database = manifest->database;
	const HfImagesRecord *images = manifest->images;

	if (database &&
	    (database->archive->is_encrypted || (database->globals && database->globals->is_encrypted)))
		return true;
	for (guint i = 0; images && i < images->archives->len; i++)
		if (((const HfImageArchive *)g_ptr_array_index(images->archives, i))->archive->is_encrypted)
			return true;
	return images && images->dead && images->dead->is_encrypted;
}

/* The script checks what it reads against digests of its own; this says whether the manifest, and who wrote it, is right. */
static void
put_signed(GString *out, const HfStore *store, const HfManifest *manifest)
{
	const HfSignKey *key = hf_keyring_signing_key(hf_store_keyring(store));
	g_autofree char *public_key = key ? hf_verify_key_to_text(&key->public_key) : NULL;
	g_autofree char *name = hf_name_manifest(manifest->id);

	if (key)
		g_string_append_printf(out,
				       "#\n# The manifest, which names every file with its SHA-256, is "
				       "signed.  minisign checks it, by\n"
				       "# the public key that you kept elsewhere; if nobody changed this "
				       "text, it is this one:\n#\n"
				       "#   minisign -Vm %s -P %s\n",
				       name, public_key);
}

static void
put_how(GString *out, const HfStore *store, const HfManifest *manifest)
{
	g_autofree char *name = hf_name_restore(manifest->id);

	g_string_append_printf(out, "# This text is also a shell script:\n#\n#   sh %s\n#\n", name);
	if (manifest->database)
		put_database_how(out, manifest->database);
	if (manifest->images)
		hf_restore_images_how(out, manifest);
	if (manifest->database && manifest->images)
		g_string_append(
			out, "# RESTORE_ONLY=database or RESTORE_ONLY=images restores one of the two.\n#\n");
	put_needs(out, store);
	put_signed(out, store, manifest);
	if (is_encrypted(manifest))
		g_string_append(out, "#\n# Names in .age are encrypted: it needs age, and RESTORE_IDENTITY, "
				     "the file with the secret key\n"
				     "# (AGE-SECRET-KEY-1...).  Where it was a passphrase leave "
				     "RESTORE_IDENTITY unset: age asks.\n");
}

static void
put_fetch_alone(GString *out, const HfStore *store, HfRestorePlace place)
{
	const char *endpoint = hf_store_endpoint(store);

	if (!is_bucket(store)) {
		g_string_append(out, place == HF_RESTORE_BESIDE
					     ? "fetch() { cat \"$(dirname \"$0\")/$1\"; }\n"
					     : "cd \"$(dirname \"$0\")\"\nfetch() { cat \"./$1\"; }\n");
		return;
	}
	assign(out, "bucket", hf_store_location(store));
	if (endpoint)
		assign(out, "endpoint", endpoint);
	g_string_append_printf(out, "fetch() { aws s3 cp --only-show-errors %s\"$bucket/$1\" -; }\n",
			       endpoint ? "--endpoint-url \"$endpoint\" " : "");
}

void
hf_restore_put_fetch(GString *out, const HfStore *store, HfRestorePlace place)
{
	g_string_append(out, "\n# Where the files are.\n");
	if (place != HF_RESTORE_UNLESS_SAID) {
		put_fetch_alone(out, store, place);
		return;
	}
	g_string_append(out, "if [ -z \"${place:-}\" ]; then\n");
	put_fetch_alone(out, store, place);
	g_string_append(out, "fi\n");
}

/* Names say what is encrypted; earlier archives of the same set of images need not be. */
#define STREAM_ENCRYPTED \
	"# What age asks for or is given: the file with the secret key, or, where there is none, a " \
	"passphrase.\n" \
	"unlock() {\n" \
	"\tcase $1 in\n" \
	"\t*.age) age -d ${RESTORE_IDENTITY:+-i \"$RESTORE_IDENTITY\"} || note \"decrypting $1\" ;;\n" \
	"\t*) cat ;;\n" \
	"\tesac\n" \
	"}\n" \
	"stream() {\n" \
	"\tfor file in \"$@\"; do\n" \
	"\t\t{ fetch \"$file\" || note \"reading $file\"; } | unlock \"$file\"\n" \
	"\tdone\n" \
	"}\n"
#define STREAM_PLAIN "stream() { for file in \"$@\"; do fetch \"$file\" || note \"reading $file\"; done; }\n"

/* The functions that the commands below it use. */
static void
put_functions(GString *out, bool is_encrypted)
{
	g_string_append_printf(
		out,
		"\n"
		"# A file is used only if its SHA-256 is the recorded one.\n"
		"check() {\n"
		"\techo \"checking $2\"\n"
		"\tsum=$(fetch \"$2\" | sha256sum)\n"
		"\tif [ \"${sum%%%% *}\" != \"$1\" ]; then\n"
		"\t\techo \"$2 is missing or damaged: its SHA-256 is not $1\" >&2\n"
		"\t\texit 1\n"
		"\tfi\n"
		"}\n"
		"\n"
		"# A pipe only tells how its last command ended, and psql takes a cut stream for a "
		"whole one.\n"
		"# So whatever fails in front of psql leaves a note, and a note means that the restore "
		"failed.\n"
		"notes=$(mktemp)\n"
		"trap 'rm -f \"$notes\"' EXIT\n"
		"trap 'exit 1' HUP INT TERM\n"
		"note() { echo \"$1 failed\" >>\"$notes\"; }\n"
		"%s"
		"settle() {\n"
		"\tif [ \"$1\" -ne 0 ] || [ -s \"$notes\" ]; then\n"
		"\t\tcat \"$notes\" >&2\n"
		"\t\techo \"the restore FAILED: what is in $2 is not whole\" >&2\n"
		"\t\texit 1\n"
		"\tfi\n"
		"}\n",
		is_encrypted ? STREAM_ENCRYPTED : STREAM_PLAIN);
}

static const char *
unpack_command(HfCompressionKind kind)
{
	switch (kind) {
	case HF_COMPRESSION_GZIP:
		return "{ gunzip -c || note gunzip; }";
	case HF_COMPRESSION_ZSTD:
		return "{ zstd -dcq || note zstd; }";
	case HF_COMPRESSION_NONE:
		return "cat";
	}
	g_assert_not_reached();
}

/* Names of a set hold no character that a shell looks at (docs/format.md, "Names"), so they stand as they are. */
void
hf_restore_checks(GString *out, const HfArchive *archive)
{
	for (guint i = 0; i < archive->parts->len; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);

		g_string_append_printf(out, "check %s %s\n", part->sha256, part->key);
	}
}

void
hf_restore_stream(GString *out, const HfArchive *archive)
{
	g_string_append(out, "{ stream");
	for (guint i = 0; i < archive->parts->len; i++)
		g_string_append_printf(out, " \\\n\t%s",
				       ((const HfPart *)g_ptr_array_index(archive->parts, i))->key);
	g_string_append_printf(out, "; } | %s", unpack_command(archive->compression));
}

static void
put_globals(GString *out, const HfDatabaseRecord *database)
{
	g_autofree char *why = NULL;

	g_string_append(out, "\n# 2. Roles and their memberships.\n");
	if (!database->globals) {
		why = for_comment(database->globals_absent);
		g_string_append_printf(
			out, "# This set has none: %s.\n# The roles that own things must exist before.\n",
			why);
		return;
	}
	g_string_append(
		out, "# \"already exists\" is expected here for roles that are there, and is no fault; so\n"
		     "# psql goes on behind errors.\n"
		     "if [ \"${RESTORE_GLOBALS:-yes}\" = yes ]; then\n"
		     "echo \"restoring roles\"\n"
		     "status=0\n");
	hf_restore_stream(out, database->globals);
	g_string_append(
		out,
		" |\n\tPGDATABASE=postgres psql -X -q || status=$?\nsettle $status \"the database\"\nfi\n");
}

static void
put_create(GString *out, const HfDatabaseRecord *database)
{
	g_string_append(out, "\n# 3. The database, of the same encoding and locale.\n");
	assign(out, "encoding", database->encoding ? database->encoding : "UTF8");
	g_string_append(out, "set -- --template=template0 --encoding=\"$encoding\"\n");
	if (database->collate) {
		assign(out, "collate", database->collate);
		g_string_append(out, "set -- \"$@\" --lc-collate=\"$collate\"\n");
	}
	if (database->ctype) {
		assign(out, "ctype", database->ctype);
		g_string_append(out, "set -- \"$@\" --lc-ctype=\"$ctype\"\n");
	}
	g_string_append(out, "createdb \"$@\" -- \"$RESTORE_DATABASE\"\n");
}

static void
put_dump(GString *out, const HfDatabaseRecord *database)
{
	g_string_append(out, "\n# 4. The dump.  The name goes by PGDATABASE, since psql -d would take one "
			     "with \"=\" in it\n"
			     "# for connection settings.\n"
			     "echo \"restoring $RESTORE_DATABASE\"\n"
			     "status=0\n");
	hf_restore_stream(out, database->archive);
	g_string_append(out,
			" |\n\tPGDATABASE=\"$RESTORE_DATABASE\" psql -X -q -v ON_ERROR_STOP=1 >/dev/null ||\n"
			"\tstatus=$?\n"
			"settle $status \"the database\"\n"
			"echo \"restored $RESTORE_DATABASE\"\n");
}

static void
put_database(GString *out, const HfDatabaseRecord *database)
{
	g_string_append(out, "\n# 1. Everything is whole.\n");
	hf_restore_checks(out, database->archive);
	if (database->globals)
		hf_restore_checks(out, database->globals);
	put_globals(out, database);
	put_create(out, database);
	put_dump(out, database);
}

/* What comes from outside is settled in front of the script's own change of folder. */
static void
put_settings(GString *out, const HfManifest *manifest)
{
	g_string_append(out, "set -eu\n\n");
	if (manifest->database) {
		assign(out, "original", manifest->database->name ? manifest->database->name : "");
		g_string_append(out, "RESTORE_DATABASE=${RESTORE_DATABASE:-$original}\n");
	}
	if (is_encrypted(manifest))
		g_string_append(out, "RESTORE_IDENTITY=${RESTORE_IDENTITY:-}\n"
				     "case $RESTORE_IDENTITY in /* | '') ;; *) "
				     "RESTORE_IDENTITY=$PWD/$RESTORE_IDENTITY ;; esac\n");
	if (manifest->images)
		g_string_append(out, "images=${RESTORE_IMAGES:-images}\n"
				     "case $images in /*) ;; *) images=$PWD/$images ;; esac\n");
}

GBytes *
hf_restore_txt(const HfStore *store, const HfManifest *manifest)
{
	const bool has_both = manifest->database && manifest->images;
	GString *out = g_string_new("#!/bin/sh\n");
	gsize len;

	put_what(out, manifest);
	put_how(out, store, manifest);
	put_settings(out, manifest);
	hf_restore_put_fetch(out, store,
			     hf_keyring_hides_names(hf_store_keyring(store)) ? HF_RESTORE_UNLESS_SAID
									     : HF_RESTORE_GO_THERE);
	put_functions(out, is_encrypted(manifest));
	if (has_both)
		g_string_append(out, "\nif [ \"${RESTORE_ONLY:-database}\" = database ]; then\n");
	if (manifest->database)
		put_database(out, manifest->database);
	if (has_both)
		g_string_append(out, "fi\n\nif [ \"${RESTORE_ONLY:-images}\" = images ]; then\n");
	if (manifest->images)
		hf_restore_images(out, manifest);
	if (has_both)
		g_string_append(out, "fi\n");
	len = out->len;
	return g_bytes_new_take(g_string_free(out, FALSE), len);
}
