#include "config.h"

#include "auth/auth.h"
#include "auth/key.h"
#include "auth/lists.h"
#include "auth/mint.h"
#include "cli/commands.h"
#include "common/clock.h"
#include "common/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIFETIME_MAX_S (INT64_C(10) * 366 * 24 * 3600)
/* More than a token may have, so that too long a one is told from a good one. */
#define INPUT_BYTES_MAX ((size_t)64 << 10)

static struct {
	char *subject, *role, *expires, *kid, *key;
	char **claims;
	gboolean is_check;
} given;

/* ---- making one ---- */

static bool
parse_lifetime(const char *text, int64_t *seconds_out, GError **error)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end = NULL;
	guint64 number = g_ascii_strtoull(text, &end, 10);

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		if (!g_ascii_isdigit(*text) || end[0] != units[i].unit || end[1] != 0 || number == 0 ||
		    number > (guint64)(LIFETIME_MAX_S / units[i].seconds))
			continue;
		*seconds_out = (int64_t)number * units[i].seconds;
		return true;
	}
	return hf_error_set(
		error, HF_ERROR_USAGE,
		"--expires %s: a time such as 90s, 15m, 1h or 30d is wanted, of at most ten years", text);
}

/* realm_access.roles becomes {"realm_access":{"roles":...}}; a name that is a URL stays whole.  Takes value. */
static void
add_path(HfJson *claims, const char *name, HfJson *value)
{
	const char *dot = strchr(name, '/') ? NULL : strchr(name, '.');
	HfJson *inner = NULL;

	if (!dot) {
		hf_json_add(claims, name, value);
		return;
	}
	g_autofree char *beginning = g_strndup(name, (size_t)(dot - name));

	if (!json_object_object_get_ex(claims, beginning, &inner) ||
	    !json_object_is_type(inner, json_type_object)) {
		inner = json_object_new_object();
		hf_json_add(claims, beginning, inner);
	}
	add_path(inner, dot + 1, value);
}

/* "true", 5, [1,2] and {"a":1} are what they look like; everything else is text. */
static HfJson *
parse_value(const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	HfJson *value = json_tokener_parse_ex(tokener, text, (int)MIN(strlen(text), 65536) + 1);

	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) < strlen(text)) {
		json_object_put(value);
		value = json_object_new_string(text);
	}
	json_tokener_free(tokener);
	return value;
}

static bool
add_given_claims(HfJson *claims, GError **error)
{
	for (char **claim = given.claims; claim && *claim; claim++) {
		const char *equals = strchr(*claim, '=');
		g_autofree char *name = NULL;

		if (!equals || equals == *claim)
			return hf_error_set(error, HF_ERROR_USAGE, "--claim %s: name=value is wanted",
					    *claim);
		name = g_strndup(*claim, (size_t)(equals - *claim));
		hf_json_add(claims, name, parse_value(equals + 1));
	}
	return true;
}

/* The first of a list in the settings; NULL where that is empty or not set. */
static char *
first_of(const HfSettings *settings, HfSettingId id)
{
	g_auto(GStrv) list = hf_list_parse(hf_settings_text(settings, id));

	return list ? g_strdup(list[0]) : NULL;
}

static void
add_role(HfJson *claims, const HfSettings *settings)
{
	g_autofree char *role = given.role ? g_strdup(given.role)
					   : first_of(settings, HF_SET_JWT_ADMIN_VALUES);

	if (role && *role)
		add_path(claims, hf_settings_text(settings, HF_SET_JWT_ADMIN_CLAIM),
			 strcmp(role, "true") == 0 ? json_object_new_boolean(true)
						   : json_object_new_string(role));
}

static HfJson *
make_claims(const HfSettings *settings, int64_t lifetime_s, GError **error)
{
	g_autoptr(HfJson) claims = json_object_new_object();
	g_autofree char *issuer = first_of(settings, HF_SET_JWT_ISSUER);
	g_autofree char *audience = first_of(settings, HF_SET_JWT_AUDIENCE);
	int64_t now_s = hf_clock_now_s();

	hf_json_add_text(claims, "sub", given.subject ? given.subject : "holdfast-cli");
	add_role(claims, settings);
	hf_json_add_text(claims, "iss", issuer);
	hf_json_add_text(claims, "aud", audience);
	hf_json_add_number(claims, "iat", (uint64_t)now_s);
	hf_json_add_number(claims, "exp", (uint64_t)(now_s + lifetime_s));
	return add_given_claims(claims, error) ? g_steal_pointer(&claims) : NULL;
}

