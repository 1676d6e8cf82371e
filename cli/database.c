#include "config.h"

#include "cli/database.h"
#include "common/error.h"

#include <libpq-fe.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PQconninfoOption, PQconninfoFree)

static const struct {
	HfSettingId id;
	const char *keyword; /* libpq's, section 34.1.2 "Parameter Key Words" */
} parts[] = {{HF_SET_DB_HOST, "host"},
	     {HF_SET_DB_PORT, "port"},
	     {HF_SET_DB_NAME, "dbname"},
	     {HF_SET_DB_USER, "user"},
	     {HF_SET_DB_SSLMODE, "sslmode"}};

static const char *
value_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

static bool
is_set(const HfSettings *settings, HfSettingId id)
{
	const char *origin = hf_settings_origin(settings, id);

	return origin && strcmp(origin, "default") != 0;
}

/* The URL was parsed before, so it can be read. */
static bool
check_parts(const HfSettings *settings, const char *url, GError **error)
{
	g_autoptr(PQconninfoOption) options = PQconninfoParse(url, NULL);
	const HfSecret *password = hf_settings_secret(settings, HF_SET_DB_PASSWORD);
	const char *url_password = options ? value_of(options, "password") : NULL;

	for (size_t i = 0; options && i < G_N_ELEMENTS(parts); i++) {
		const char *said = value_of(options, parts[i].keyword);
		const char *part = is_set(settings, parts[i].id) ? hf_settings_text(settings, parts[i].id)
								 : NULL;

		if (!said && parts[i].id == HF_SET_DB_PORT)
			said = hf_setting(HF_SET_DB_PORT)->default_value;
		if (part && g_strcmp0(part, said) != 0)
			return hf_error_set(
				error, HF_ERROR_USAGE,
				"%s \"%s\" (%s) contradicts DATABASE_URL (%s), which says %s%s%s: unset one "
				"of them",
				hf_setting(parts[i].id)->name, part,
				hf_settings_origin(settings, parts[i].id),
				hf_settings_origin(settings, HF_SET_DATABASE_URL), said ? "\"" : "",
				said ? said : "nothing of it", said ? "\"" : "");
	}
	if (password && url_password && strcmp(hf_secret_bytes(password), url_password) != 0)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "DB_PASSWORD and the password in DATABASE_URL differ: unset one of them");
	return true;
}

static HfPgTarget *
from_url_setting(const HfSettings *settings, const char *url, GError **error)
{
	g_autoptr(HfPgTarget) target = hf_pg_target_parse(url, error);

	if (!target) {
		g_prefix_error(error, "DATABASE_URL: ");
		return NULL;
	}
	if (!check_parts(settings, url, error))
		return NULL;
	if (!target->password)
		target->password = hf_secret_copy(hf_settings_secret(settings, HF_SET_DB_PASSWORD));
	return g_steal_pointer(&target);
}

HfPgTarget *
hf_database_from_settings(const HfSettings *settings, GError **error)
{
	const HfSecret *url = hf_settings_secret(settings, HF_SET_DATABASE_URL);
	HfPgParts named = {
		.host = hf_settings_text(settings, HF_SET_DB_HOST),
		.port = hf_settings_text(settings, HF_SET_DB_PORT),
		.database = hf_settings_text(settings, HF_SET_DB_NAME),
		.user = hf_settings_text(settings, HF_SET_DB_USER),
		.sslmode = hf_settings_text(settings, HF_SET_DB_SSLMODE),
		.password = hf_settings_secret(settings, HF_SET_DB_PASSWORD),
	};

	if (url)
		return from_url_setting(settings, hf_secret_bytes(url), error);
	if (!named.database) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "no database is named: set DATABASE_URL, or DB_NAME with DB_HOST and DB_USER");
		return NULL;
	}
	return hf_pg_target_new(&named, error);
}

HfPgTarget *
hf_database_from_url(const char *url, GError **error)
{
	g_autoptr(HfPgTarget) target = hf_pg_target_parse(url, error);
	const char *password = g_getenv("PGPASSWORD");

	if (!target)
		return NULL;
	if (!target->password && password && *password) {
		target->password = hf_secret_new(password, strlen(password), "PGPASSWORD", error);
		if (!target->password)
			return NULL;
	}
	return g_steal_pointer(&target);
}
