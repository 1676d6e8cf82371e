#include "config.h"

#include "common/error.h"
#include "common/settings.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define NOTHING "/dev/null"

/* A file of its own for one test; removed when it goes out of scope. */
typedef struct {
	char *path;
} TempFile;

static void
temp_file_clear(TempFile *file)
{
	g_unlink(file->path);
	g_free(file->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TempFile, temp_file_clear)

static TempFile
temp_file(const char *text)
{
	char *path = g_build_filename(g_get_tmp_dir(), "holdfast-settings-XXXXXX", NULL);
	int fd = g_mkstemp(path);

	g_assert_cmpint(fd, >=, 0);
	close(fd);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	return (TempFile){path};
}

static HfSettings *
load(const char *const *environment, const char *env_file)
{
	g_autoptr(GError) error = NULL;
	HfSettings *settings = hf_settings_load_from(environment, env_file, &error);

	g_assert_no_error(error);
	return settings;
}

static void
test_defaults(void)
{
	g_autoptr(HfSettings) settings = load((const char *const[]){NULL}, NOTHING);

	g_assert_cmpstr(hf_settings_text(settings, HF_SET_BACKUP_DIR), ==, "./backups");
	g_assert_cmpstr(hf_settings_text(settings, HF_SET_BACKUP_COMPRESSION), ==, "gzip");
	g_assert_cmpint(hf_settings_number(settings, HF_SET_DB_PORT), ==, 5432);
	g_assert_cmpint(hf_settings_number(settings, HF_SET_ARCHIVE_BYTES), ==, INT64_C(100) << 30);
	g_assert_cmpstr(hf_settings_origin(settings, HF_SET_DB_PORT), ==, "default");
	g_assert_null(hf_settings_text(settings, HF_SET_DB_HOST));
	g_assert_null(hf_settings_origin(settings, HF_SET_DB_HOST));
}

static void
test_every_default_is_within_its_own_bounds(void)
{
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++) {
		const HfSetting *setting = hf_setting(id);

		g_assert_nonnull(setting->name);
		g_assert_nonnull(setting->help);
		g_assert_true(setting->max >= setting->min);
		g_assert_true(setting->type == HF_TYPE_TEXT || setting->type == HF_TYPE_SECRET ||
			      setting->type == HF_TYPE_FLAG || setting->max > 0);
	}
}

static void
test_replicas_are_numbered(void)
{
	static const struct {
		const char *setting, *said;
	} wrong[] = {
		{"REPLICA_5_BUCKET=b", "there are replicas 1 to 4, such as REPLICA_1_BUCKET"},
		{"REPLICA_0_SECRET_ACCESS_KEY_FILE=/f", "such as REPLICA_1_SECRET_ACCESS_KEY_FILE"},
		{"REPLICA_3_BUCKT=b", "did you mean REPLICA_3_BUCKET"},
		{"REPLICA_2_RETENTION_DAYS=x", "a whole number from 0 to 36500 is wanted"},
	};
	g_autoptr(HfSettings) settings = load(
		(const char *const[]){"REPLICA_2_BUCKET=b", "REPLICA_4_DIR=/nas", NULL}, "/dev/null");

	g_assert_false(hf_settings_has_replica(settings, 1));
	g_assert_true(hf_settings_has_replica(settings, 2));
	g_assert_true(hf_settings_has_replica(settings, 4));
	g_assert_cmpstr(hf_setting(HF_SET_REPLICA(3, HF_REPLICA_PREFIX))->name, ==, "REPLICA_3_PREFIX");
	g_assert_cmpstr(hf_setting(HF_SET_REPLICAS_LAST)->name, ==, "REPLICA_4_RETENTION_DAYS");
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		const char *const environment[] = {wrong[i].setting, NULL};
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_settings_load_from(environment, "/dev/null", &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
		g_assert_nonnull(strstr(error->message, wrong[i].said));
	}
}

