#include "config.h"

#include "common/settings.h"
#include "common/envfile.h"
#include "common/error.h"
#include "common/file.h"
#include "common/spelling.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

static const char *const default_env_files[] = {"./.env", "/etc/holdfast/holdfast.env"};
static const char from_environment[] = "environment";
static const char from_default[] = "default";

typedef struct {
	char *text; /* NULL for a secret */
	HfSecret *secret;
	int64_t number;
	char *origin;
	bool is_secret_file; /* origin is the file that NAME_FILE names */
	bool is_empty;
} Value;

struct HfSettings {
	Value values[HF_SETTING_COUNT];
};

/* What one place (the environment, the env file) says: names to values. */
typedef struct {
	GHashTable *names;
	const char *origin;
} Layer;

/* The environment first, then the env file. */
typedef struct {
	Layer layers[2];
} Sources;

static void
wipe(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	g_free(text);
}

static GHashTable *
names_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)wipe);
}

static GHashTable *
names_of_environment(const char *const *environment)
{
	GHashTable *names = names_new();

	for (; *environment; environment++) {
		const char *equals = strchr(*environment, '=');

		if (equals)
			g_hash_table_replace(names, g_strndup(*environment, (size_t)(equals - *environment)),
					     g_strdup(equals + 1));
	}
	return names;
}

/* ---- which names are ours ---- */

/* NAME or its alias, or for a secret NAME_FILE. */
static bool
is_named(const HfSetting *setting, const char *name)
{
	size_t len = strlen(setting->name);

	if (strcmp(name, setting->name) == 0 || g_strcmp0(name, setting->alias) == 0)
		return true;
	return setting->type == HF_TYPE_SECRET && strncmp(name, setting->name, len) == 0 &&
	       strcmp(name + len, "_FILE") == 0;
}

static bool
is_ours(const char *name)
{
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++)
		if (is_named(hf_setting(id), name))
			return true;
	return false;
}

static bool
is_given(const Sources *sources, const char *name)
{
	return g_hash_table_contains(sources->layers[0].names, name) ||
	       g_hash_table_contains(sources->layers[1].names, name);
}

/* A slip in REPLICA_2_BUCKET is not about replica 1. */
static bool
is_of_another_replica(const HfSetting *setting, const char *name)
{
	static const char prefix[] = "REPLICA_";
	const size_t at = strlen(prefix);

	return g_str_has_prefix(setting->name, prefix) && g_str_has_prefix(name, prefix) &&
	       g_ascii_isdigit(name[at]) && name[at] != setting->name[at];
}

/* Names that AWS's own tools know, and that are near to ours without being meant for them. */
static const char *const others_names[] = {"AWS_ENDPOINT_URL_S3", NULL};

/* The spelling of one of our names, itself not given, that name may be meant for; g_free() it. */
static char *
meant_by(const Sources *sources, const char *name)
{
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++) {
		const HfSetting *setting = hf_setting(id);
		g_autofree char *file_name = g_strconcat(setting->name, "_FILE", NULL);

		if (is_of_another_replica(setting, name))
			continue;
		if (is_given(sources, setting->name) || is_given(sources, file_name) ||
		    (setting->alias && is_given(sources, setting->alias)))
			continue;
		if (hf_spelling_is_near(name, setting->name))
			return g_strdup(setting->name);
		if (setting->alias && hf_spelling_is_near(name, setting->alias))
			return g_strdup(setting->alias);
		if (setting->type == HF_TYPE_SECRET && hf_spelling_is_near(name, file_name))
			return g_steal_pointer(&file_name);
	}
	return NULL;
}

