#include "config.h"

#include "backup/job/metrics-impl.h"
#include "backup/job/replicas.h"
#include "backup/notify/outbox.h"

/* ---- replicas ---- */

typedef struct {
	const char *name, *help;
	uint64_t (*value)(const HfReplicaState *replica);
	bool has_zero; /* else 0 stands for what never was */
} Family;

static uint64_t
is_level(const HfReplicaState *replica)
{
	return replica->level_s > 0 && replica->behind_since_s == 0;
}

static uint64_t
level_s(const HfReplicaState *replica)
{
	return (uint64_t)MAX(replica->level_s, 0);
}

static uint64_t
behind_since_s(const HfReplicaState *replica)
{
	return (uint64_t)MAX(replica->behind_since_s, 0);
}

static uint64_t
missing(const HfReplicaState *replica)
{
	return replica->missing;
}

static const Family families[] = {
	{"holdfast_replica_level", "Whether the last run saw the replica level with the store.", is_level,
	 true},
	{"holdfast_replica_level_timestamp_seconds", "When the replica was last seen to be level.", level_s,
	 false},
	{"holdfast_replica_behind_since_timestamp_seconds", "Since when the replica is behind.",
	 behind_since_s, false},
	{"holdfast_replica_missing_sets", "Sets that the replica lacks.", missing, true},
};

bool
hf_metrics_add_replicas(HfState *state, const HfSettings *settings, GString *text, GError **error)
{
	g_autoptr(GPtrArray) replicas = hf_replicas_of(state, settings, error);

	if (!replicas)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		const Family *family = &families[i];

		hf_exposition_begin(text, family->name, family->help);
		for (guint j = 0; j < replicas->len; j++) {
			const HfReplicaState *replica = replicas->pdata[j];
			uint64_t value = family->value(replica);

			if (value > 0 || family->has_zero)
				hf_exposition_add(text, family->name,
						  (const HfLabel[]){{"replica", replica->name}, {NULL, NULL}},
						  value);
		}
	}
	return true;
}

/* ---- notifications ---- */

bool
hf_metrics_add_outbox(HfState *state, GString *text, GError **error)
{
	g_autoptr(GPtrArray) fresh = hf_outbox_fresh(state, error);
	g_autoptr(GPtrArray) waiting = fresh ? hf_outbox_waiting(state, error) : NULL;
	int64_t oldest_s = INT64_MAX;

	if (!waiting)
		return false;
	for (guint i = 0; i < fresh->len; i++)
		oldest_s = MIN(oldest_s, ((const HfOutboxMessage *)fresh->pdata[i])->at_s);
	for (guint i = 0; i < waiting->len; i++)
		oldest_s = MIN(oldest_s, ((const HfDelivery *)waiting->pdata[i])->at_s);
	hf_exposition_begin(text, "holdfast_outbox_waiting",
			    "Messages that have not reached who is to have them.");
	hf_exposition_add(text, "holdfast_outbox_waiting", NULL, (uint64_t)fresh->len + waiting->len);
	hf_exposition_begin(text, "holdfast_outbox_oldest_timestamp_seconds",
			    "Of when the oldest of them is.");
	if (oldest_s != INT64_MAX)
		hf_exposition_add(text, "holdfast_outbox_oldest_timestamp_seconds", NULL,
				  (uint64_t)MAX(oldest_s, 0));
	return true;
}