static void
test_environment_counts_before_the_file(void)
{
	g_auto(TempFile) file = temp_file("DB_HOST=from-file\nDB_NAME=only-file\nBACKUP_DIR=/srv/b\n");
	g_autoptr(HfSettings) settings = load(
		(const char *const[]){"DB_HOST=from-environment", "BACKUP_DIR=", NULL}, file.path);

	g_assert_cmpstr(hf_settings_text(settings, HF_SET_DB_HOST), ==, "from-environment");
	g_assert_cmpstr(hf_settings_origin(settings, HF_SET_DB_HOST), ==, "environment");
	g_assert_cmpstr(hf_settings_text(settings, HF_SET_DB_NAME), ==, "only-file");
	g_assert_cmpstr(hf_settings_origin(settings, HF_SET_DB_NAME), ==, file.path);
	g_assert_cmpstr(hf_settings_text(settings, HF_SET_BACKUP_DIR), ==, "./backups");
}

static void
test_empty_is_not_set_but_told_apart(void)
{
	g_autoptr(HfSettings) settings = load((const char *const[]){"S3_BACKUP_BUCKET=", NULL}, NOTHING);

	g_assert_null(hf_settings_text(settings, HF_SET_S3_BACKUP_BUCKET));
	g_assert_true(hf_settings_is_empty(settings, HF_SET_S3_BACKUP_BUCKET));
	g_assert_false(hf_settings_is_empty(settings, HF_SET_AWS_BUCKET_NAME));
}

static void
test_alias_is_read_where_the_first_is_not_set(void)
{
	g_autoptr(HfSettings) alias = load((const char *const[]){"AWS_ACCESS_KEY=a", NULL}, NOTHING);
	g_autoptr(HfSettings)
		both = load((const char *const[]){"AWS_ACCESS_KEY=a", "AWS_ACCESS_KEY_ID=b", NULL}, NOTHING);

	g_assert_cmpstr(hf_settings_text(alias, HF_SET_AWS_ACCESS_KEY_ID), ==, "a");
	g_assert_cmpstr(hf_settings_text(both, HF_SET_AWS_ACCESS_KEY_ID), ==, "b");
}

/* ---- the env file ---- */

static void
test_env_file_forms(void)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"DB_NAME=plain", "plain"},
		{"DB_NAME = spaced  \n", "spaced"},
		{"export DB_NAME=exported\n", "exported"},
		{"\xef\xbb\xbf"
		 "DB_NAME=marked\r\n",
		 "marked"},
		{"# a comment\n\n  DB_NAME=after # comment\n", "after"},
		{"DB_NAME='single # $HOME \\n'\n", "single # $HOME \\n"},
		{"DB_NAME=\"a\\nb\" # comment\n", "a\nb"},
		{"DB_NAME=\"two\nlines\"\nDB_HOST=x\n", "two\nlines"},
		{"DB_NAME=`back 'tick\"`\n", "back 'tick\""},
		{"DB_NAME=a=b\n", "a=b"},
		{"DB_NAME=first\nDB_NAME=last\n", "last"},
		{"my.dotted-name=1\nCOLOUR=#fff\nDB_NAME=x\n", "x"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(TempFile) file = temp_file(cases[i].text);
		g_autoptr(HfSettings) settings = load((const char *const[]){NULL}, file.path);

		g_assert_cmpstr(hf_settings_text(settings, HF_SET_DB_NAME), ==, cases[i].expected);
	}
}

static void
test_bad_env_file_names_the_line(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"DB_NAME=x\nthis is prose\n", ":2: "},
		{"\n\nDB_NAME='open\n", ":3: the value of DB_NAME has no closing '"},
		{"A=\"1\n2\"\nDB_PASSWORD=\"hush\" more\n", ":3: text follows"},
		{"DB_PASSWORD=hush#hush\n", ":1: the value of DB_PASSWORD holds a \"#\""},
		{"=x\n", ":1: "},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(TempFile) file = temp_file(cases[i].text);
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_settings_load_from((const char *const[]){NULL}, file.path, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(error->message, file.path));
		g_assert_nonnull(strstr(error->message, cases[i].says));
		g_assert_null(strstr(error->message, "hush"));
	}
}

