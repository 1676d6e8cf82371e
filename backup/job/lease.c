#include "config.h"

#include "backup/job/lease.h"
#include "backup/catalog/fence.h"
#include "backup/job/kind.h"
#include "backup/job/progress.h"
#include "common/error.h"

#include <string.h>

/* Others may be faster so often: with a pause of some 100 ms that is half a minute. */
#define ROUNDS_MAX 200
/* Replies that were lost, or a store that does not answer: it has tried by itself each time. */
#define REFUSED_MAX 20 /* rounds: S3 answers so, too, while somebody writes who fails in the end */
#define TROUBLES_MAX 4
#define PAUSE_MS 40
#define PAUSE_DOUBLINGS 3
/* As for the marks of this host (marks.c): a slot further ahead than this was noted by a clock that was wrong. */
#define CREDIBLE_S 86400

struct HfLease {
	HfStore *store;
	const HfLeaseWorld *world;
	HfLeaseSeen *seen;
	HfLeaseEntry *own;
	char *schedule;
	int64_t slot_s;
	HfLeaseEntry *other;
	double sure_until_s;
	bool is_lost;
	bool is_probed;
	char *refused_etag; /* of the version that the last round was not allowed to replace */
	unsigned refused;   /* how many rounds in a row it was that one */
};

HfLease *
hf_lease_new(HfStore *store, const HfLeaseWorld *world, HfLeaseSeen *seen, const HfLeaseWish *wish)
{
	HfLease *lease = g_new0(HfLease, 1);
	HfLeaseEntry *own = g_new0(HfLeaseEntry, 1);
	uint64_t numbers[2];

	world->random(world->data, numbers, sizeof numbers);
	own->nonce = g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", numbers[0],
				     numbers[1]);
	own->host = g_strdup(wish->host);
	own->machine = g_strdup(wish->machine);
	own->job = g_strdup(wish->job ? wish->job : "");
	own->kind = g_strdup(wish->kind);
	own->by = g_strdup(wish->by);
	own->pid = wish->pid;
	own->ticks = wish->ticks;
	own->seconds = wish->seconds;
	lease->store = store;
	lease->world = world;
	lease->seen = seen;
	lease->own = own;
	lease->schedule = g_strdup(wish->schedule);
	lease->slot_s = wish->slot_s;
	return lease;
}

void
hf_lease_free(HfLease *lease)
{
	if (!lease)
		return;
	hf_lease_entry_free(lease->own);
	hf_lease_entry_free(lease->other);
	g_free(lease->schedule);
	g_free(lease->refused_etag);
	g_free(lease);
}

const HfLeaseEntry *
hf_lease_other(const HfLease *lease)
{
	return lease->other;
}

const char *
hf_lease_nonce(const HfLease *lease)
{
	return lease->own->nonce;
}

bool
hf_lease_is_sure(const HfLease *lease)
{
	return !lease->is_lost && lease->world->now_s(lease->world->data) < lease->sure_until_s;
}

bool
hf_lease_is_lost(const HfLease *lease)
{
	return lease->is_lost;
}

static void
note_other(HfLease *lease, const HfLeaseEntry *other)
{
	hf_lease_entry_free(lease->other);
	lease->other = other ? hf_lease_entry_copy(other) : NULL;
}

/* ---- the object ---- */

/* A version of it; etag NULL: there is none. */
typedef struct {
	HfLeaseTable *table;
	char *etag;
} Version;

static void
version_clear(Version *version)
{
	g_clear_pointer(&version->table, hf_lease_table_free);
	g_clear_pointer(&version->etag, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Version, version_clear)

static bool
parse(HfStore *store, GBytes *bytes, Version *version, GError **error)
{
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);

	version->table = hf_lease_table_parse(text ? text : "", len, error);
	if (version->table)
		return true;
	g_prefix_error(error, "\"%s/%s\" cannot be read (remove it while no job runs on any host): ",
		       hf_store_location(store), HF_LEASE_KEY);
	return false;
}

static bool
read_version(HfStore *store, const HfLeaseWorld *world, HfLeaseSeen *seen, Version *version, GError **error)
{
	double before_s = world->now_s(world->data);
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GError) cause = NULL;

	version_clear(version);
	if (hf_store_get(store, HF_LEASE_KEY, HF_LEASE_BYTES_MAX, &bytes, &version->etag, &cause)) {
		if (!parse(store, bytes, version, error))
			return false;
	} else if (hf_error_is(cause, HF_ERROR_NOT_FOUND)) {
		version->table = hf_lease_table_new();
	} else {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	hf_lease_seen_look(seen, version->table, before_s, world->now_s(world->data));
	return true;
}

bool
hf_lease_look(HfStore *store, const HfLeaseWorld *world, HfLeaseSeen *seen, GError **error)
{
	g_auto(Version) version = {0};

	return read_version(store, world, seen, &version, error);
}

