#include "config.h"

#include "backup/notify/event.h"
#include "common/error.h"

#include <string.h>

typedef enum {
	GOOD,
	BAD,
	PASSING, /* says nothing about how its subject stands */
} Nature;

static const struct {
	const char *word;
	Nature nature;
	bool is_chosen; /* whether it may stand in NOTIFY_ON */
} events[HF_EVENT_COUNT] = {
	[HF_EVENT_SUCCESS] = {"success", GOOD, true},
	[HF_EVENT_FAILURE] = {"failure", BAD, true},
	[HF_EVENT_SUSPECT] = {"suspect", BAD, true},
	[HF_EVENT_MISSED] = {"missed", PASSING, true},
	[HF_EVENT_VERIFIED] = {"verified", GOOD, true},
	[HF_EVENT_VERIFY_FAILED] = {"verify_failed", BAD, true},
	[HF_EVENT_REPLICA_BEHIND] = {"replica_behind", BAD, true},
	[HF_EVENT_REPLICA_LEVEL] = {"replica_level", GOOD, true},
	[HF_EVENT_RECOVERED] = {"recovered", GOOD, true},
	[HF_EVENT_STARTED] = {"started", PASSING, false},
	[HF_EVENT_TEST] = {"test", PASSING, false},
	[HF_EVENT_CHAIN_BROKEN] = {"chain_broken", BAD, true},
	[HF_EVENT_CHAIN_WHOLE] = {"chain_whole", GOOD, false}, /* told as what ends a trouble alone */
};

const char *
hf_event_word(HfEvent event)
{
	return events[event].word;
}

bool
hf_event_find(const char *word, HfEvent *event_out)
{
	g_autofree char *spelled = g_strdelimit(g_ascii_strdown(word, -1), "-", '_');

	for (HfEvent event = 0; event < HF_EVENT_COUNT; event++) {
		if (strcmp(spelled, events[event].word) != 0)
			continue;
		*event_out = event;
		return true;
	}
	return false;
}

static bool
add_word(const char *word, unsigned *mask, GError **error)
{
	HfEvent event;

	if (g_ascii_strcasecmp(word, "all") == 0) {
		for (event = 0; event < HF_EVENT_COUNT; event++)
			*mask |= events[event].is_chosen ? 1U << event : 0;
		return true;
	}
	if (g_ascii_strcasecmp(word, "none") == 0)
		return true;
	if (!hf_event_find(word, &event) || !events[event].is_chosen)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"NOTIFY_ON \"%s\": success, failure, suspect, missed, verified, "
			"verify_failed, replica_behind, replica_level, chain_broken, recovered, all or none "
			"are wanted",
			word);
	*mask |= 1U << event;
	return true;
}

bool
hf_event_mask(const char *list, unsigned *mask_out, GError **error)
{
	g_auto(GStrv) words = g_strsplit_set(list, ", \t\n", -1);
	unsigned mask = 0;

	for (char **word = words; *word; word++)
		if (**word && !add_word(*word, &mask, error))
			return false;
	*mask_out = mask;
	return true;
}

static bool
was_bad(const HfStanding *standing)
{
	return standing->last >= 0 && standing->last < HF_EVENT_COUNT && events[standing->last].nature == BAD;
}

static HfSay
decide_good(const HfStanding *last, HfEvent event, int64_t now_s, HfStanding *next_out)
{
	bool is_change = last->last < 0 || was_bad(last);

	*next_out = (HfStanding){.last = (int)event, .since_s = is_change ? now_s : last->since_s};
	return was_bad(last) ? HF_SAY_RECOVERED : HF_SAY_EVENT;
}

static HfSay
decide_bad(const HfStanding *last, HfEvent event, int64_t now_s, HfStanding *next_out)
{
	bool is_same = last->last == (int)event && last->told_s <= now_s;

	*next_out = (HfStanding){
		.last = (int)event,
		.since_s = was_bad(last) && last->since_s <= now_s ? last->since_s : now_s,
		.told_s = now_s,
	};
	if (!is_same)
		return HF_SAY_EVENT;
	if (now_s - last->told_s >= HF_REMINDER_S)
		return HF_SAY_REMINDER;
	next_out->told_s = last->told_s;
	return HF_SAY_NOTHING;
}

HfSay
hf_notify_decide(const HfStanding *last_standing, HfEvent event, int64_t now_s, HfStanding *next_out)
{
	/* The two may be one. */
	const HfStanding standing = *last_standing, *last = &standing;

	switch (events[event].nature) {
	case GOOD:
		return decide_good(last, event, now_s, next_out);
	case BAD:
		return decide_bad(last, event, now_s, next_out);
	case PASSING:
		break;
	}
	*next_out = *last;
	return HF_SAY_EVENT;
}
