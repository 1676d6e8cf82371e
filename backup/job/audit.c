#include "config.h"

#include "backup/job/audit.h"
#include "backup/job/state-impl.h"

#include <string.h>

#define TEXT_BYTES 1024
#define TRIMMED_EACH 1024 /* entries: a look for the oldest that is kept passes all that are */

static const char add_sql[] = "INSERT INTO audit (at_s, who, method, path, status, request_id, peer, what)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING seq";
static const char trim_sql[] =
	"DELETE FROM audit WHERE is_change = ?1 AND seq <="
	" (SELECT seq FROM audit WHERE is_change = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";
#define LIST \
	"SELECT seq, at_s, status, who, method, path, request_id, peer, what FROM audit WHERE (?1 = 0 OR " \
	"seq < ?1)"
#define NEWEST " ORDER BY seq DESC LIMIT ?2"
static const char *const list_sql[] = {
	[HF_AUDIT_ALL] = LIST NEWEST,
	[HF_AUDIT_CHANGES] = LIST " AND is_change = 1" NEWEST,
	[HF_AUDIT_REFUSED] = LIST " AND status IN (401, 403, 429)" NEWEST,
};

/* What a stranger sent becomes one line of bounded length; SQLite copies it. */
static void
bind_line(sqlite3_stmt *statement, int parameter, const char *text)
{
	g_autofree char *head = text ? g_strndup(text, TEXT_BYTES) : NULL;
	g_autofree char *line = head ? g_utf8_make_valid(head, -1) : NULL;

	for (char *p = line; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (line)
		(void)sqlite3_bind_text(statement, parameter, line, -1, SQLITE_TRANSIENT);
	else
		(void)sqlite3_bind_null(statement, parameter);
}

static bool
add_entry(HfState *state, const HfAuditEntry *entry, int64_t *seq_out, GError **error)
{
	sqlite3_stmt *add = hf_state_prepare(state, add_sql, error);
	bool has_row = false;

	if (!add)
		return false;
	hf_bind_number(add, 1, entry->at_s);
	bind_line(add, 2, entry->who);
	bind_line(add, 3, entry->method);
	bind_line(add, 4, entry->path);
	hf_bind_number(add, 5, entry->status);
	bind_line(add, 6, entry->request_id);
	bind_line(add, 7, entry->peer);
	bind_line(add, 8, entry->what);
	if (!hf_state_step(state, add, &has_row, error))
		return false;
	*seq_out = has_row ? sqlite3_column_int64(add, 0) : 0;
	return hf_state_execute(state, add, error);
}

static bool
trim(HfState *state, bool of_changes, GError **error)
{
	sqlite3_stmt *trim = hf_state_prepare(state, trim_sql, error);

	if (!trim)
		return false;
	hf_bind_number(trim, 1, of_changes);
	hf_bind_number(trim, 2, HF_AUDIT_KEPT);
	return hf_state_execute(state, trim, error);
}

static bool
add_work(HfState *state, void *data, GError **error)
{
	const GPtrArray *entries = data;
	int64_t seq = 0;

	for (guint i = 0; i < entries->len; i++)
		if (!add_entry(state, entries->pdata[i], &seq, error))
			return false;
	if (seq / TRIMMED_EACH == (seq - (int64_t)entries->len) / TRIMMED_EACH)
		return true;
	return trim(state, true, error) && trim(state, false, error);
}

bool
hf_audit_add_all(HfState *state, const GPtrArray *entries, GError **error)
{
	return hf_state_run(state, HF_STATE_WRITE, add_work, (void *)(uintptr_t)entries, error);
}

bool
hf_audit_add(HfState *state, const HfAuditEntry *entry, GError **error)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new();

	g_ptr_array_add(entries, (gpointer)(uintptr_t)entry);
	return hf_audit_add_all(state, entries, error);
}

/* ---- reading ---- */

typedef struct {
	HfAuditEntry entry;
	char *texts[6]; /* what its members point to */
} Stored;

static void
free_stored(gpointer data)
{
	Stored *stored = data;

	for (size_t i = 0; i < G_N_ELEMENTS(stored->texts); i++)
		g_free(stored->texts[i]);
	g_free(stored);
}

static Stored *
read_row(sqlite3_stmt *row)
{
	Stored *stored = g_new0(Stored, 1);

	for (int i = 0; i < (int)G_N_ELEMENTS(stored->texts); i++)
		stored->texts[i] = hf_column_text(row, 3 + i);
	stored->entry = (HfAuditEntry){
		.seq = sqlite3_column_int64(row, 0),
		.at_s = sqlite3_column_int64(row, 1),
		.status = sqlite3_column_int(row, 2),
		.who = stored->texts[0],
		.method = stored->texts[1],
		.path = stored->texts[2],
		.request_id = stored->texts[3],
		.peer = stored->texts[4],
		.what = stored->texts[5],
	};
	return stored;
}

typedef struct {
	HfAuditKind kind;
	int64_t before_seq;
	unsigned limit;
	GPtrArray *entries;
} Listing;

static bool
list_work(HfState *state, void *data, GError **error)
{
	Listing *listing = data;
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(free_stored);
	sqlite3_stmt *list = hf_state_prepare(state, list_sql[listing->kind], error);
	bool has_row = true;

	if (!list)
		return false;
	hf_bind_number(list, 1, listing->before_seq);
	hf_bind_number(list, 2, listing->limit);
	while (hf_state_step(state, list, &has_row, error)) {
		if (!has_row) {
			g_clear_pointer(&listing->entries, g_ptr_array_unref);
			listing->entries = g_steal_pointer(&entries);
			return true;
		}
		g_ptr_array_add(entries, read_row(list));
	}
	return false;
}

GPtrArray *
hf_audit_list(HfState *state, HfAuditKind kind, int64_t before_seq, unsigned limit, GError **error)
{
	Listing listing = {.kind = kind, .before_seq = before_seq, .limit = limit};

	/* The entry stands first in what is stored, so a pointer to the one is a pointer to the other. */
	G_STATIC_ASSERT(G_STRUCT_OFFSET(Stored, entry) == 0);
	if (hf_state_run(state, HF_STATE_READ, list_work, &listing, error))
		return listing.entries;
	g_clear_pointer(&listing.entries, g_ptr_array_unref);
	return NULL;
}
