#include "config.h"

#include "backup/notify/channel.h"
#include "backup/notify/address.h"
#include "backup/notify/sign.h"
#include "common/error.h"
#include "common/log.h"
#include "common/url.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <string.h>

#define KEY_DIGITS \
	8 /* of a URL's digest: they tell two webhooks of one host apart, and tell nobody the URL */

static void
free_channel(gpointer data)
{
	HfChannel *channel = data;

	g_free(channel->key);
	g_clear_error(&channel->trouble);
	g_free(channel->name);
	hf_secret_free(channel->url);
	g_free(channel->ca_file);
	g_free(channel->to);
	g_free(channel->from);
	g_free(channel->from_name);
	g_free(channel->user);
	hf_secret_free(channel->password);
	hf_secret_free(channel->secrets);
	g_free(channel);
}

static HfChannel *
new_channel(GPtrArray *channels, HfChannelKind kind, const HfSettings *settings)
{
	const char *name = hf_settings_text(settings, HF_SET_NOTIFY_NAME);
	const char *ca_file = hf_settings_text(settings, kind == HF_CHANNEL_EMAIL ? HF_SET_SMTP_CA_BUNDLE
										  : HF_SET_WEBHOOK_CA_BUNDLE);
	HfChannel *channel = g_new0(HfChannel, 1);

	channel->kind = kind;
	channel->name = hf_log_one_line(name ? name : g_get_host_name());
	channel->ca_file = g_strdup(ca_file);
	(void)!hf_event_mask(hf_settings_text(settings, HF_SET_NOTIFY_ON), &channel->wanted,
			     &channel->trouble);
	g_ptr_array_add(channels, channel);
	return channel;
}

/* ---- URLs ---- */

typedef struct {
	CURLU *url;
	char *scheme, *host, *port, *user, *password; /* NULL where it has none */
} Parts;

static void
clear_parts(Parts *parts)
{
	curl_free(parts->scheme);
	curl_free(parts->host);
	curl_free(parts->port);
	curl_free(parts->user);
	if (parts->password)
		OPENSSL_cleanse(parts->password, strlen(parts->password));
	curl_free(parts->password);
	curl_url_cleanup(parts->url);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parts, clear_parts)

static bool
split_url(const char *text, Parts *parts)
{
	parts->url = curl_url();
	if (!parts->url || curl_url_set(parts->url, CURLUPART_URL, text, 0) != CURLUE_OK ||
	    curl_url_get(parts->url, CURLUPART_SCHEME, &parts->scheme, 0) != CURLUE_OK ||
	    curl_url_get(parts->url, CURLUPART_HOST, &parts->host, 0) != CURLUE_OK)
		return false;
	(void)curl_url_get(parts->url, CURLUPART_PORT, &parts->port, 0);
	return (curl_url_get(parts->url, CURLUPART_USER, &parts->user, CURLU_URLDECODE) == CURLUE_OK ||
		!parts->user) &&
	       (curl_url_get(parts->url, CURLUPART_PASSWORD, &parts->password, CURLU_URLDECODE) ==
			CURLUE_OK ||
		!parts->password);
}

static HfSecret *
secret_of(const char *text, const char *what, GError **error)
{
	return hf_secret_new(text, strlen(text), what, error);
}

/* The host is told, and the rest, which may be the secret, is not. */
static char *
key_of(const char *kind, const char *host, const char *url)
{
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, url, -1);

	return g_strdup_printf("%s %s %.*s", kind, host ? host : "?", KEY_DIGITS, digest);
}

static bool
take_http_url(HfChannel *channel, const char *setting, const char *text, GError **error)
{
	const char *kind = channel->kind == HF_CHANNEL_WEBHOOK ? "webhook" : "heartbeat";
	g_auto(Parts) parts = {0};
	bool is_url = split_url(text, &parts) &&
		      (strcmp(parts.scheme, "https") == 0 || strcmp(parts.scheme, "http") == 0);

	channel->key = key_of(kind, is_url ? parts.host : NULL, text);
	if (!is_url)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s: a URL of the form https://host/path is wanted", setting);
	channel->is_open = !hf_url_is_guarded(parts.scheme, parts.host);
	channel->url = secret_of(text, setting, error);
	return channel->url != NULL;
}

/* ---- webhooks ---- */

static bool
format_of_word(const char *word, HfFormat *format_out)
{
	static const char *const words[] = {[HF_FORMAT_GENERIC] = "generic",
					    [HF_FORMAT_SLACK] = "slack",
					    [HF_FORMAT_DISCORD] = "discord",
					    [HF_FORMAT_TEAMS] = "teams"};

	for (HfFormat format = 0; format < G_N_ELEMENTS(words); format++)
		if (g_ascii_strcasecmp(word, words[format]) == 0) {
			*format_out = format;
			return true;
		}
	return false;
}

