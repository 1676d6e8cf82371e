#include "config.h"

#include "backup/notify/channel.h"
#include "backup/notify/configured.h"
#include "backup/notify/deliver.h"
#include "backup/notify/outbox.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/text.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

#include <stdio.h>

#define LISTED_DEFAULT 20

static struct {
	gboolean wants_test, wants_deliver;
	gint limit;
} given = {.limit = LISTED_DEFAULT};

/* ---- the test ---- */

static HfMessage *
test_message(const HfSettings *settings)
{
	HfMessage *message = hf_message_new(HF_EVENT_TEST, "test");
	g_autofree char *at = hf_clock_rfc3339(message->at_s);

	hf_message_set_title(message, "This is a test");
	hf_message_add_text(message,
			    "Somebody ran \"holdfast notify --test\". Messages of Holdfast reach you.");
	hf_message_add_fact(message, "When", at);
	hf_message_add_fact(message, "Told of", hf_settings_text(settings, HF_SET_NOTIFY_ON));
	return message;
}

static void
say_test(HfCli *cli, const HfChannel *channel, HfJson *rows, const GError *trouble)
{
	HfJson *row = json_object_new_object();

	hf_cli_say(cli, "%-5s %s%s%s\n", trouble ? "FAIL" : "ok", channel->key, trouble ? ": " : "",
		   trouble ? trouble->message : "");
	(void)fflush(stdout);
	hf_json_add_text(row, "channel", channel->key);
	hf_json_add_flag(row, "delivered", trouble == NULL);
	hf_json_add_text(row, "error", trouble ? trouble->message : NULL);
	json_object_array_add(rows, row);
}

static bool
conclude_test(unsigned failed, bool has_wrong_settings, guint count, GError **error)
{
	if (failed == 0)
		return true;
	return hf_error_set(error, has_wrong_settings ? HF_ERROR_USAGE : HF_ERROR_FAILED,
			    "%u of %u channels did not take the message", failed, count);
}

static bool
run_test(HfCli *cli, GError **error)
{
	g_autoptr(GPtrArray) channels = hf_channels_load(cli->settings);
	g_autoptr(HfMessage) message = test_message(cli->settings);
	HfJson *rows = json_object_new_array();
	bool has_wrong_settings = false;
	unsigned failed = 0;

	hf_json_add(cli->reply, "channels", rows);
	if (channels->len == 0)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"nobody is to be told: set NOTIFY_EMAIL_TO, WEBHOOK_URL or HEARTBEAT_URL");
	for (guint i = 0; i < channels->len; i++) {
		const HfChannel *channel = channels->pdata[i];
		g_autoptr(GError) trouble = NULL;
		int64_t retry_after_s;

		if (!hf_cancel_check(error))
			return false;
		(void)!hf_channel_send(channel, message, &retry_after_s, &trouble);
		say_test(cli, channel, rows, trouble);
		if (!trouble && channel->is_open)
			g_warning("%s: what goes there can be read, and changed, on the way: use TLS",
				  channel->key);
		failed += trouble != NULL;
		has_wrong_settings = has_wrong_settings || channel->trouble;
	}
	return conclude_test(failed, has_wrong_settings, channels->len, error);
}

/* ---- the outbox ---- */

static const char *
status_of(const HfDelivery *entry)
{
	if (entry->channel)
		return hf_delivery_word(entry->status);
	return entry->is_spread ? "not wanted" : "waiting";
}

static HfJson *
entry_to_json(const HfDelivery *entry)
{
	HfJson *row = json_object_new_object();
	g_autoptr(HfMessage) message = hf_message_parse(entry->body, NULL);
	g_autofree char *at = hf_clock_rfc3339(entry->at_s);
	g_autofree char *tried = entry->tried_s > 0 ? hf_clock_rfc3339(entry->tried_s) : NULL;
	g_autofree char *next = hf_clock_rfc3339(entry->next_s);
	bool is_waiting = entry->channel && entry->status == HF_DELIVERY_WAITING;

	hf_json_add_text(row, "id", message ? message->id : NULL);
	hf_json_add_text(row, "at", at);
	hf_json_add_text(row, "event", entry->event);
	hf_json_add_text(row, "subject", entry->subject);
	hf_json_add_text(row, "title", message ? message->title : NULL);
	hf_json_add_text(row, "channel", entry->channel);
	hf_json_add_text(row, "status", status_of(entry));
	hf_json_add_number(row, "tries", entry->tries);
	hf_json_add_text(row, "tried", tried);
	hf_json_add_text(row, "next", is_waiting && entry->next_s > 0 ? next : NULL);
	hf_json_add_text(row, "error", entry->error);
	return row;
}

static void
add_row(HfGrid *grid, const HfDelivery *entry, int64_t now_s)
{
	g_autofree char *age = hf_text_age(entry->at_s, now_s);
	g_autofree char *tries = g_strdup_printf("%u", entry->tries);

	hf_grid_add(grid, (const char *const[]){age, entry->event, entry->subject,
						entry->channel ? entry->channel : "-", status_of(entry),
						tries, entry->error ? entry->error : ""});
}