/* Before the object is made for the first time: afterwards its being there says that the conditions hold. */
static bool
probe(HfLease *lease, GError **error)
{
	g_autofree char *key = NULL;
	HfConditions found;
	uint64_t number;

	if (lease->is_probed)
		return true;
	lease->world->random(lease->world->data, &number, sizeof number);
	key = g_strdup_printf("holdfast_probe_%016" G_GINT64_MODIFIER "x.probe", number);
	if (!hf_store_probe(lease->store, key, &found, error))
		return false;
	lease->is_probed = found.has_create && found.has_replace;
	return lease->is_probed ||
	       hf_error_set(
		       error, HF_ERROR_USAGE,
		       "\"%s\" does not heed conditional writes (%s), so it can hold no leases: let only one "
		       "host back up into it",
		       hf_store_location(lease->store), found.has_create ? "If-Match" : "If-None-Match");
}

/* Somebody who is faster leaves another version behind. */
static void
count_refusal(HfLease *lease, const char *etag)
{
	lease->refused = g_strcmp0(etag, lease->refused_etag) == 0 ? lease->refused + 1 : 1;
	g_free(lease->refused_etag);
	lease->refused_etag = g_strdup(etag);
}

/* Seen with Ceph RGW 16, of an object that was stored before its bucket's versioning was enabled. */
static bool
refuses_for_nothing(HfLease *lease, GError **error)
{
	if (lease->refused < REFUSED_MAX)
		return false;
	lease->refused = 0;
	hf_error_set(
		error, HF_ERROR_USAGE,
		"\"%s/%s\" may not be replaced although nobody has changed it: delete it while no job runs, "
		"or set LEASES=off and let only one host back up into this store",
		hf_store_location(lease->store), HF_LEASE_KEY);
	return true;
}

/* Whatever is written for, it is a sign of life: what we count on from here on begins with a beat that nobody has seen. */
static bool
write_version(HfLease *lease, Version *version, GError **error)
{
	HfLeaseEntry *own = hf_lease_table_find(version->table, lease->own->nonce);
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GError) cause = NULL;
	double before_s;

	if (!version->etag && !probe(lease, error))
		return false;
	if (own)
		lease->own->beat = own->beat = MAX(own->beat, lease->own->beat) + 1;
	version->table->writes++;
	bytes = hf_lease_table_to_bytes(version->table);
	before_s = lease->world->now_s(lease->world->data);
	if (!(version->etag ? hf_store_replace(lease->store, HF_LEASE_KEY, bytes, version->etag, &cause)
			    : hf_store_create(lease->store, HF_LEASE_KEY, bytes, &cause))) {
		if (version->etag && hf_error_is(cause, HF_ERROR_CONFLICT))
			count_refusal(lease, version->etag);
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	if (own)
		lease->sure_until_s = before_s + lease->own->seconds;
	return true;
}

/* ---- changing it ---- */

typedef enum {
	STEP_DONE,  /* nothing is to be written (any more) */
	STEP_WRITE, /* and then all is done */
	STEP_AGAIN, /* to be written, and looked at once more */
	STEP_FAILED,
} Step;

/* Changes the table that was read. */
typedef Step (*Change)(HfLease *lease, Version *version, void *data, GError **error);

static void
pause_a_while(const HfLease *lease, unsigned round)
{
	unsigned longest = PAUSE_MS << MIN(round, PAUSE_DOUBLINGS);
	uint16_t number;

	lease->world->random(lease->world->data, &number, sizeof number);
	lease->world->pause(lease->world->data, longest / 2 + number % (longest / 2 + 1));
}

/*
 * Whether another round may help.  After a write that failed the object may be what we wrote all the same; on S3 a write on
 * the condition of what is gone is answered 404.
 */
static bool
is_worth_a_round(const HfLease *lease, Step step, const GError *cause, unsigned *troubles)
{
	bool was_writing = step != STEP_FAILED;

	if (lease->is_lost)
		return false;
	if (was_writing && hf_error_is(cause, HF_ERROR_CONFLICT))
		return true;
	/* What was only read is nobody's riddle: the store has tried that by itself. */
	*troubles += was_writing ? 1 : TROUBLES_MAX / 2;
	return (hf_error_is(cause, HF_ERROR_TRANSIENT) ||
		(was_writing && hf_error_is(cause, HF_ERROR_NOT_FOUND))) &&
	       *troubles < TROUBLES_MAX;
}

static bool
one_round(HfLease *lease, Change change, void *data, Step *step_out, GError **error)
{
	g_auto(Version) version = {0};

	if (!read_version(lease->store, lease->world, lease->seen, &version, error))
		return false;
	*step_out = change(lease, &version, data, error);
	if (*step_out == STEP_FAILED)
		return false;
	return *step_out == STEP_DONE || write_version(lease, &version, error);
}

