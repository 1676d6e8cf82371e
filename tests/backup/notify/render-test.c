#include "config.h"

#include "backup/notify/address.h"
#include "backup/notify/render.h"
#include "backup/notify/sign.h"
#include "common/error.h"

#include <string.h>

/* ---- headers ---- */

static const struct {
	const char *name, *text, *expected;
} headers[] = {
	{"plain", "[Holdfast web1] it failed", "[Holdfast web1] it failed"},
	{"line-ends-are-blanks", "x\r\nBcc: evil@example.org", "x  Bcc: evil@example.org"},
	{"encoded-word-is-encoded", "=?UTF-8?B?eA==?=", "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?="},
	{"umlaut", "M\xc3\xbcll", "=?UTF-8?B?TcO8bGw=?="},
	{"broken-utf8", "a\xff", "=?UTF-8?B?Ye+/vQ==?="},
};

static void
run_header(gconstpointer data)
{
	size_t index = GPOINTER_TO_SIZE(data);
	g_autofree char *made = hf_header_text(headers[index].text);

	g_assert_cmpstr(made, ==, headers[index].expected);
}

/* RFC 2047, section 2: no encoded word is longer than 75, and no letter is cut. */
static void
long_text_is_folded(void)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *made = NULL;
	g_auto(GStrv) lines = NULL;

	for (int i = 0; i < 100; i++)
		g_string_append(text, "\xe2\x82\xac");
	made = hf_header_text(text->str);
	lines = g_strsplit(made, "\r\n ", -1);
	g_assert_cmpuint(g_strv_length(lines), ==, 7);
	for (char **line = lines; *line; line++) {
		gsize len = 0;
		g_autofree guchar *decoded = NULL;
		g_autofree char *base64 = g_strndup(*line + 10, strlen(*line) - 12);

		g_assert_cmpuint(strlen(*line), <=, 75);
		decoded = g_base64_decode(base64, &len);
		g_assert_true(g_utf8_validate((const char *)decoded, (gssize)len, NULL));
	}
}

static const struct {
	const char *name, *text;
	const char *person, *address; /* address NULL: refused */
} addresses[] = {
	{"bare", "ops@example.org", NULL, "ops@example.org"},
	{"with-a-name", "The Ops <ops@example.org>", "The Ops", "ops@example.org"},
	{"with-a-quoted-name", "\"Ops, The\" <ops@example.org>", "Ops, The", "ops@example.org"},
	{"in-brackets", "<ops@example.org>", NULL, "ops@example.org"},
	{"no-at", "ops", NULL, NULL},
	{"two-ats", "a@b@c", NULL, NULL},
	{"blank", "o ps@example.org", NULL, NULL},
	{"line-end", "ops@example.org\r\nBcc: x@example.org", NULL, NULL},
	{"line-end-in-the-name", "a\nb <ops@example.org>", NULL, NULL},
	{"not-ascii", "\xc3\xb6ps@example.org", NULL, NULL},
	{"empty-host", "ops@", NULL, NULL},
	{"two-recipients", "<a@b.c> <d@e.f>", "<a@b.c>", "d@e.f"},
	{"a-command", "a@b.c>\tRCPT", NULL, NULL},
};

static void
run_address(gconstpointer data)
{
	size_t index = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;
	g_autofree char *address = NULL;
	bool is_taken = hf_address_parse(addresses[index].text, "NOTIFY_EMAIL_TO", &name, &address, &error);

	g_assert_cmpint(is_taken, ==, addresses[index].address != NULL);
	g_assert_cmpint(hf_error_is(error, HF_ERROR_USAGE), ==, !is_taken);
	g_assert_cmpstr(address, ==, addresses[index].address);
	g_assert_cmpstr(name, ==, addresses[index].person);
}

static void
date_is_as_rfc_5322_has_it(void)
{
	g_autofree char *date = hf_header_date(1795831200);

	g_assert_cmpstr(date, ==, "Sat, 28 Nov 2026 02:00:00 +0000");
}

static void
a_name_with_specials_is_quoted(void)
{
	g_autofree char *plain = hf_header_mailbox("Holdfast web1", "a@b.c");
	g_autofree char *quoted = hf_header_mailbox("x\" <evil@example.org>, \"", "a@b.c");

	g_assert_cmpstr(plain, ==, "Holdfast web1 <a@b.c>");
	g_assert_cmpstr(quoted, ==, "\"x\\\" <evil@example.org>, \\\"\" <a@b.c>");
}