static HfFormat
format_of_host(const char *url)
{
	static const struct {
		const char *suffix;
		HfFormat format;
	} known[] = {{"hooks.slack.com", HF_FORMAT_SLACK},    {"discord.com", HF_FORMAT_DISCORD},
		     {"discordapp.com", HF_FORMAT_DISCORD},   {".logic.azure.com", HF_FORMAT_TEAMS},
		     {".powerplatform.com", HF_FORMAT_TEAMS}, {".webhook.office.com", HF_FORMAT_TEAMS}};
	g_auto(Parts) parts = {0};

	if (!split_url(url, &parts))
		return HF_FORMAT_GENERIC;
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (g_str_has_suffix(parts.host, known[i].suffix))
			return known[i].format;
	return HF_FORMAT_GENERIC;
}

/* One word for all of them, or as many as there are. */
static bool
choose_format(HfChannel *channel, const char *formats, guint index, guint count, GError **error)
{
	g_auto(GStrv) words = g_strsplit(formats, ",", -1);
	guint given = g_strv_length(words);
	const char *word = given == 1 ? words[0] : index < given ? words[index] : "";

	if (given != 1 && given != count)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"WEBHOOK_FORMAT names %u formats for %u URLs: one word, or one for each is "
			"wanted",
			given, count);
	if (g_ascii_strcasecmp(g_strstrip((char *)(uintptr_t)word), "auto") == 0) {
		channel->format = format_of_host(hf_secret_bytes(channel->url));
		return true;
	}
	return format_of_word(word, &channel->format) ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "WEBHOOK_FORMAT \"%s\": auto, generic, slack, discord or teams is wanted", word);
}

static bool
fill_webhook(HfChannel *channel, const HfSettings *settings, GStrv urls, guint index, GError **error)
{
	const HfSecret *secrets = hf_settings_secret(settings, HF_SET_WEBHOOK_SECRET);

	if (!take_http_url(channel, "WEBHOOK_URL", urls[index], error) ||
	    !choose_format(channel, hf_settings_text(settings, HF_SET_WEBHOOK_FORMAT), index,
			   g_strv_length(urls), error))
		return false;
	channel->secrets = hf_secret_copy(secrets);
	return !secrets || hf_sign_check(secrets, error);
}

static void
note_trouble(HfChannel *channel, GError *trouble)
{
	if (channel->trouble)
		g_clear_error(&trouble);
	else
		channel->trouble = trouble;
}

/* The words of a list, none of them empty; wipe_words() them. */
static char **
words_of(const char *list)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	for (list += strspn(list, " \t\n"); *list; list += strspn(list, " \t\n")) {
		size_t len = strcspn(list, " \t\n");

		g_ptr_array_add(words, g_strndup(list, len));
		list += len;
	}
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_steal(words, NULL);
}

static void
wipe_words(char **words)
{
	for (char **word = words; *word; word++)
		OPENSSL_cleanse(*word, strlen(*word));
	g_strfreev(words);
}

static void
add_webhooks(GPtrArray *channels, const HfSettings *settings)
{
	const HfSecret *list = hf_settings_secret(settings, HF_SET_WEBHOOK_URL);
	char **urls = list ? words_of(hf_secret_bytes(list)) : NULL;

	for (guint i = 0; urls && urls[i]; i++) {
		HfChannel *channel = new_channel(channels, HF_CHANNEL_WEBHOOK, settings);
		GError *trouble = NULL;

		if (!fill_webhook(channel, settings, urls, i, &trouble))
			note_trouble(channel, trouble);
	}
	if (urls)
		wipe_words(urls);
}

static void
add_heartbeat(GPtrArray *channels, const HfSettings *settings)
{
	const HfSecret *url = hf_settings_secret(settings, HF_SET_HEARTBEAT_URL);
	GError *trouble = NULL;
	HfChannel *channel;

	if (!url)
		return;
	channel = new_channel(channels, HF_CHANNEL_HEARTBEAT, settings);
	if (!take_http_url(channel, "HEARTBEAT_URL", hf_secret_bytes(url), &trouble))
		note_trouble(channel, trouble);
}

/* ---- e-mail ---- */

static bool
wrong_server(GError **error)
{
	return hf_error_set(error, HF_ERROR_USAGE,
			    "SMTP_URL: smtp://host:port or smtps://host:port is wanted");
}

