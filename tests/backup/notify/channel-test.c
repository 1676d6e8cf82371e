#include "config.h"

#include "backup/notify/channel.h"
#include "backup/notify/deliver.h"
#include "common/error.h"

#include <string.h>

/* The channels of NAME=VALUE lines. */
static GPtrArray *
channels_of(const char *lines)
{
	g_auto(GStrv) environment = g_strsplit(lines, "\n", -1);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSettings)
		settings = hf_settings_load_from((const char *const *)environment, "/dev/null", &error);

	g_assert_no_error(error);
	return hf_channels_load(settings);
}

/*
 * Settings, and what the first channel is: a part of its trouble, or NULL; the URL that it has then; and of mail whether
 * STARTTLS is wanted.
 */
static const struct {
	const char *name, *settings, *trouble, *url;
	bool wants_tls;
} cases[] = {
	{"mail-to-this-host", "NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_EMAIL_FROM=x@y.z", NULL, "smtp://localhost:25",
	 false},
	{"mail-with-starttls",
	 "NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_EMAIL_FROM=x@y.z\nSMTP_URL=smtp://mail.example.org", NULL,
	 "smtp://mail.example.org:25", true},
	{"mail-with-a-login",
	 "NOTIFY_EMAIL_TO=a@b.c\nSMTP_URL=smtp://mail.example.org\nSMTP_USER=u@example.org", NULL,
	 "smtp://mail.example.org:587", true},
	{"mail-with-a-login-in-the-url",
	 "NOTIFY_EMAIL_TO=a@b.c\nSMTP_URL=smtps://u%40x.y:p%2Fw@mail.example.org", NULL,
	 "smtps://mail.example.org:465", true},
	{"mail-with-a-port", "NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_EMAIL_FROM=x@y.z\nSMTP_URL=smtp://[::1]:2525",
	 NULL, "smtp://[::1]:2525", false},
	{"no-password-in-the-clear",
	 "NOTIFY_EMAIL_TO=a@b.c\nSMTP_URL=smtp://u:p@mail.example.org\nSMTP_TLS=off\nNOTIFY_EMAIL_FROM=x@y.z",
	 "SMTP_TLS is off", NULL, false},
	{"wrong-tls-word", "NOTIFY_EMAIL_TO=a@b.c\nSMTP_TLS=maybe\nNOTIFY_EMAIL_FROM=x@y.z",
	 "SMTP_TLS \"maybe\"", NULL, false},
	{"no-mail-server", "NOTIFY_EMAIL_TO=a@b.c\nSMTP_URL=https://mail.example.org", "smtps://host:port",
	 NULL, false},
	{"wrong-recipient", "NOTIFY_EMAIL_TO=nobody", "NOTIFY_EMAIL_TO \"nobody\"", NULL, false},
	{"wrong-sender", "NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_EMAIL_FROM=me", "NOTIFY_EMAIL_FROM \"me\"", NULL,
	 false},
	{"wrong-event", "NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_ON=everything", "NOTIFY_ON \"everything\"", NULL,
	 false},
	{"webhook", "WEBHOOK_URL=https://example.org/h", NULL, "https://example.org/h", false},
	{"webhook-of-no-url", "WEBHOOK_URL=file:///etc/passwd", "WEBHOOK_URL: a URL", NULL, false},
	{"webhook-of-no-format", "WEBHOOK_URL=https://example.org/h\nWEBHOOK_FORMAT=xml", "\"xml\"", NULL,
	 false},
	{"two-formats-for-one", "WEBHOOK_URL=https://example.org/h\nWEBHOOK_FORMAT=slack,teams",
	 "2 formats for 1 URLs", NULL, false},
	{"wrong-secret", "WEBHOOK_URL=https://example.org/h\nWEBHOOK_SECRET=hush",
	 "WEBHOOK_SECRET: \"whsec_\"", NULL, false},
	{"heartbeat", "HEARTBEAT_URL=https://hc-ping.com/x", NULL, "https://hc-ping.com/x", false},
	{"heartbeat-of-no-url", "HEARTBEAT_URL=hc-ping.com", "HEARTBEAT_URL: a URL", NULL, false},
};

