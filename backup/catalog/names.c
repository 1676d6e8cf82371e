#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/manifest.h"
#include "common/clock.h"

#include <string.h>

/* Levels of proof that there are: docs/design.md, section 5. */
#define LEVEL_MAX 4

char *
hf_name_stem(const char *prefix, const char *id)
{
	return g_strdup_printf("%s_%s", prefix, id);
}

char *
hf_name_manifest(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.json", id);
}

char *
hf_name_restore(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.RESTORE.txt", id);
}

char *
hf_name_restore_sealed(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.RESTORE.txt.age", id);
}

char *
hf_name_claim(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.claim", id);
}

char *
hf_name_proof(const char *id, int level)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.level%d.json", id, level);
}

char *
hf_name_hold(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.hold.json", id);
}

/* ---- exactly our names ---- */

/* ".part0002" or nothing: at least four digits, from 2 on. */
static const char *
skip_part(const char *rest)
{
	const char *digits = rest + strlen(".part");
	size_t count;

	if (!g_str_has_prefix(rest, ".part"))
		return rest;
	count = strspn(digits, "0123456789");
	return count >= 4 && count <= 9 && g_ascii_strtoull(digits, NULL, 10) >= 2 ? digits + count : rest;
}

/* An extension, then a compression's suffix, then that of encryption. */
static bool
is_ending(const char *rest, const char *extension)
{
	static const char *const suffixes[] = {".gz", ".zst", "", NULL};

	if (!g_str_has_prefix(rest, extension))
		return false;
	rest += strlen(extension);
	for (const char *const *suffix = suffixes; *suffix; suffix++)
		if (g_str_has_prefix(rest, *suffix)) {
			rest += strlen(*suffix);
			break;
		}
	return *rest == '\0' || strcmp(rest, ".age") == 0;
}

static bool
is_archive_ending(const char *rest, HfNameKind kind)
{
	static const char *const of_database[] = {HF_EXT_DUMP, HF_EXT_GLOBALS, HF_EXT_INDEX, NULL};
	static const char *const of_images[] = {HF_EXT_TARBALL, HF_EXT_INDEX,      HF_EXT_TOP, HF_EXT_PARITY,
						HF_EXT_DEAD,    HF_EXT_REFERENCES, NULL};
	const char *const *extensions = kind == HF_NAME_IMAGES ? of_images : of_database;

	rest = skip_part(rest);
	for (; *extensions; extensions++)
		if (is_ending(rest, *extensions))
			return true;
	return false;
}

char *
hf_name_failed_proof(const char *id, int level)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.failed%d.json", id, level);
}

char *
hf_name_suspect(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.suspect.json", id);
}

char *
hf_name_accepted(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.accepted.json", id);
}

char *
hf_name_deletion(const char *id)
{
	return g_strdup_printf(HF_SET_PREFIX "_%s.deleted.json", id);
}

/*
 * The time in a name, in our form or one that differs in its separators only: "2024-01-15T02:00:00" and
 * "2024-01-15T02-00-00-000Z" are of the earlier implementation.
 */
static void
read_time(const char *text, HfName *name)
{
	char form[HF_SET_ID_LEN + 1];

	if (g_strlcpy(form, text, sizeof form) < HF_SET_ID_LEN)
		return;
	if (form[10] == 'T' || form[10] == ' ')
		form[10] = '_';
	for (int i = 13; i <= 16; i += 3)
		if (form[i] == ':' || form[i] == '.' || form[i] == '_')
			form[i] = '-';
	if (hf_clock_parse_set_id(form, &name->time_s))
		g_strlcpy(name->id, form, sizeof name->id);
}

/* "<word>N.json" as N, or 0. */
static int
read_level(const char *rest, const char *word)
{
	const char *digit = rest + strlen(word);

	return g_str_has_prefix(rest, word) && *digit >= '1' && *digit <= '0' + LEVEL_MAX &&
			       strcmp(digit + 1, ".json") == 0
		       ? *digit - '0'
		       : 0;
}

