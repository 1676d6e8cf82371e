#include "config.h"

#include "backup/notify/deliver.h"
#include "backup/job/record.h"
#include "backup/notify/channel.h"
#include "backup/notify/outbox.h"
#include "backup/notify/turn.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

#include <poll.h>
#include <string.h>

/* How often the outbox is looked at, and whether jobs still run. */
#define LOOK_MS 500
#define JOBS_LOOK_S 5

#define PAUSE_MAX_S 1800

/* What has just been tried by the one before is not tried at once. */
#define AGAIN_S 3

#define PAUSE_CREDIBLE_S 7200 /* with what chance adds, and what another side asks for */

typedef struct {
	HfState *state;
	const HfTurn *turn;
	GPtrArray *channels; /* of HfChannel */
	GHashTable
		*paused; /* a channel's key to when it is tried again, int64_t *; 0: the last try was good */
	int64_t begun_s; /* what was tried before is due, whenever it was to be tried next */
	bool has_jobs;
	int64_t jobs_looked_s; /* of the clock that is never set */
} Delivery;

int64_t
hf_deliver_pause_s(unsigned tries, double chance)
{
	static const int64_t pauses_s[] = {10, 30, 60, 120, 300, 600, 900};
	int64_t pause_s = tries == 0                        ? pauses_s[0]
			  : tries <= G_N_ELEMENTS(pauses_s) ? pauses_s[tries - 1]
							    : PAUSE_MAX_S;

	return pause_s + (int64_t)((double)pause_s * 0.25 * chance);
}

/* ---- whom a message goes to ---- */

static GPtrArray *
receivers_of(const Delivery *delivery, const HfMessage *message)
{
	GPtrArray *receivers = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < delivery->channels->len; i++) {
		const HfChannel *channel = delivery->channels->pdata[i];
		HfSpread *spread;

		if (!hf_channel_wants(channel, message))
			continue;
		spread = g_new0(HfSpread, 1);
		spread->channel = channel->key;
		spread->is_latest_only = channel->kind == HF_CHANNEL_HEARTBEAT;
		g_ptr_array_add(receivers, spread);
	}
	return receivers;
}

/* What is too old when it is first seen goes nowhere, and neither does what cannot be read. */
static bool
spread_one(const Delivery *delivery, const HfOutboxMessage *entry, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfMessage) message = hf_message_parse(entry->body, &trouble);
	g_autoptr(GPtrArray) receivers = NULL;

	if (message && hf_clock_now_s() - entry->at_s <= HF_MESSAGE_AGE_S)
		receivers = receivers_of(delivery, message);
	else
		receivers = g_ptr_array_new();
	return hf_outbox_spread(delivery->state, entry->seq, receivers, error);
}

static bool
spread_fresh(Delivery *delivery, GError **error)
{
	g_autoptr(GPtrArray) fresh = hf_outbox_fresh(delivery->state, error);

	/* It may be the last job's end. */
	if (fresh && fresh->len > 0)
		delivery->jobs_looked_s = 0;
	for (guint i = 0; fresh && i < fresh->len; i++)
		if (!spread_one(delivery, fresh->pdata[i], error))
			return false;
	return fresh != NULL;
}

/* ---- trying ---- */

static const HfChannel *
find_channel(const Delivery *delivery, const char *key)
{
	for (guint i = 0; i < delivery->channels->len; i++) {
		const HfChannel *channel = delivery->channels->pdata[i];

		if (g_strcmp0(channel->key, key) == 0)
			return channel;
	}
	return NULL;
}

static void
give_up(HfDelivery *entry, const char *why)
{
	entry->status = HF_DELIVERY_GIVEN_UP;
	if (!entry->error)
		entry->error = g_strdup(why);
}

/* Until 0: what waits for it is due. */
static void
pause_channel(const Delivery *delivery, const char *key, int64_t until_s)
{
	int64_t *value = g_new(int64_t, 1);

	*value = until_s;
	g_hash_table_replace(delivery->paused, g_strdup(key), value);
}

/* A failed try makes the channel's others wait as well: they would only hang, or be refused, the same way. */
static void
note_failure(const Delivery *delivery, HfDelivery *entry, const GError *cause, int64_t retry_after_s)
{
	int64_t now_s = hf_clock_now_s();
	int64_t pause_s = MAX(hf_deliver_pause_s(entry->tries, g_random_double()), retry_after_s);

	g_free(entry->error);
	entry->error = g_strdup(cause->message);
	entry->next_s = now_s + pause_s;
	pause_channel(delivery, entry->channel, entry->next_s);
	g_warning("%s: the message of %s (%s) is not delivered, it is tried again: %s", entry->channel,
		  entry->event, entry->subject, cause->message);
}

