#include "config.h"

#include "auth/claims.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"

#include <string.h>

/* 9999-12-31T23:59:59Z: the last time that can be written, and long before what milliseconds would give. */
#define TIME_MAX_S INT64_C(253402300799)
#define SUBJECT_BYTES_MAX 200

/* RFC 7519 section 2, NumericDate: a number, fractions allowed.  True with *is_given_out false where it is absent. */
static bool
get_time(json_t *claims, const char *name, int64_t *time_s_out, bool *is_given_out, GError **error)
{
	json_t *value = hf_jansson_member(claims, name);
	double number = json_number_value(value);

	*is_given_out = value != NULL;
	if (!value)
		return true;
	if (!json_is_number(value))
		return hf_error_set(error, HF_ERROR_DENIED, "the token's %s is not a number", name);
	if (!(number >= 0 && number <= (double)TIME_MAX_S))
		return hf_error_set(error, HF_ERROR_DENIED,
				    "the token's %s is not a time in seconds since 1970", name);
	*time_s_out = json_is_integer(value) ? json_integer_value(value) : (int64_t)number;
	return true;
}

static bool
say_when(GError **error, const char *format, int64_t time_s)
{
	g_autofree char *text = hf_clock_rfc3339(time_s);

	return hf_error_set(error, HF_ERROR_DENIED, "the token %s %s", format, text);
}

bool
hf_claims_check_times(json_t *claims, int64_t now_s, GError **error)
{
	int64_t expires_s, begins_s, issued_s;
	bool expires, begins, is_dated;

	if (!get_time(claims, "exp", &expires_s, &expires, error) ||
	    !get_time(claims, "nbf", &begins_s, &begins, error) ||
	    !get_time(claims, "iat", &issued_s, &is_dated, error))
		return false;
	if (!expires)
		return hf_error_set(
			error, HF_ERROR_DENIED,
			"the token does not say when it expires (exp): such tokens are not accepted");
	if (now_s >= expires_s + HF_CLAIMS_LEEWAY_S)
		return say_when(error, "expired at", expires_s);
	if (begins && now_s < begins_s - HF_CLAIMS_LEEWAY_S)
		return say_when(error, "is not valid before", begins_s);
	if (is_dated && now_s < issued_s - HF_CLAIMS_LEEWAY_S)
		return say_when(error, "says that it was issued in the future, at", issued_s);
	return true;
}

static bool
is_in(char *const *list, const char *text)
{
	for (; text && list && *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static bool
names_audience(json_t *value, char *const *audiences)
{
	if (json_is_string(value))
		return is_in(audiences, json_string_value(value));
	for (size_t i = 0; i < json_array_size(value); i++)
		if (is_in(audiences, json_string_value(json_array_get(value, i))))
			return true;
	return false;
}

bool
hf_claims_check_parties(json_t *claims, char *const *issuers, char *const *audiences, GError **error)
{
	if (issuers && !is_in(issuers, hf_jansson_text(claims, "iss")))
		return hf_error_set(error, HF_ERROR_DENIED,
				    "the token is of another issuer (iss) than JWT_ISSUER says");
	if (audiences && !names_audience(hf_jansson_member(claims, "aud"), audiences))
		return hf_error_set(error, HF_ERROR_DENIED,
				    "the token is for another audience (aud) than JWT_AUDIENCE says");
	return true;
}

/* The whole name, else the shortest beginning of it, up to a dot, behind which the rest is found. */
static json_t *
find(json_t *object, const char *name)
{
	json_t *value = hf_jansson_member(object, name);

	if (value || !json_is_object(object))
		return value;
	for (const char *dot = strchr(name, '.'); dot && !value; dot = strchr(dot + 1, '.')) {
		g_autofree char *beginning = g_strndup(name, (size_t)(dot - name));
		json_t *inner = hf_jansson_member(object, beginning);

		value = inner ? find(inner, dot + 1) : NULL;
	}
	return value;
}

static bool
is_one_of(json_t *value, char *const *list)
{
	char number[32];

	if (json_is_string(value))
		return is_in(list, json_string_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) && is_in(list, "true");
	if (!json_is_integer(value))
		return false;
	g_snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return is_in(list, number);
}

static bool
has_word(json_t *value, char *const *list)
{
	g_auto(GStrv) words = g_strsplit(json_string_value(value), " ", -1);

	for (char **word = words; *word; word++)
		if (is_in(list, *word))
			return true;
	return false;
}

static bool
has_value(json_t *claims, const HfAdminRule *rule)
{
	json_t *value = find(claims, rule->claim);
	bool is_scope = strcmp(rule->claim, "scope") == 0 || strcmp(rule->claim, "scp") == 0;

	if (is_scope && json_is_string(value))
		return has_word(value, rule->values);
	if (!json_is_array(value))
		return is_one_of(value, rule->values);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (is_one_of(json_array_get(value, i), rule->values))
			return true;
	return false;
}

bool
hf_claims_is_admin(json_t *claims, const HfAdminRule *rule)
{
	static const char *const names[] = {"sub", "id"};

	if (has_value(claims, rule))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		json_t *value = hf_jansson_member(claims, names[i]);

		if (!json_is_boolean(value) && is_one_of(value, rule->subjects))
			return true;
	}
	return false;
}

char *
hf_claims_subject(json_t *claims)
{
	static const char *const names[] = {"sub", "id", "userId", "email", "username", "name"};
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(names) && !text; i++) {
		json_t *value = hf_jansson_member(claims, names[i]);

		if (json_is_integer(value))
			text = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
		else if (json_string_length(value) > 0)
			text = g_strdup(json_string_value(value));
	}
	line = hf_log_one_line(text ? text : "unnamed");
	return g_utf8_make_valid(line, (gssize)strnlen(line, SUBJECT_BYTES_MAX));
}
