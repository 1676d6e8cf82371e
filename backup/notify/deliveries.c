#include "config.h"

#include "backup/notify/outbox-impl.h"

#define COLUMNS \
	"d.seq, m.seq, d.channel, d.status, d.tries, d.tried_s, d.next_s, d.error, m.at_s, m.event, " \
	"m.subject," \
	" m.is_spread, m.body"

static const char add_sql[] = "INSERT INTO deliveries (message, channel, status, tries, tried_s, next_s)"
			      " VALUES (?1, ?2, 0, 0, 0, 0)";
static const char drop_sql[] = "UPDATE deliveries SET status = 3 WHERE status = 0 AND channel = ?1";
static const char settle_sql[] =
	"UPDATE deliveries SET status = ?2, tries = ?3, tried_s = ?4, next_s = ?5, error = ?6 WHERE seq = ?1";
static const char trim_sql[] = "DELETE FROM deliveries WHERE message <= ?1";
static const char waiting_sql[] = "SELECT " COLUMNS " FROM deliveries d JOIN messages m ON m.seq = d.message"
				  " WHERE d.status = 0 ORDER BY d.seq";
static const char list_sql[] = "SELECT " COLUMNS
			       " FROM messages m LEFT JOIN deliveries d ON m.seq = d.message"
			       " ORDER BY m.seq DESC, d.seq LIMIT ?1";

const char *
hf_delivery_word(HfDeliveryStatus status)
{
	static const char *const words[] = {
		[HF_DELIVERY_WAITING] = "waiting",
		[HF_DELIVERY_DONE] = "delivered",
		[HF_DELIVERY_GIVEN_UP] = "given up",
		[HF_DELIVERY_DROPPED] = "dropped",
	};

	return words[status];
}

/* ---- writing ---- */

bool
hf_deliveries_trim(HfState *state, int64_t message, GError **error)
{
	sqlite3_stmt *trim = hf_state_prepare(state, trim_sql, error);

	if (!trim)
		return false;
	hf_bind_number(trim, 1, message);
	return hf_state_execute(state, trim, error);
}

typedef struct {
	int64_t message;
	const GPtrArray *channels;
} Spreading;

static bool
drop_waiting(HfState *state, const char *channel, GError **error)
{
	sqlite3_stmt *drop = hf_state_prepare(state, drop_sql, error);

	if (!drop)
		return false;
	hf_bind_text(drop, 1, channel);
	return hf_state_execute(state, drop, error);
}

static bool
spread_work(HfState *state, void *data, GError **error)
{
	const Spreading *spreading = data;

	for (guint i = 0; i < spreading->channels->len; i++) {
		const HfSpread *spread = spreading->channels->pdata[i];
		sqlite3_stmt *add;

		if (spread->is_latest_only && !drop_waiting(state, spread->channel, error))
			return false;
		add = hf_state_prepare(state, add_sql, error);
		if (!add)
			return false;
		hf_bind_number(add, 1, spreading->message);
		hf_bind_text(add, 2, spread->channel);
		if (!hf_state_execute(state, add, error))
			return false;
	}
	return hf_messages_mark_spread(state, spreading->message, error);
}

bool
hf_outbox_spread(HfState *state, int64_t message, const GPtrArray *channels, GError **error)
{
	Spreading spreading = {.message = message, .channels = channels};

	return hf_state_run(state, HF_STATE_WRITE, spread_work, &spreading, error);
}

static bool
settle_work(HfState *state, void *data, GError **error)
{
	const HfDelivery *delivery = data;
	sqlite3_stmt *settle = hf_state_prepare(state, settle_sql, error);

	if (!settle)
		return false;
	hf_bind_number(settle, 1, delivery->seq);
	hf_bind_number(settle, 2, delivery->status);
	hf_bind_number(settle, 3, delivery->tries);
	hf_bind_number(settle, 4, delivery->tried_s);
	hf_bind_number(settle, 5, delivery->next_s);
	hf_bind_text(settle, 6, delivery->error);
	return hf_state_execute(state, settle, error);
}

bool
hf_outbox_settle(HfState *state, const HfDelivery *delivery, GError **error)
{
	HfDelivery copy = *delivery;

	return hf_state_run(state, HF_STATE_WRITE, settle_work, &copy, error);
}

/* ---- reading ---- */

static void
free_delivery(gpointer data)
{
	HfDelivery *delivery = data;

	g_free(delivery->channel);
	g_free(delivery->error);
	g_free(delivery->event);
	g_free(delivery->subject);
	g_free(delivery->body);
	g_free(delivery);
}

static HfDelivery *
read_row(sqlite3_stmt *row)
{
	HfDelivery *delivery = g_new0(HfDelivery, 1);

	delivery->seq = sqlite3_column_int64(row, 0);
	delivery->message = sqlite3_column_int64(row, 1);
	delivery->channel = hf_column_text(row, 2);
	delivery->status = (HfDeliveryStatus)CLAMP(sqlite3_column_int(row, 3), HF_DELIVERY_WAITING,
						   HF_DELIVERY_DROPPED);
	delivery->tries = (unsigned)CLAMP(sqlite3_column_int(row, 4), 0, G_MAXINT);
	delivery->tried_s = sqlite3_column_int64(row, 5);
	delivery->next_s = sqlite3_column_int64(row, 6);
	delivery->error = hf_column_text(row, 7);
	delivery->at_s = sqlite3_column_int64(row, 8);
	delivery->event = hf_column_text(row, 9);
	delivery->subject = hf_column_text(row, 10);
	delivery->is_spread = sqlite3_column_int(row, 11) != 0;
	delivery->body = hf_column_text(row, 12);
	return delivery;
}

typedef struct {
	const char *sql;
	unsigned limit; /* 0: the statement has no such parameter */
	GPtrArray *found;
} Listing;

static bool
list_work(HfState *state, void *data, GError **error)
{
	Listing *listing = data;
	g_autoptr(GPtrArray) deliveries = g_ptr_array_new_with_free_func(free_delivery);
	sqlite3_stmt *select = hf_state_prepare(state, listing->sql, error);
	bool has_row = true;

	if (!select)
		return false;
	if (listing->limit > 0)
		hf_bind_number(select, 1, listing->limit);
	while (hf_state_step(state, select, &has_row, error)) {
		if (!has_row) {
			g_clear_pointer(&listing->found, g_ptr_array_unref);
			listing->found = g_steal_pointer(&deliveries);
			return true;
		}
		g_ptr_array_add(deliveries, read_row(select));
	}
	return false;
}

static GPtrArray *
list(HfState *state, const char *sql, unsigned limit, GError **error)
{
	Listing listing = {.sql = sql, .limit = limit};
	g_autoptr(GPtrArray) found = NULL;
	bool is_read = hf_state_run(state, HF_STATE_READ, list_work, &listing, error);

	found = listing.found;
	return is_read ? g_steal_pointer(&found) : NULL;
}

GPtrArray *
hf_outbox_waiting(HfState *state, GError **error)
{
	return list(state, waiting_sql, 0, error);
}

GPtrArray *
hf_outbox_list(HfState *state, unsigned limit, GError **error)
{
	return list(state, list_sql, limit, error);
}