/* ---- a whole mail ---- */

static HfMessage *
nasty_message(void)
{
	HfMessage *message = hf_message_new(HF_EVENT_FAILURE, "backup\r\nBcc: evil@example.org");

	hf_message_set_title(message, "table \"%s\" failed",
			     "a\r\n\r\nBcc: evil@example.org <script>alert(1)</script> \xe2\x82\xac");
	hf_message_add_text(message, ".\r\nQUIT\r\n");
	hf_message_add_text(message, ".");
	hf_message_add_fact(message, "Fa\nct", "<img src=x> & \x01 tail ");
	return message;
}

static void
a_mail_is_ascii_in_short_lines(void)
{
	g_autoptr(HfMessage) message = nasty_message();
	const HfLetter letter = {
		.name = "web\r\nX: y", .from_name = "Ops, \xc3\xa4", .from = "a@b.c", .to = "d@e.f"};
	g_autofree char *mail = hf_render_mail(message, &letter);
	g_auto(GStrv) lines = g_strsplit(mail, "\r\n", -1);
	bool has_ended_head = false;

	for (char **line = lines; *line; line++) {
		g_assert_cmpuint(strlen(*line), <=, 78);
		g_assert_null(strpbrk(*line, "\r\n"));
		g_assert_true(g_str_is_ascii(*line));
		g_assert_cmpstr(*line, !=, ".");
		has_ended_head = has_ended_head || !**line;
		if (!has_ended_head)
			g_assert_false(g_ascii_strncasecmp(*line, "Bcc:", 4) == 0 ||
				       g_str_has_prefix(*line, "X:"));
	}
	g_assert_true(has_ended_head);
}

static void
html_has_no_markup_of_others(void)
{
	g_autoptr(HfMessage) message = nasty_message();
	g_autofree char *html = hf_render_html(message, "<b>web</b>");

	g_assert_null(strstr(html, "<script>"));
	g_assert_null(strstr(html, "<img"));
	g_assert_null(strstr(html, "<b>"));
	g_assert_nonnull(strstr(html, "&lt;script&gt;"));
}

static void
a_message_survives_the_outbox(void)
{
	g_autoptr(HfMessage) message = nasty_message();
	g_autofree char *text = hf_message_to_json(message);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfMessage) again = hf_message_parse(text, &error);
	g_autofree char *second = NULL;

	g_assert_no_error(error);
	second = hf_message_to_json(again);
	g_assert_cmpstr(text, ==, second);
}

static const char *const damaged[] = {
	"",
	"[]",
	"{}",
	"null",
	"{\"event\":\"failure\"}",
	"{\"id\":\"a\",\"event\":\"nonsense\",\"cause\":\"x\",\"subject\":\"s\"}",
	"{\"id\":1,\"event\":\"failure\",\"cause\":\"failure\",\"at\":0,\"since\":0,\"subject\":\"s\","
	"\"title\":"
	"\"t\",\"facts\":[],\"data\":{}}",
	"{\"id\":\"a\",\"event\":\"failure\",\"cause\":\"failure\",\"at\":0,\"since\":0,\"subject\":\"s\","
	"\"title\":\"t\",\"facts\":[1],\"data\":{}}",
	"{\"id\":\"a\",\"event\":\"failure\",\"cause\":\"failure\",\"at\":-1,\"since\":0,\"subject\":\"s\","
	"\"title\":\"t\",\"facts\":[],\"data\":{}}",
};

static void
a_damaged_message_is_refused(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(damaged); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_message_parse(damaged[i], &error));
		g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	}
}

static void
texts_are_bounded(void)
{
	g_autoptr(HfMessage) message = hf_message_new(HF_EVENT_FAILURE, "x");
	g_autofree char *long_text = g_strnfill(100000, 'x');

	for (int i = 0; i < 100; i++) {
		hf_message_add_text(message, long_text);
		hf_message_add_fact(message, "label", long_text);
	}
	hf_message_set_title(message, "%s", long_text);
	g_assert_cmpuint(strlen(message->text), <=, HF_MESSAGE_TEXT_BYTES);
	g_assert_cmpuint(strlen(message->title), <=, HF_MESSAGE_TITLE_BYTES);
	g_assert_cmpuint(message->facts->len, ==, HF_MESSAGE_FACTS_MAX);
}