/* REPLICA_5_BUCKET, REPLICA_0_DIR: one of ours but for a number that no replica has. */
static bool
check_replica(const char *name, const char *origin, GError **error)
{
	static const char prefix[] = "REPLICA_";
	const char *digits = name + strlen(prefix);
	size_t count = g_str_has_prefix(name, prefix) ? strspn(digits, "0123456789") : 0;
	g_autofree char *first = count > 0 ? g_strconcat(prefix, "1", digits + count, NULL) : NULL;

	if (!first || !is_ours(first) || is_ours(name))
		return true;
	return hf_error_set(error, HF_ERROR_USAGE,
			    "unknown setting %s (%s): there are replicas 1 to %d, such as %s", name, origin,
			    HF_REPLICAS_MAX, first);
}

/* Other names are none of our business: the environment and the .env are mostly the web application's. */
static bool
check_spelling(const Sources *sources, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sources->layers); i++) {
		GHashTableIter iter;
		gpointer name;

		g_hash_table_iter_init(&iter, sources->layers[i].names);
		while (g_hash_table_iter_next(&iter, &name, NULL)) {
			bool is_known = is_ours(name) || g_strv_contains(others_names, name);
			g_autofree char *meant = is_known ? NULL : meant_by(sources, name);

			if (!check_replica(name, sources->layers[i].origin, error))
				return false;
			if (meant)
				return hf_error_set(error, HF_ERROR_USAGE,
						    "unknown setting %s (%s): did you mean %s? Else unset it",
						    (char *)name, sources->layers[i].origin, meant);
		}
	}
	return true;
}

/* ---- values ---- */

static bool
refuse(const HfSetting *setting, const char *text, const char *allowed, GError **error)
{
	return hf_error_set(error, HF_ERROR_USAGE, "%s \"%s\": %s is wanted", setting->name, text, allowed);
}

static int64_t
unit_of(const char *suffix)
{
	static const struct {
		const char *suffix;
		int shift;
	} units[] = {{"", 0},     {"B", 0},  {"K", 10},  {"KB", 10},  {"KiB", 10}, {"M", 20},  {"MB", 20},
		     {"MiB", 20}, {"G", 30}, {"GB", 30}, {"GiB", 30}, {"T", 40},   {"TB", 40}, {"TiB", 40}};

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (g_ascii_strcasecmp(suffix, units[i].suffix) == 0)
			return INT64_C(1) << units[i].shift;
	return 0;
}

/* What a number may be, in words: "a whole number from 1 to 20". */
static char *
bounds_of(const HfSetting *setting)
{
	g_autofree char *min = NULL, *max = NULL;

	if (setting->type == HF_TYPE_NUMBER)
		return g_strdup_printf("a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
				       setting->min, setting->max);
	min = g_format_size_full((guint64)setting->min, G_FORMAT_SIZE_IEC_UNITS);
	max = g_format_size_full((guint64)setting->max, G_FORMAT_SIZE_IEC_UNITS);
	return g_strdup_printf("a size from %s to %s, such as \"16M\" or \"100G\",", min, max);
}

static bool
parse_number(const HfSetting *setting, const char *text, int64_t *number_out, GError **error)
{
	g_autofree char *allowed = bounds_of(setting);
	char *end = NULL;
	guint64 number = g_ascii_strtoull(text, &end, 10);
	int64_t unit;

	unit = setting->type == HF_TYPE_BYTES ? unit_of(end) : *end == 0;
	if (!g_ascii_isdigit(*text) || unit == 0 || number > (guint64)(setting->max / unit))
		return refuse(setting, text, allowed, error);
	*number_out = (int64_t)number * unit;
	return *number_out >= setting->min || refuse(setting, text, allowed, error);
}

static bool
parse_flag(const HfSetting *setting, const char *text, int64_t *number_out, GError **error)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_ascii_strcasecmp(text, words[i]) == 0) {
			*number_out = i % 2;
			return true;
		}
	}
	return refuse(setting, text, "true or false", error);
}