static void
test_a_named_env_file_must_exist(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_settings_load_from((const char *const[]){NULL}, "/nowhere/x.env", &error));
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
	g_assert_nonnull(strstr(error->message, "/nowhere/x.env"));
}

/* ---- what is refused, and what is none of our business ---- */

static void
test_refused(void)
{
	static const struct {
		const char *entry, *says;
	} cases[] = {
		{"DB_PORT=0", "DB_PORT \"0\": a whole number from 1 to 65535"},
		{"DB_PORT=65536", "65535"},
		{"DB_PORT=54 32", "DB_PORT"},
		{"DB_PORT=-1", "DB_PORT"},
		{"DB_PORT=99999999999999999999999", "DB_PORT"},
		{"ARCHIVE_BYTES=1", "ARCHIVE_BYTES \"1\": a size from 1.0"},
		{"ARCHIVE_BYTES=1P", "ARCHIVE_BYTES"},
		{"ARCHIVE_BYTES=9223372036854775807G", "ARCHIVE_BYTES"},
		{"S3_FORCE_PATH_STYLE=maybe", "true or false"},
		{"S3_TRIES=21", "from 1 to 20"},
		{"BACKUP_DIRS=x", "did you mean BACKUP_DIR?"},
		{"S3_BACKUP_BUKET=x", "did you mean S3_BACKUP_BUCKET?"},
		{"DATABSE_URL=x", "did you mean DATABASE_URL?"},
		{"DB_PASSWROD=x", "did you mean DB_PASSWORD?"},
		{"DB_PASSWORD_FLE=x", "did you mean DB_PASSWORD_FILE?"},
		{"AWS_ACESS_KEY=x", "did you mean AWS_ACCESS_KEY?"},
		{"DBHOST=x", "did you mean DB_HOST?"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(
			hf_settings_load_from((const char *const[]){cases[i].entry, NULL}, NOTHING, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(error->message, cases[i].says));
	}
}

static void
test_a_web_application_s_own_names_pass(void)
{
	g_autoptr(HfSettings) settings = load((const char *const[]){"DB_POOL_SIZE=5",
								    "DB_HOST2=x",
								    "DB_PASS=x",
								    "S3_SOMETHING=x",
								    "AWS_PROFILE=p",
								    "AWS_DEFAULT_REGION=r",
								    "AWS_ENDPOINT_URL_S3=u",
								    "IMAGES_PREFIX=i",
								    "IMAGES_DIR=/i",
								    "BACKUP_RETENTION_DAYS=30",
								    "JWT_SECRET=s",
								    "JWT_ADMIN_CLAIM=role",
								    "KEEP_LAST=3",
								    "S3_SSE=aws:kms",
								    "S3_USE_ACCELERATE=1",
								    "S3_OBJECT_LOCK_DAYS=3",
								    "BACKUP_RECIPIENTS=age1",
								    "BACKUP_IDENTITIES_FILE=/i",
								    "S3_MAX_PARTS=1000",
								    "ENABLE_DAILY_BACKUP=true",
								    "DAILY_BACKUP_SCHEDULE=0 2 * * *",
								    "TZ=UTC",
								    "IMAGE_REFERENCES_SQL=x",
								    NULL},
					      NOTHING);

	g_assert_nonnull(settings);
}

static void
test_a_near_miss_of_what_is_set_passes(void)
{
	g_autoptr(HfSettings)
		settings = load((const char *const[]){"DB_USER=u", "DB_USERS=10", NULL}, NOTHING);

	g_assert_cmpstr(hf_settings_text(settings, HF_SET_DB_USER), ==, "u");
}

static void
test_sizes_and_flags(void)
{
	static const struct {
		const char *entry;
		int64_t expected;
	} cases[] = {{"ARCHIVE_BYTES=1048576", 1 << 20},
		     {"ARCHIVE_BYTES=16M", 16 << 20},
		     {"ARCHIVE_BYTES=16mib", 16 << 20},
		     {"ARCHIVE_BYTES=2GB", INT64_C(2) << 30},
		     {"ARCHIVE_BYTES=2048K", 2 << 20}};
	g_autoptr(HfSettings) yes = load((const char *const[]){"S3_FORCE_PATH_STYLE=Yes", NULL}, NOTHING);
	g_autoptr(HfSettings) off = load((const char *const[]){"S3_FORCE_PATH_STYLE=off", NULL}, NOTHING);

	g_assert_true(hf_settings_flag(yes, HF_SET_S3_FORCE_PATH_STYLE));
	g_assert_false(hf_settings_flag(off, HF_SET_S3_FORCE_PATH_STYLE));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfSettings) settings = load((const char *const[]){cases[i].entry, NULL}, NOTHING);

		g_assert_cmpint(hf_settings_number(settings, HF_SET_ARCHIVE_BYTES), ==, cases[i].expected);
	}
}