static HfNameKind
kind_beside(const char *rest, HfName *name)
{
	static const struct {
		const char *rest;
		HfNameKind kind;
	} names[] = {
		{".json", HF_NAME_MANIFEST},          {".claim", HF_NAME_CLAIM},
		{".hold.json", HF_NAME_HOLD},         {".RESTORE.txt", HF_NAME_BESIDE},
		{".RESTORE.txt.age", HF_NAME_BESIDE}, {".suspect.json", HF_NAME_SUSPECT},
		{".accepted.json", HF_NAME_ACCEPTED}, {".json.minisig", HF_NAME_SIGNATURE},
		{".deleted.json", HF_NAME_DELETION},  {".deleted.json.minisig", HF_NAME_DELETION},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(rest, names[i].rest) == 0)
			return names[i].kind;
	name->level = read_level(rest, ".level");
	if (name->level > 0)
		return HF_NAME_PROOF;
	name->level = read_level(rest, ".failed");
	return name->level > 0 ? HF_NAME_FAILED : HF_NAME_OTHER;
}

/* "backup_<id>..." */
static HfName
read_set_name(const char *rest)
{
	HfName name = {0};
	int64_t time_s;

	if (!hf_clock_parse_set_id(rest, &time_s))
		return name;
	name.time_s = time_s;
	g_strlcpy(name.id, rest, sizeof name.id);
	name.kind = kind_beside(rest + HF_SET_ID_LEN, &name);
	name.is_own = name.kind != HF_NAME_OTHER;
	return name;
}

/* "database_backup_..." */
static HfName
read_archive_name(const char *rest, HfNameKind kind, const char *extension)
{
	HfName name = {.kind = kind};
	const char *part = strstr(rest, ".part");

	read_time(rest, &name);
	name.has_own_form = name.id[0] && g_str_has_prefix(rest, name.id) && rest[HF_SET_ID_LEN] == '.';
	name.is_own = name.has_own_form && is_archive_ending(rest + HF_SET_ID_LEN, kind);
	name.is_later_part = part && g_ascii_isdigit(part[5]);
	name.is_adoptable = g_str_has_suffix(rest, extension) && !name.is_later_part &&
			    !strstr(rest, ".globals.") && !strchr(rest, '/');
	return name;
}

HfName
hf_name_read(const char *key)
{
	if (g_str_has_prefix(key, HF_SET_PREFIX "_"))
		return read_set_name(key + strlen(HF_SET_PREFIX "_"));
	if (g_str_has_prefix(key, HF_DATABASE_PREFIX "_"))
		return read_archive_name(key + strlen(HF_DATABASE_PREFIX "_"), HF_NAME_DATABASE, ".sql.gz");
	if (g_str_has_prefix(key, HF_IMAGES_PREFIX "_"))
		return read_archive_name(key + strlen(HF_IMAGES_PREFIX "_"), HF_NAME_IMAGES, ".tar.gz");
	return (HfName){0};
}

HfKeeping
hf_name_keeping(const char *key)
{
	HfName name = hf_name_read(key);

	switch (name.kind) {
	case HF_NAME_DATABASE:
		return strstr(key, HF_EXT_DUMP) ? HF_KEEPING_BULK : HF_KEEPING_SET;
	case HF_NAME_IMAGES:
		return strstr(key, HF_EXT_TARBALL) ? HF_KEEPING_BULK : HF_KEEPING_SET;
	case HF_NAME_MANIFEST:
	case HF_NAME_SIGNATURE:
	case HF_NAME_BESIDE:
	case HF_NAME_SUSPECT:
		return HF_KEEPING_SET;
	case HF_NAME_PROOF:
	case HF_NAME_FAILED:
	case HF_NAME_ACCEPTED:
	case HF_NAME_CLAIM:
	case HF_NAME_HOLD:
	case HF_NAME_DELETION:
	case HF_NAME_OTHER:
		return HF_KEEPING_LOOSE;
	}
	g_assert_not_reached();
}