static bool
take(Value *value, const HfSetting *setting, const char *text, const char *origin, GError **error)
{
	value->origin = g_strdup(origin);
	switch (setting->type) {
	case HF_TYPE_TEXT:
		value->text = g_strdup(text);
		return true;
	case HF_TYPE_SECRET:
		value->secret = hf_secret_new(text, strlen(text), setting->name, error);
		return value->secret != NULL;
	case HF_TYPE_NUMBER:
	case HF_TYPE_BYTES:
		value->text = g_strdup(text);
		return parse_number(setting, text, &value->number, error);
	case HF_TYPE_FLAG:
		value->text = g_strdup(text);
		return parse_flag(setting, text, &value->number, error);
	}
	return false;
}

static bool
take_secret_file(Value *value, const HfSetting *setting, const char *path, GError **error)
{
	char *text = NULL;
	size_t len;

	if (!hf_file_read_small(path, HF_SECRET_BYTES_MAX + 2, &text, &len, error)) {
		g_prefix_error(error, "%s_FILE: ", setting->name);
		(*error)->code = HF_ERROR_USAGE;
		return false;
	}
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	value->origin = g_strdup(path);
	value->is_secret_file = true;
	value->secret = hf_secret_new(text, len, setting->name, error);
	OPENSSL_cleanse(text, strlen(text));
	g_free(text);
	if (value->secret && len == 0)
		return hf_error_set(error, HF_ERROR_USAGE, "%s_FILE: \"%s\" is empty", setting->name, path);
	return value->secret != NULL;
}

/* The value of name or, in the same place, alias; the environment counts before the env file. */
static const char *
look_up(const Sources *sources, const char *name, const char *alias, const char **origin_out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sources->layers); i++) {
		const Layer *layer = &sources->layers[i];
		const char *text = g_hash_table_lookup(layer->names, name);

		if ((!text || !*text) && alias && g_hash_table_contains(layer->names, alias))
			text = g_hash_table_lookup(layer->names, alias);
		*origin_out = layer->origin;
		if (text)
			return text;
	}
	return NULL;
}

static bool
load_secret(Value *value, const HfSetting *setting, const Sources *sources, GError **error)
{
	g_autofree char *file_name = g_strconcat(setting->name, "_FILE", NULL);
	const char *origin, *file_origin;
	const char *text = look_up(sources, setting->name, setting->alias, &origin);
	const char *path = look_up(sources, file_name, NULL, &file_origin);

	value->is_empty = text && !*text;
	if (path && *path && text && *text)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s (%s) and %s (%s) are both set: unset one of them", setting->name,
				    origin, file_name, file_origin);
	if (path && *path)
		return take_secret_file(value, setting, path, error);
	return !text || !*text || take(value, setting, text, origin, error);
}

static bool
load_value(Value *value, const HfSetting *setting, const Sources *sources, GError **error)
{
	const char *origin;
	const char *text;

	if (setting->type == HF_TYPE_SECRET)
		return load_secret(value, setting, sources, error);
	text = look_up(sources, setting->name, setting->alias, &origin);
	value->is_empty = text && !*text;
	if (text && *text)
		return take(value, setting, text, origin, error);
	return !setting->default_value || take(value, setting, setting->default_value, from_default, error);
}

/* XDG Base Directory Specification: state is below $XDG_STATE_HOME, by default ~/.local/state. */
static void
default_state_dir(Value *value, const Sources *sources)
{
	static const char system_wide[] = "/var/lib/holdfast";
	GHashTable *environment = sources->layers[0].names;
	const char *state_home = g_hash_table_lookup(environment, "XDG_STATE_HOME");
	const char *home = g_hash_table_lookup(environment, "HOME");

	if (value->origin)
		return;
	if (access(system_wide, W_OK | X_OK) == 0)
		value->text = g_strdup(system_wide);
	else if (state_home && g_path_is_absolute(state_home))
		value->text = g_build_filename(state_home, "holdfast", NULL);
	else if (home && *home)
		value->text = g_build_filename(home, ".local/state/holdfast", NULL);
	else
		return;
	value->origin = g_strdup(from_default);
}