/* ---- secrets ---- */

static void
test_secret_from_a_file(void)
{
	static const char *const texts[] = {"hush", "hush\n", "hush\r\n"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_auto(TempFile) file = temp_file(texts[i]);
		g_autofree char *entry = g_strconcat("DB_PASSWORD_FILE=", file.path, NULL);
		g_autoptr(HfSettings) settings = load((const char *const[]){entry, NULL}, NOTHING);

		g_assert_cmpstr(hf_secret_bytes(hf_settings_secret(settings, HF_SET_DB_PASSWORD)), ==,
				"hush");
		g_assert_cmpstr(hf_settings_origin(settings, HF_SET_DB_PASSWORD), ==, file.path);
		g_assert_null(hf_settings_text(settings, HF_SET_DB_PASSWORD));
	}
}

static void
test_secret_troubles_are_usage(void)
{
	g_auto(TempFile) empty = temp_file("\n");
	g_autofree char *from_empty = g_strconcat("DB_PASSWORD_FILE=", empty.path, NULL);
	const char *const environments[][3] = {
		{"DB_PASSWORD=hush", "DB_PASSWORD_FILE=/x", NULL},
		{"DB_PASSWORD_FILE=/nowhere/secret", NULL},
		{"DB_PASSWORD_FILE=/", NULL},
		{from_empty, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(environments); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_settings_load_from(environments[i], NOTHING, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(error->message, "DB_PASSWORD_FILE"));
		g_assert_null(strstr(error->message, "hush"));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/settings/defaults", test_defaults);
	g_test_add_func("/settings/every-default-is-within-its-own-bounds",
			test_every_default_is_within_its_own_bounds);
	g_test_add_func("/settings/replicas-are-numbered", test_replicas_are_numbered);
	g_test_add_func("/settings/environment-counts-before-the-file",
			test_environment_counts_before_the_file);
	g_test_add_func("/settings/empty-is-not-set-but-told-apart", test_empty_is_not_set_but_told_apart);
	g_test_add_func("/settings/alias-is-read-where-the-first-is-not-set",
			test_alias_is_read_where_the_first_is_not_set);
	g_test_add_func("/settings/env-file-forms", test_env_file_forms);
	g_test_add_func("/settings/bad-env-file-names-the-line", test_bad_env_file_names_the_line);
	g_test_add_func("/settings/a-named-env-file-must-exist", test_a_named_env_file_must_exist);
	g_test_add_func("/settings/refused", test_refused);
	g_test_add_func("/settings/a-web-application-s-own-names-pass",
			test_a_web_application_s_own_names_pass);
	g_test_add_func("/settings/a-near-miss-of-what-is-set-passes",
			test_a_near_miss_of_what_is_set_passes);
	g_test_add_func("/settings/sizes-and-flags", test_sizes_and_flags);
	g_test_add_func("/settings/secret-from-a-file", test_secret_from_a_file);
	g_test_add_func("/settings/secret-troubles-are-usage", test_secret_troubles_are_usage);
	return g_test_run();
}