/* Reads, changes and replaces, until nobody else was faster. */
static bool
update(HfLease *lease, Change change, void *data, GError **error)
{
	unsigned troubles = 0;

	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		g_autoptr(GError) cause = NULL;
		Step step = STEP_FAILED;

		if (one_round(lease, change, data, &step, &cause)) {
			if (step != STEP_AGAIN)
				return true;
			continue;
		}
		if (refuses_for_nothing(lease, error))
			return false;
		if (!is_worth_a_round(lease, step, cause, &troubles)) {
			g_propagate_error(error, g_steal_pointer(&cause));
			return false;
		}
		pause_a_while(lease, round);
	}
	return hf_error_set(
		error, HF_ERROR_CONFLICT,
		"\"%s/%s\" is changed by others all the time: are the clocks of this many hosts set to "
		"start jobs at once?",
		hf_store_location(lease->store), HF_LEASE_KEY);
}

/* ---- taking over ---- */

static bool
is_dead(const HfLease *lease, const HfLeaseEntry *entry)
{
	return entry->lost_to || lease->world->is_gone(lease->world->data, entry) ||
	       hf_lease_seen_is_over(lease->seen, entry);
}

/* Only those that were silent are fenced: a process that has ended commits nothing any more. */
static bool
fence(const HfLease *lease, const HfLeaseEntry *entry, GError **error)
{
	const HfJobKind *kind = hf_job_kind_find(entry->kind);
	const HfFence fence = {.host = lease->own->host,
			       .owner_host = entry->host,
			       .owner_job = entry->job,
			       .at_s = lease->world->wall_s(lease->world->data)};

	if (kind && !(kind->takes & (HF_JOB_DATABASE | HF_JOB_IMAGES)))
		return true;
	return hf_fence_runs(lease->store, entry->nonce, &fence, error);
}

/* STEP_AGAIN: some were marked, and are to be stored as such before anything else is done about them. */
static Step
take_over(HfLease *lease, HfLeaseTable *table, GError **error)
{
	bool has_marked = false;

	for (guint i = table->entries->len; i > 0; i--) {
		HfLeaseEntry *entry = table->entries->pdata[i - 1];

		if (strcmp(entry->nonce, lease->own->nonce) == 0 || !is_dead(lease, entry))
			continue;
		if (!entry->lost_to && lease->world->is_gone(lease->world->data, entry)) {
			g_ptr_array_remove_index(table->entries, i - 1);
			continue;
		}
		if (!entry->lost_to) {
			entry->lost_to = g_strdup(lease->own->host);
			has_marked = true;
		}
	}
	if (has_marked)
		return STEP_AGAIN;
	for (guint i = table->entries->len; i > 0; i--) {
		HfLeaseEntry *entry = table->entries->pdata[i - 1];

		if (!entry->lost_to)
			continue;
		if (!fence(lease, entry, error))
			return STEP_FAILED;
		hf_lease_table_add_lost(table, entry->nonce, lease->own->host);
		g_ptr_array_remove_index(table->entries, i - 1);
	}
	return STEP_WRITE;
}

/* ---- taking ---- */

static bool
is_slot_taken(HfLease *lease, const HfLeaseTable *table)
{
	const HfLeaseSlot *slot = lease->schedule ? hf_lease_table_slot(table, lease->schedule) : NULL;
	int64_t now_s = lease->world->wall_s(lease->world->data);
	HfLeaseEntry other = {0};

	if (!slot || slot->slot_s < lease->slot_s || slot->slot_s > MAX(now_s, lease->slot_s) + CREDIBLE_S)
		return false;
	for (guint i = 0; i < table->entries->len; i++) {
		const HfLeaseEntry *entry = table->entries->pdata[i];

		if (strcmp(entry->host, slot->host) == 0 && strcmp(entry->job, slot->job) == 0) {
			note_other(lease, entry);
			return true;
		}
	}
	other.host = slot->host;
	other.job = slot->job;
	note_other(lease, &other);
	return true;
}

static const HfLeaseEntry *
find_in_the_way(const HfLeaseEntry *own, const HfLeaseTable *table)
{
	for (guint i = 0; i < table->entries->len; i++) {
		const HfLeaseEntry *entry = table->entries->pdata[i];

		if (strcmp(entry->nonce, own->nonce) != 0 && hf_lease_entries_conflict(own, entry))
			return entry;
	}
	return NULL;
}

static Step
lose(HfLease *lease, const char *host, GError **error)
{
	lease->is_lost = true;
	hf_error_set(
		error, HF_ERROR_CONFLICT,
		"the lease of this job was taken over by %s%s%s, since nothing was heard of it for more than "
		"%u s: "
		"was this host asleep, or cut off from the store?  What the job did since is not committed",
		host ? "host \"" : "another host", host ? host : "", host ? "\"" : "", lease->own->seconds);
	return STEP_FAILED;
}