static HfSettings *
load_sources(const Sources *sources, GError **error)
{
	g_autoptr(HfSettings) settings = g_new0(HfSettings, 1);

	if (!check_spelling(sources, error))
		return NULL;
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++)
		if (!load_value(&settings->values[id], hf_setting(id), sources, error))
			return NULL;
	default_state_dir(&settings->values[HF_SET_BACKUP_STATE_DIR], sources);
	return g_steal_pointer(&settings);
}

static const char *
find_env_file(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(default_env_files); i++)
		if (access(default_env_files[i], F_OK) == 0)
			return default_env_files[i];
	return NULL;
}

static bool
read_layer(GHashTable *names, const char *path, GError **error)
{
	g_autoptr(GPtrArray) entries = hf_envfile_read(path, error);

	if (!entries) {
		g_prefix_error(error, "env file: ");
		(*error)->code = HF_ERROR_USAGE;
		return false;
	}
	for (guint i = 0; i < entries->len; i++) {
		const HfEnvEntry *entry = entries->pdata[i];

		if (entry->is_ambiguous && is_ours(entry->name))
			return hf_error_set(error, HF_ERROR_USAGE,
					    "%s:%u: the value of %s holds a \"#\": put the value in quotes",
					    path, entry->line, entry->name);
		g_hash_table_replace(names, g_strdup(entry->name), g_strdup(entry->value));
	}
	return true;
}

HfSettings *
hf_settings_load_from(const char *const *environment, const char *env_file, GError **error)
{
	g_autoptr(GHashTable) outer = names_of_environment(environment);
	g_autoptr(GHashTable) inner = names_new();
	const char *path = env_file ? env_file : find_env_file();
	Sources sources = {{{outer, from_environment}, {inner, path ? path : "env file"}}};

	if (path && !read_layer(inner, path, error))
		return NULL;
	return load_sources(&sources, error);
}

HfSettings *
hf_settings_load(const char *env_file, GError **error)
{
	g_auto(GStrv) environment = g_get_environ();

	return hf_settings_load_from((const char *const *)environment, env_file, error);
}

/* ---- getters ---- */

const char *
hf_settings_text(const HfSettings *settings, HfSettingId id)
{
	return settings->values[id].text;
}

int64_t
hf_settings_number(const HfSettings *settings, HfSettingId id)
{
	g_assert(hf_setting(id)->type == HF_TYPE_NUMBER || hf_setting(id)->type == HF_TYPE_BYTES);
	return settings->values[id].number;
}

bool
hf_settings_flag(const HfSettings *settings, HfSettingId id)
{
	g_assert(hf_setting(id)->type == HF_TYPE_FLAG);
	return settings->values[id].number != 0;
}

const HfSecret *
hf_settings_secret(const HfSettings *settings, HfSettingId id)
{
	g_assert(hf_setting(id)->type == HF_TYPE_SECRET);
	return settings->values[id].secret;
}

bool
hf_settings_is_empty(const HfSettings *settings, HfSettingId id)
{
	return settings->values[id].is_empty;
}

const char *
hf_settings_secret_file(const HfSettings *settings, HfSettingId id)
{
	return settings->values[id].is_secret_file ? settings->values[id].origin : NULL;
}

const char *
hf_settings_origin(const HfSettings *settings, HfSettingId id)
{
	return settings->values[id].origin;
}

bool
hf_settings_has_replica(const HfSettings *settings, unsigned number)
{
	return hf_settings_text(settings, HF_SET_REPLICA(number, HF_REPLICA_BUCKET)) ||
	       hf_settings_text(settings, HF_SET_REPLICA(number, HF_REPLICA_DIR));
}

void
hf_settings_free(HfSettings *settings)
{
	if (!settings)
		return;
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++) {
		g_free(settings->values[id].text);
		hf_secret_free(settings->values[id].secret);
		g_free(settings->values[id].origin);
	}
	g_free(settings);
}