static bool
take_login(HfChannel *channel, const HfSettings *settings, const Parts *parts, GError **error)
{
	const char *user = hf_settings_text(settings, HF_SET_SMTP_USER);
	const HfSecret *password = hf_settings_secret(settings, HF_SET_SMTP_PASSWORD);

	channel->user = g_strdup(user ? user : parts->user);
	if (password)
		channel->password = hf_secret_copy(password);
	else if (parts->password) {
		channel->password = secret_of(parts->password, "SMTP_URL", error);
		if (!channel->password)
			return false;
	}
	return true;
}

static bool
choose_tls(HfChannel *channel, const HfSettings *settings, const Parts *parts, GError **error)
{
	const char *word = hf_settings_text(settings, HF_SET_SMTP_TLS);
	bool is_off = word ? g_ascii_strcasecmp(word, "off") == 0 : hf_url_is_loopback(parts->host);

	if (word && !is_off && g_ascii_strcasecmp(word, "required") != 0)
		return hf_error_set(error, HF_ERROR_USAGE, "SMTP_TLS \"%s\": required or off is wanted",
				    word);
	channel->wants_tls = !is_off;
	channel->is_open = is_off && strcmp(parts->scheme, "smtp") == 0 && !hf_url_is_loopback(parts->host);
	return !channel->is_open || !channel->user ||
	       hf_error_set(
		       error, HF_ERROR_USAGE,
		       "SMTP_TLS is off, and the password would go over the network for all to read: set "
		       "it to required, or leave SMTP_USER out");
}

static bool
take_server(HfChannel *channel, const HfSettings *settings, GError **error)
{
	const HfSecret *given = hf_settings_secret(settings, HF_SET_SMTP_URL);
	g_auto(Parts) parts = {0};
	g_autofree char *url = NULL;
	const char *port;
	bool is_smtps;

	if (!split_url(given ? hf_secret_bytes(given) : "smtp://localhost", &parts))
		return wrong_server(error);
	is_smtps = strcmp(parts.scheme, "smtps") == 0;
	if (!is_smtps && strcmp(parts.scheme, "smtp") != 0)
		return wrong_server(error);
	if (!take_login(channel, settings, &parts, error) || !choose_tls(channel, settings, &parts, error))
		return false;
	port = parts.port ? parts.port : is_smtps ? "465" : channel->user ? "587" : "25";
	url = g_strdup_printf("%s://%s:%s", parts.scheme, parts.host, port);
	channel->url = secret_of(url, "SMTP_URL", error);
	return channel->url != NULL;
}

static bool
take_sender(HfChannel *channel, const HfSettings *settings, GError **error)
{
	const char *from = hf_settings_text(settings, HF_SET_NOTIFY_EMAIL_FROM);
	g_autofree char *own = g_strdup_printf("holdfast@%s", g_get_host_name());

	if (!from)
		from = channel->user && strchr(channel->user, '@') ? channel->user : own;
	return hf_address_parse(from, "NOTIFY_EMAIL_FROM", &channel->from_name, &channel->from, error);
}

static bool
fill_email(HfChannel *channel, const HfSettings *settings, const char *to, GError **error)
{
	g_autofree char *name = NULL;

	if (!hf_address_parse(to, "NOTIFY_EMAIL_TO", &name, &channel->to, error)) {
		channel->key = g_strdup("email ?");
		return false;
	}
	channel->key = g_strconcat("email ", channel->to, NULL);
	return take_server(channel, settings, error) && take_sender(channel, settings, error);
}

/* Each address is a channel of its own: one that is refused keeps no other from getting its mail. */
static void
add_emails(GPtrArray *channels, const HfSettings *settings)
{
	const char *list = hf_settings_text(settings, HF_SET_NOTIFY_EMAIL_TO);
	g_auto(GStrv) addresses = g_strsplit_set(list ? list : "", ",;", -1);

	for (char **address = addresses; *address; address++) {
		HfChannel *channel;
		GError *trouble = NULL;

		if (!*g_strstrip(*address))
			continue;
		channel = new_channel(channels, HF_CHANNEL_EMAIL, settings);
		if (!fill_email(channel, settings, *address, &trouble))
			note_trouble(channel, trouble);
	}
}

GPtrArray *
hf_channels_load(const HfSettings *settings)
{
	GPtrArray *channels = g_ptr_array_new_with_free_func(free_channel);

	add_emails(channels, settings);
	add_webhooks(channels, settings);
	add_heartbeat(channels, settings);
	return channels;
}