static void
add_own(HfLease *lease, HfLeaseTable *table)
{
	const HfLeaseSlot slot = {lease->schedule, lease->slot_s, lease->own->host, lease->own->job};

	lease->own->since_s = lease->world->wall_s(lease->world->data);
	g_ptr_array_add(table->entries, hf_lease_entry_copy(lease->own));
	if (lease->schedule)
		hf_lease_table_set_slot(table, &slot);
}

static Step
take(HfLease *lease, Version *version, void *data, GError **error)
{
	HfLeaseVerdict *verdict = data;
	HfLeaseTable *table = version->table;
	const HfLeaseEntry *known = hf_lease_table_find(table, lease->own->nonce), *other;
	Step step;

	*verdict = HF_LEASE_OURS;
	note_other(lease, NULL);
	/* The reply to what we wrote was lost. */
	if (known)
		return known->lost_to ? lose(lease, known->lost_to, error) : STEP_WRITE;
	if (is_slot_taken(lease, table)) {
		*verdict = HF_LEASE_SLOT_TAKEN;
		return STEP_DONE;
	}
	step = take_over(lease, table, error);
	if (step != STEP_WRITE)
		return step;
	other = find_in_the_way(lease->own, table);
	if (!other && table->entries->len >= HF_LEASES_MAX)
		other = table->entries->pdata[0];
	if (other) {
		note_other(lease, other);
		*verdict = HF_LEASE_IN_THE_WAY;
		return STEP_DONE;
	}
	add_own(lease, table);
	return STEP_WRITE;
}

bool
hf_lease_try(HfLease *lease, HfLeaseVerdict *verdict_out, GError **error)
{
	return update(lease, take, verdict_out, error);
}

/* ---- keeping ---- */

static void
tell_progress(HfLeaseEntry *entry, const HfProgress *progress)
{
	g_free(entry->phase);
	entry->phase = g_strdup(progress->phase ? progress->phase : "");
	entry->bytes = progress->bytes;
	entry->estimated_bytes = progress->estimated_bytes;
	entry->objects = progress->objects;
	entry->estimated_objects = progress->estimated_objects;
}

/*
 * Our entry in a table that was read.  Somebody removed the object: then it is made again with what we have.  NULL where
 * it was lost, with the error.
 */
static HfLeaseEntry *
find_own(HfLease *lease, const Version *version, GError **error)
{
	HfLeaseEntry *entry = hf_lease_table_find(version->table, lease->own->nonce);

	if (!entry && !version->etag && !lease->is_lost) {
		entry = hf_lease_entry_copy(lease->own);
		g_ptr_array_add(version->table->entries, entry);
	}
	if (entry && !entry->lost_to && !lease->is_lost)
		return entry;
	(void)lose(lease, entry ? entry->lost_to : hf_lease_table_taker(version->table, lease->own->nonce),
		   error);
	return NULL;
}

typedef struct {
	const HfProgress *progress;
} Beat;

static Step
keep(HfLease *lease, Version *version, void *data, GError **error)
{
	const HfProgress *progress = ((const Beat *)data)->progress;
	HfLeaseEntry *entry = find_own(lease, version, error);

	if (!entry)
		return STEP_FAILED;
	if (progress)
		tell_progress(entry, progress);
	return STEP_WRITE;
}

bool
hf_lease_beat(HfLease *lease, const HfProgress *progress, GError **error)
{
	return update(lease, keep, &(Beat){progress}, error);
}

static Step
widen(HfLease *lease, Version *version, void *data, GError **error)
{
	bool *granted = data;
	HfLeaseEntry *entry = find_own(lease, version, error);
	const HfLeaseEntry *other;

	if (!entry)
		return STEP_FAILED;
	entry->is_removing = true;
	other = find_in_the_way(entry, version->table);
	*granted = other == NULL;
	note_other(lease, other);
	lease->own->is_removing = *granted;
	return *granted ? STEP_WRITE : STEP_DONE;
}

bool
hf_lease_widen(HfLease *lease, bool *granted_out, GError **error)
{
	return update(lease, widen, granted_out, error);
}

static Step
give_back(HfLease *lease, Version *version, void *data, GError **error)
{
	HfLeaseEntry *entry = hf_lease_table_find(version->table, lease->own->nonce);

	(void)data, (void)error;
	/* Whoever marked it takes it away. */
	if (!entry || entry->lost_to)
		return STEP_DONE;
	g_ptr_array_remove(version->table->entries, entry);
	return STEP_WRITE;
}

bool
hf_lease_release(HfLease *lease, GError **error)
{
	lease->sure_until_s = 0;
	return update(lease, give_back, NULL, error);
}