static bool
run_list(HfCli *cli, HfState *state, GError **error)
{
	g_autoptr(GPtrArray) entries = hf_outbox_list(state, (unsigned)given.limit, error);
	g_autoptr(HfGrid) grid = hf_grid_new("lllllrl");
	g_autofree char *text = NULL;
	HfJson *rows;

	if (!entries)
		return false;
	rows = json_object_new_array();
	hf_json_add(cli->reply, "messages", rows);
	hf_grid_add(grid, (const char *const[]){"AGO", "EVENT", "SUBJECT", "CHANNEL", "STATUS", "TRIES", ""});
	for (guint i = 0; i < entries->len; i++) {
		add_row(grid, entries->pdata[i], hf_clock_now_s());
		json_object_array_add(rows, entry_to_json(entries->pdata[i]));
	}
	text = hf_grid_to_text(grid);
	hf_cli_say(cli, "%s", entries->len > 0 ? text : "there was nothing to tell yet\n");
	return true;
}

/* ---- the command ---- */

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfState) state = NULL;

	(void)arguments;
	if (given.wants_test && given.wants_deliver)
		return hf_error_set(error, HF_ERROR_USAGE, "--test and --deliver exclude each other");
	if (given.limit < 1 || given.limit > HF_MESSAGES_KEPT)
		return hf_error_set(error, HF_ERROR_USAGE, "--limit %d: 1 to %d is wanted", given.limit,
				    HF_MESSAGES_KEPT);
	if (given.wants_test)
		return run_test(cli, error);
	state = hf_state_open(hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR), error);
	if (!state)
		return false;
	return given.wants_deliver ? hf_deliver_run(state, cli->settings, error)
				   : run_list(cli, state, error);
}

/* ---- the doctor's ---- */

static bool
is_stuck(const HfDelivery *entry)
{
	return entry->channel && (entry->status == HF_DELIVERY_GIVEN_UP ||
				  (entry->status == HF_DELIVERY_WAITING && entry->error));
}

/* What does not get through among the newest, and is not followed by something that did. */
static const HfDelivery *
find_stuck(const GPtrArray *entries)
{
	g_autoptr(GHashTable) well = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; entries && i < entries->len; i++) {
		const HfDelivery *entry = entries->pdata[i];

		if (is_stuck(entry) && !g_hash_table_contains(well, entry->channel))
			return entry;
		if (entry->channel && entry->status == HF_DELIVERY_DONE)
			g_hash_table_add(well, entry->channel);
	}
	return NULL;
}

static void
report_outbox(HfDoctor *doctor, guint channels)
{
	const char *folder = hf_settings_text(doctor->cli->settings, HF_SET_BACKUP_STATE_DIR);
	g_autoptr(HfState) state = folder && g_file_test(folder, G_FILE_TEST_IS_DIR)
					   ? hf_state_open(folder, NULL)
					   : NULL;
	g_autoptr(GPtrArray) entries = state ? hf_outbox_list(state, LISTED_DEFAULT, NULL) : NULL;
	const HfDelivery *stuck = find_stuck(entries);

	if (stuck)
		hf_doctor_report(doctor, HF_MARK_WARN, "notify", "a message to %s is %s: %s", stuck->channel,
				 hf_delivery_word(stuck->status), stuck->error ? stuck->error : "");
	else
		hf_doctor_report(doctor, HF_MARK_OK, "notify",
				 "%u %s set up: \"holdfast notify --test\" tries %s", channels,
				 channels == 1 ? "channel is" : "channels are",
				 channels == 1 ? "it" : "them");
}

void
hf_doctor_check_notify(HfDoctor *doctor)
{
	g_autoptr(GPtrArray) channels = hf_channels_load(doctor->cli->settings);

	if (channels->len == 0) {
		hf_doctor_report(doctor, HF_MARK_OK, "notify",
				 "nobody is told of a bad night: NOTIFY_EMAIL_TO, WEBHOOK_URL or "
				 "HEARTBEAT_URL would");
		return;
	}
	for (guint i = 0; i < channels->len; i++) {
		const HfChannel *channel = channels->pdata[i];

		if (channel->trouble) {
			hf_doctor_report(doctor, HF_MARK_FAIL, "notify", "%s", channel->trouble->message);
			doctor->has_wrong_settings = true;
			return;
		}
		if (channel->is_open)
			hf_doctor_report(doctor, HF_MARK_WARN, "notify",
					 "%s: what goes there can be read, and changed, on the way: use TLS",
					 channel->key);
	}
	report_outbox(doctor, channels->len);
}

static GOptionEntry options[] = {
	{"test", 0, 0, G_OPTION_ARG_NONE, &given.wants_test, "Send a test message to everybody, now", NULL},
	{"deliver", 0, 0, G_OPTION_ARG_NONE, &given.wants_deliver,
	 "Send what waits, and go on until nothing does; jobs start this by themselves", NULL},
	{"limit", 0, 0, G_OPTION_ARG_INT, &given.limit, "List so many, the newest (20)", "N"},
	{0}};

const HfCommand hf_command_notify = {
	"notify",
	"",
	0,
	0,
	"show what was told to whom, or send a test message",
	"Lists the newest messages: what was told of, to which address or webhook, and what came of it. A "
	"message that does not get through is tried again, after 10 seconds first and every half hour in the "
	"end, for 24 hours.\n\n"
	"With --test, a message goes to each address of NOTIFY_EMAIL_TO, each WEBHOOK_URL and HEARTBEAT_URL "
	"(to "
	"its /log, since its own address would say that a backup was made), and a line each says what came "
	"of "
	"it. The exit status is 1 where one failed, and 2 where a setting is wrong or nobody is to be told.",
	options,
	false,
	run};
