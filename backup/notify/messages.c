#include "config.h"

#include "backup/notify/outbox-impl.h"

static const char add_sql[] =
	"INSERT INTO messages (at_s, event, subject, body) VALUES (?1, ?2, ?3, ?4) RETURNING seq";
static const char trim_sql[] = "DELETE FROM messages WHERE seq <= ?1";
static const char spread_sql[] = "UPDATE messages SET is_spread = 1 WHERE seq = ?1";
static const char fresh_sql[] = "SELECT seq, at_s, body FROM messages WHERE is_spread = 0 ORDER BY seq";

static bool
trim(HfState *state, int64_t seq, GError **error)
{
	sqlite3_stmt *statement = hf_state_prepare(state, trim_sql, error);

	if (!statement)
		return false;
	hf_bind_number(statement, 1, seq);
	return hf_state_execute(state, statement, error) && hf_deliveries_trim(state, seq, error);
}

bool
hf_messages_add(HfState *state, const HfMessage *message, GError **error)
{
	g_autofree char *body = hf_message_to_json(message);
	sqlite3_stmt *add = hf_state_prepare(state, add_sql, error);
	bool has_row = false;
	int64_t seq;

	if (!add)
		return false;
	hf_bind_number(add, 1, message->at_s);
	hf_bind_text(add, 2, hf_event_word(message->event));
	hf_bind_text(add, 3, message->subject);
	hf_bind_text(add, 4, body);
	if (!hf_state_step(state, add, &has_row, error))
		return false;
	seq = has_row ? sqlite3_column_int64(add, 0) : 0;
	return hf_state_execute(state, add, error) && trim(state, seq - HF_MESSAGES_KEPT, error);
}

bool
hf_messages_mark_spread(HfState *state, int64_t seq, GError **error)
{
	sqlite3_stmt *mark = hf_state_prepare(state, spread_sql, error);

	if (!mark)
		return false;
	hf_bind_number(mark, 1, seq);
	return hf_state_execute(state, mark, error);
}

/* ---- reading ---- */

static void
free_message(gpointer data)
{
	HfOutboxMessage *message = data;

	g_free(message->body);
	g_free(message);
}

static bool
fresh_work(HfState *state, void *data, GError **error)
{
	GPtrArray **found = data;
	g_autoptr(GPtrArray) messages = g_ptr_array_new_with_free_func(free_message);
	sqlite3_stmt *select = hf_state_prepare(state, fresh_sql, error);
	bool has_row = true;

	if (!select)
		return false;
	while (hf_state_step(state, select, &has_row, error)) {
		HfOutboxMessage *message;

		if (!has_row) {
			g_clear_pointer(found, g_ptr_array_unref);
			*found = g_steal_pointer(&messages);
			return true;
		}
		message = g_new0(HfOutboxMessage, 1);
		message->seq = sqlite3_column_int64(select, 0);
		message->at_s = sqlite3_column_int64(select, 1);
		message->body = hf_column_text(select, 2);
		g_ptr_array_add(messages, message);
	}
	return false;
}

GPtrArray *
hf_outbox_fresh(HfState *state, GError **error)
{
	g_autoptr(GPtrArray) found = NULL;

	return hf_state_run(state, HF_STATE_READ, fresh_work, &found, error) ? g_steal_pointer(&found) : NULL;
}