/* ---- webhooks ---- */

static HfJson *
payload(HfFormat format)
{
	g_autoptr(HfMessage) message = nasty_message();
	g_autofree char *text = hf_render_json(message, "web1", format);
	g_autoptr(GError) error = NULL;
	HfJson *object = hf_json_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	return object;
}

static void
payloads_are_what_the_others_take(void)
{
	static const char *const members[] = {"data", "blocks", "embeds", "attachments"};

	for (HfFormat format = HF_FORMAT_GENERIC; format <= HF_FORMAT_TEAMS; format++) {
		g_autoptr(HfJson) object = payload(format);

		g_assert_true(json_object_object_get_ex(object, members[format], NULL));
	}
}

static void
slack_gets_no_markup_of_others(void)
{
	g_autoptr(HfJson) object = payload(HF_FORMAT_SLACK);
	const char *text = NULL;

	g_assert_true(hf_json_get_text(object, "text", &text, NULL));
	g_assert_null(strchr(text, '<'));
	g_assert_nonnull(strstr(text, "&lt;script&gt;"));
}

static void
generic_names_its_event(void)
{
	g_autoptr(HfJson) object = payload(HF_FORMAT_GENERIC);
	const char *type = NULL;

	g_assert_true(hf_json_get_text(object, "type", &type, NULL));
	g_assert_cmpstr(type, ==, "holdfast.failure");
}

static HfSecret *
secret(const char *text)
{
	return hf_secret_new(text, strlen(text), "WEBHOOK_SECRET", NULL);
}

/* The vector that the specification's reference libraries are tested with. */
static void
signature_is_the_published_one(void)
{
	g_autoptr(HfSecret) key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	g_autofree char *made = hf_sign_webhook(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
						"{\"test\": 2432232314}", NULL);

	g_assert_cmpstr(made, ==, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void
two_secrets_make_two_signatures(void)
{
	g_autoptr(HfSecret) keys = secret(
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	g_autofree char *made = hf_sign_webhook(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
						"{\"test\": 2432232314}", NULL);

	g_assert_true(g_str_has_prefix(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"));
}

static void
wrong_secrets_are_refused_untold(void)
{
	static const char *const wrong[] = {
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_",
		"whsec_abc",
		"whsec_MfKQ9r8GKYqrTwjU",
		" ",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!w",
		"whsec_====MfKQ9r8GKYqrTwjUPD8ILPZIo2La",
		"whsec_"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAAAAAAAAAAAAAAAAAA",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(HfSecret) key = secret(wrong[i]);
		g_autoptr(GError) error = NULL;

		g_assert_false(hf_sign_check(key, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		if (strlen(wrong[i]) > 12)
			g_assert_null(strstr(error->message, wrong[i]));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(headers); i++) {
		g_autofree char *path = g_strconcat("/render/header/", headers[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), run_header);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		g_autofree char *path = g_strconcat("/render/address/", addresses[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), run_address);
	}
	g_test_add_func("/render/long-text-is-folded", long_text_is_folded);
	g_test_add_func("/render/date-is-as-rfc-5322-has-it", date_is_as_rfc_5322_has_it);
	g_test_add_func("/render/a-name-with-specials-is-quoted", a_name_with_specials_is_quoted);
	g_test_add_func("/render/a-mail-is-ascii-in-short-lines", a_mail_is_ascii_in_short_lines);
	g_test_add_func("/render/html-has-no-markup-of-others", html_has_no_markup_of_others);
	g_test_add_func("/render/a-message-survives-the-outbox", a_message_survives_the_outbox);
	g_test_add_func("/render/a-damaged-message-is-refused", a_damaged_message_is_refused);
	g_test_add_func("/render/texts-are-bounded", texts_are_bounded);
	g_test_add_func("/render/payloads-are-what-the-others-take", payloads_are_what_the_others_take);
	g_test_add_func("/render/slack-gets-no-markup-of-others", slack_gets_no_markup_of_others);
	g_test_add_func("/render/generic-names-its-event", generic_names_its_event);
	g_test_add_func("/render/signature-is-the-published-one", signature_is_the_published_one);
	g_test_add_func("/render/two-secrets-make-two-signatures", two_secrets_make_two_signatures);
	g_test_add_func("/render/wrong-secrets-are-refused-untold", wrong_secrets_are_refused_untold);
	return g_test_run();
}