static void
run_case(gconstpointer data)
{
	size_t index = GPOINTER_TO_SIZE(data);
	g_autoptr(GPtrArray) channels = channels_of(cases[index].settings);
	const HfChannel *channel;

	g_assert_cmpuint(channels->len, ==, 1);
	channel = channels->pdata[0];
	g_assert_nonnull(channel->key);
	if (cases[index].trouble) {
		g_assert_true(hf_error_is(channel->trouble, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(channel->trouble->message, cases[index].trouble));
		g_assert_null(strstr(channel->trouble->message, "hush"));
		return;
	}
	g_assert_no_error(channel->trouble);
	g_assert_cmpstr(hf_secret_bytes(channel->url), ==, cases[index].url);
	if (channel->kind == HF_CHANNEL_EMAIL)
		g_assert_cmpint(channel->wants_tls, ==, cases[index].wants_tls);
}

static void
a_login_in_the_url_is_decoded(void)
{
	g_autoptr(GPtrArray) channels = channels_of(
		"NOTIFY_EMAIL_TO=a@b.c\nSMTP_URL=smtps://u%40x.y:p%2Fw@mail.example.org");
	const HfChannel *channel = channels->pdata[0];

	g_assert_cmpstr(channel->user, ==, "u@x.y");
	g_assert_cmpstr(hf_secret_bytes(channel->password), ==, "p/w");
	g_assert_cmpstr(channel->from, ==, "u@x.y");
}

static void
one_wrong_channel_leaves_the_others(void)
{
	g_autoptr(GPtrArray) channels = channels_of("NOTIFY_EMAIL_TO=nobody, a@b.c\nNOTIFY_EMAIL_FROM=x@y.z\n"
						    "WEBHOOK_URL=nonsense https://example.org/h");
	static const bool has_trouble[] = {true, false, true, false};

	g_assert_cmpuint(channels->len, ==, G_N_ELEMENTS(has_trouble));
	for (guint i = 0; i < channels->len; i++)
		g_assert_cmpint(((const HfChannel *)channels->pdata[i])->trouble != NULL, ==, has_trouble[i]);
}

static void
formats_go_by_the_host(void)
{
	g_autoptr(GPtrArray) channels = channels_of(
		"WEBHOOK_URL=https://hooks.slack.com/services/T/B/x "
		"https://discord.com/api/webhooks/1/x https://x.webhook.office.com/y "
		"https://prod-1.westeurope.logic.azure.com:443/w https://example.org/h");
	static const HfFormat formats[] = {HF_FORMAT_SLACK, HF_FORMAT_DISCORD, HF_FORMAT_TEAMS,
					   HF_FORMAT_TEAMS, HF_FORMAT_GENERIC};

	g_assert_cmpuint(channels->len, ==, G_N_ELEMENTS(formats));
	for (guint i = 0; i < channels->len; i++) {
		const HfChannel *channel = channels->pdata[i];

		g_assert_cmpint(channel->format, ==, formats[i]);
		g_assert_null(strstr(channel->key, "services"));
	}
}

/* They are sent to, and warned about. */
static void
what_goes_in_the_clear_is_known(void)
{
	g_autoptr(GPtrArray) channels = channels_of(
		"WEBHOOK_URL=http://192.0.2.1/h http://127.0.0.1/h https://192.0.2.1/h\n"
		"NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_EMAIL_FROM=x@y.z\nSMTP_URL=smtp://192.0.2.1\nSMTP_TLS=off");
	static const bool is_open[] = {true, true, false, false};

	g_assert_cmpuint(channels->len, ==, G_N_ELEMENTS(is_open));
	for (guint i = 0; i < channels->len; i++) {
		const HfChannel *channel = channels->pdata[i];

		g_assert_no_error(channel->trouble);
		g_assert_cmpint(channel->is_open, ==, is_open[i]);
	}
}

static void
the_heartbeat_hears_of_backups(void)
{
	static const struct {
		const char *subject;
		HfEvent event;
		const char *ending;
	} beats[] = {
		{"backup full", HF_EVENT_STARTED, "/start"},
		{"backup full", HF_EVENT_SUCCESS, ""},
		{"backup full", HF_EVENT_FAILURE, "/fail"},
		{"backup full", HF_EVENT_SUSPECT, "/fail"},
		{"backup full", HF_EVENT_VERIFY_FAILED, "/fail"},
		{"verify x", HF_EVENT_VERIFIED, NULL},
		{"prune", HF_EVENT_SUCCESS, NULL},
		{"replica-1", HF_EVENT_REPLICA_BEHIND, NULL},
		{"schedule daily", HF_EVENT_MISSED, NULL},
		{"test", HF_EVENT_TEST, "/log"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(beats); i++) {
		g_autoptr(HfMessage) message = hf_message_new(beats[i].event, beats[i].subject);

		g_assert_cmpstr(hf_channel_beat_of(message), ==, beats[i].ending);
	}
}

static void
nobody_is_told_of_a_begin_by_mail(void)
{
	g_autoptr(GPtrArray) channels = channels_of("NOTIFY_EMAIL_TO=a@b.c\nNOTIFY_ON=all");
	g_autoptr(HfMessage) begin = hf_message_new(HF_EVENT_STARTED, "backup full");
	g_autoptr(HfMessage) end = hf_message_new(HF_EVENT_SUCCESS, "backup full");

	g_assert_false(hf_channel_wants(channels->pdata[0], begin));
	g_assert_true(hf_channel_wants(channels->pdata[0], end));
}

static void
pauses_grow_to_half_an_hour(void)
{
	int64_t last_s = 0;

	for (unsigned tries = 1; tries < 100; tries++) {
		int64_t pause_s = hf_deliver_pause_s(tries, 0);

		g_assert_cmpint(pause_s, >=, last_s);
		g_assert_cmpint(pause_s, <=, 1800);
		g_assert_cmpint(hf_deliver_pause_s(tries, 0.999), <=, pause_s + pause_s / 4);
		last_s = pause_s;
	}
	g_assert_cmpint(hf_deliver_pause_s(1, 0), ==, 10);
	g_assert_cmpint(last_s, ==, 1800);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strconcat("/channel/", cases[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), run_case);
	}
	g_test_add_func("/channel/a-login-in-the-url-is-decoded", a_login_in_the_url_is_decoded);
	g_test_add_func("/channel/one-wrong-channel-leaves-the-others", one_wrong_channel_leaves_the_others);
	g_test_add_func("/channel/formats-go-by-the-host", formats_go_by_the_host);
	g_test_add_func("/channel/what-goes-in-the-clear-is-known", what_goes_in_the_clear_is_known);
	g_test_add_func("/channel/the-heartbeat-hears-of-backups", the_heartbeat_hears_of_backups);
	g_test_add_func("/channel/nobody-is-told-of-a-begin-by-mail", nobody_is_told_of_a_begin_by_mail);
	g_test_add_func("/channel/pauses-grow-to-half-an-hour", pauses_grow_to_half_an_hour);
	return g_test_run();
}