static void
warn_of_short_secret(const HfSettings *settings)
{
	const HfSecret *secret = hf_settings_secret(settings, HF_SET_JWT_SECRET);

	if (!given.key && secret && hf_secret_len(secret) < HF_KEY_SECRET_BYTES_MIN)
		g_warning("JWT_SECRET has %zu bytes: take one of %d or more (openssl rand -hex 32)",
			  hf_secret_len(secret), HF_KEY_SECRET_BYTES_MIN);
}

static bool
make_token(HfCli *cli, GError **error)
{
	int64_t lifetime_s = 0;
	g_autoptr(HfJson) claims = NULL;
	g_autofree char *token = NULL;

	if (!parse_lifetime(given.expires ? given.expires : "1h", &lifetime_s, error))
		return false;
	claims = make_claims(cli->settings, lifetime_s, error);
	if (!claims)
		return false;
	token = hf_token_mint(cli->settings,
			      &(HfMintOptions){.key_file = given.key,
					       .kid = given.kid,
					       .claims_json = json_object_to_json_string(claims)},
			      error);
	if (!token)
		return false;
	warn_of_short_secret(cli->settings);
	if (!cli->wants_json)
		printf("%s\n", token);
	hf_json_add_text(cli->reply, "token", token);
	hf_json_add(cli->reply, "claims", g_steal_pointer(&claims));
	return true;
}

/* ---- looking at one ---- */

static char *
read_input(void)
{
	char *text = g_malloc(INPUT_BYTES_MAX + 1);
	size_t len = fread(text, 1, INPUT_BYTES_MAX, stdin);

	text[len] = 0;
	return g_strstrip(text);
}

static bool
check_token(HfCli *cli, GError **error)
{
	g_autoptr(HfAuth) auth = hf_auth_new(cli->settings, error);
	g_autofree char *token = auth ? read_input() : NULL;
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(HfPrincipal) principal = NULL;
	HfAuthRefusal refusal;

	if (!auth)
		return false;
	if (!*token)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "no token on standard input: holdfast token --check <FILE");
	principal = hf_auth_check(auth, header, hf_clock_now_s(), &refusal, error);
	if (!principal)
		return false;
	hf_cli_say(cli, "an administrator's token, of \"%s\"\n", principal->subject);
	hf_json_add_text(cli->reply, "subject", principal->subject);
	return true;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	bool makes = given.subject || given.role || given.expires || given.kid || given.key || given.claims;

	(void)arguments;
	if (given.is_check && makes)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--check takes no other option: it makes no token");
	return given.is_check ? check_token(cli, error) : make_token(cli, error);
}

static GOptionEntry options[] = {
	{"subject", 0, 0, G_OPTION_ARG_STRING, &given.subject, "whose token it is (\"holdfast-cli\")", "S"},
	{"role", 0, 0, G_OPTION_ARG_STRING, &given.role,
	 "the value of JWT_ADMIN_CLAIM (the first of JWT_ADMIN_VALUES); empty: none", "R"},
	{"expires", 0, 0, G_OPTION_ARG_STRING, &given.expires,
	 "how long it is good for: 90s, 15m, 1h (default), 30d", "TIME"},
	{"kid", 0, 0, G_OPTION_ARG_STRING, &given.kid, "the name of the key, for the header", "K"},
	{"claim", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given.claims,
	 "one more claim, as often as wanted; the value is JSON, or else text", "NAME=VALUE"},
	{"key", 0, 0, G_OPTION_ARG_FILENAME, &given.key,
	 "sign with the private key (RSA or EC) in a PEM file instead of JWT_SECRET", "FILE"},
	{"check", 0, 0, G_OPTION_ARG_NONE, &given.is_check,
	 "make none: read a token from standard input, and say whether the service would let it in", NULL},
	{0}};

const HfCommand hf_command_token = {
	"token",
	"",
	0,
	0,
	"make an administrator's token, or check one",
	"Signs a token with JWT_SECRET, or with a private key, and prints it and nothing else: for the first "
	"steps and "
	"for scripts, as in curl -H \"Authorization: Bearer $(holdfast token)\". In daily life the "
	"application's own tokens are used. Issuer and audience are those of the settings.\n\n"
	"With --check it reads a token from standard input, and says whose it is or why the service would "
	"refuse it; "
	"the exit status is 1 where it would.",
	options,
	false,
	run};