/* False with CANCELLED alone; what comes of the try is in entry. */
static bool
try_one(const Delivery *delivery, HfDelivery *entry, GError **error)
{
	const HfChannel *channel = find_channel(delivery, entry->channel);
	g_autoptr(GError) cause = NULL;
	g_autoptr(HfMessage) message = hf_message_parse(entry->body, &cause);
	int64_t retry_after_s = 0;

	if (!channel || !message) {
		give_up(entry, channel ? "the message is damaged" : "the channel is not configured any more");
		return true;
	}
	entry->tries++;
	entry->tried_s = hf_clock_now_s();
	if (hf_channel_send(channel, message, &retry_after_s, &cause)) {
		entry->status = HF_DELIVERY_DONE;
		pause_channel(delivery, entry->channel, 0);
		g_clear_pointer(&entry->error, g_free);
		g_message("%s: told of %s (%s)", entry->channel, entry->event, entry->subject);
		return true;
	}
	if (hf_error_is(cause, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	note_failure(delivery, entry, cause, retry_after_s);
	return true;
}

/* A time that lies further ahead than any pause was made by a clock that was wrong. */
static bool
is_ahead(int64_t time_s, int64_t now_s)
{
	return time_s > now_s && time_s <= now_s + PAUSE_CREDIBLE_S;
}

/* When it is tried: a channel that has just failed, or has just been reached, counts more than what was planned. */
static int64_t
due_s(const Delivery *delivery, const HfDelivery *entry)
{
	const int64_t *paused_s = g_hash_table_lookup(delivery->paused, entry->channel);

	if (paused_s)
		return *paused_s > 0 ? MAX(*paused_s, entry->next_s) : 0;
	return entry->tried_s <= delivery->begun_s ? MIN(entry->next_s, entry->tried_s + AGAIN_S)
						   : entry->next_s;
}

/* Whether there is anything to note of entry. */
static bool
look_at_one(const Delivery *delivery, HfDelivery *entry, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	int64_t next_s = due_s(delivery, entry);
	bool is_moved = next_s > entry->next_s;

	if (now_s - entry->at_s > HF_MESSAGE_AGE_S) {
		give_up(entry, "it was too old before it could be delivered");
		return true;
	}
	if (!is_ahead(next_s, now_s))
		return try_one(delivery, entry, error);
	entry->next_s = next_s;
	return is_moved;
}

static bool
try_due(const Delivery *delivery, const GPtrArray *waiting, GError **error)
{
	for (guint i = 0; i < waiting->len; i++) {
		HfDelivery *entry = waiting->pdata[i];
		g_autoptr(GError) cause = NULL;

		if (look_at_one(delivery, entry, &cause) && !hf_outbox_settle(delivery->state, entry, error))
			return false;
		if (cause) {
			g_propagate_error(error, g_steal_pointer(&cause));
			return false;
		}
		if (hf_turn_is_awaited(delivery->turn))
			return true;
	}
	return true;
}

/* ---- the loop ---- */

static bool
has_open(const GPtrArray *waiting)
{
	for (guint i = 0; i < waiting->len; i++)
		if (((const HfDelivery *)waiting->pdata[i])->status == HF_DELIVERY_WAITING)
			return true;
	return false;
}

/* Looking at them also finds those whose process is gone, which is a message. */
static void
look_at_jobs(Delivery *delivery, bool is_pressing)
{
	int64_t now_s = (int64_t)hf_clock_monotonic_s();
	g_autoptr(HfJobRecord) running = NULL;

	if (!is_pressing && now_s - delivery->jobs_looked_s < JOBS_LOOK_S)
		return;
	delivery->jobs_looked_s = now_s;
	running = hf_jobs_running(delivery->state, NULL, NULL);
	delivery->has_jobs = running != NULL;
}

/* *busy_out tells whether there is more to wait for. */
static bool
pass(Delivery *delivery, bool *busy_out, GError **error)
{
	g_autoptr(GPtrArray) waiting = NULL;

	if (!spread_fresh(delivery, error))
		return false;
	waiting = hf_outbox_waiting(delivery->state, error);
	if (!waiting || !try_due(delivery, waiting, error))
		return false;
	*busy_out = has_open(waiting);
	return true;
}

static bool
is_empty(const Delivery *delivery)
{
	g_autoptr(GPtrArray) fresh = hf_outbox_fresh(delivery->state, NULL);

	return !fresh || fresh->len == 0;
}

static bool
work(Delivery *delivery, GError **error)
{
	for (;;) {
		struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};
		bool is_busy = false;

		look_at_jobs(delivery, false);
		if (!pass(delivery, &is_busy, error))
			return false;
		if (hf_turn_is_awaited(delivery->turn))
			return true;
		if (!is_busy && !delivery->has_jobs) {
			look_at_jobs(delivery, true);
			if (!delivery->has_jobs && is_empty(delivery))
				return true;
			continue;
		}
		(void)poll(&stop, 1, LOOK_MS);
		if (!hf_cancel_check(error))
			return false;
	}
}

static bool
work_in_turn(Delivery *delivery, GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autoptr(HfTurn) turn = hf_turn_take(hf_state_folder(delivery->state), &cause);

	delivery->turn = turn;
	if (turn)
		return work(delivery, error);
	if (!cause)
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

bool
hf_deliver_run(HfState *state, const HfSettings *settings, GError **error)
{
	Delivery delivery = {
		.state = state, .channels = hf_channels_load(settings), .begun_s = hf_clock_now_s()};
	bool is_good;

	delivery.paused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	is_good = delivery.channels->len == 0 || work_in_turn(&delivery, error);
	g_hash_table_unref(delivery.paused);
	g_ptr_array_unref(delivery.channels);
	return is_good;
}

bool
hf_deliver_is_tried(HfState *state)
{
	g_autoptr(GPtrArray) fresh = hf_outbox_fresh(state, NULL);
	g_autoptr(GPtrArray) waiting = fresh ? hf_outbox_waiting(state, NULL) : NULL;

	if (!waiting || fresh->len > 0)
		return !waiting;
	for (guint i = 0; i < waiting->len; i++) {
		const HfDelivery *entry = waiting->pdata[i];

		if (entry->tries == 0 && !is_ahead(entry->next_s, hf_clock_now_s()))
			return false;
	}
	return true;
}
