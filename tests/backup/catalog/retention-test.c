/* The retention plan: a table of what each rule says, and properties that hold of any input. */
#include "config.h"

#include "backup/catalog/retention.h"
#include "common/clock.h"

#include <string.h>

#define NOW "2026-11-27T12:00:00Z" /* a Friday */
#define ROUNDS 4000
#define SETS_MAX 40
#define DAY 86400

/* ---- sets out of a few letters ---- */

static int64_t
time_of(const char *text)
{
	int64_t time_s;

	g_assert_true(hf_clock_parse_rfc3339(text, &time_s));
	return time_s;
}

static const char *
kind_of(char letter)
{
	return letter == 'd' ? "database" : letter == 'i' ? "images" : "full";
}

/*
 * "d40.5:2ps": a database of 40 and a half days ago, level 2, partial, suspect.  "i@2020-12-31T10:00:00Z": images of that
 * time.  p partial, x damaged, s suspect, a accepted, h held, o adopted.
 */
static HfSet *
set_of(const char *word, unsigned number)
{
	HfSet *set = g_new0(HfSet, 1);
	g_autofree char *absolute = g_strndup(word + 2, 20);
	char *rest;

	set->kind = kind_of(word[0]);
	set->level = 1;
	if (word[1] == '@') {
		set->started_s = time_of(absolute);
		rest = (char *)(uintptr_t)(word + 22);
	} else {
		set->started_s = time_of(NOW) - (int64_t)(g_ascii_strtod(word + 1, &rest) * DAY);
	}
	if (*rest == ':') {
		set->level = rest[1] - '0';
		rest += 2;
	}
	set->id = g_strdup_printf("set-%03u", number);
	set->status = strchr(rest, 'p') ? HF_SET_PARTIAL : HF_SET_COMPLETE;
	set->is_damaged = strchr(rest, 'x') != NULL;
	set->is_suspect = strchr(rest, 's') != NULL;
	set->is_accepted = strchr(rest, 'a') != NULL;
	set->is_held = strchr(rest, 'h') != NULL;
	set->is_adopted = strchr(rest, 'o') != NULL;
	set->level = set->is_adopted ? 0 : set->level;
	return set;
}

static GPtrArray *
sets_of(const char *text)
{
	GPtrArray *sets = g_ptr_array_new_with_free_func((GDestroyNotify)hf_set_free);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (unsigned i = 0; words[i]; i++)
		g_ptr_array_add(sets, set_of(words[i], i));
	return sets;
}

static const HfDecision *
decision_of(const HfRetentionPlan *plan, const HfSet *set)
{
	for (guint i = 0; i < plan->decisions->len; i++)
		if (((const HfDecision *)plan->decisions->pdata[i])->set == set)
			return plan->decisions->pdata[i];
	g_assert_not_reached();
}

static char *
marks_of(const HfRetentionPlan *plan, const GPtrArray *sets)
{
	GString *marks = g_string_new(NULL);

	for (guint i = 0; i < sets->len; i++)
		g_string_append_c(marks, decision_of(plan, sets->pdata[i])->keep ? '+' : '-');
	return g_string_free(marks, FALSE);
}

/* ---- the table ---- */

/* What stays (+) and goes (-), in the order of the sets; stop is a part of the reason why nothing goes. */
static const struct {
	const char *name, *sets;
	HfRetentionPolicy policy;
	const char *marks, *stop;
} cases[] = {
	{"age-counts-from-the-start-of-the-run", "d30.0001 d30 d1", {.days = 30}, "-++", NULL},
	{"newest-good-stays-however-old", "d400 d300", {.days = 30}, "-+", NULL},
	{"newest-of-each-half-stays", "i400 d300 d200", {.days = 30}, "+-+", NULL},
	{"full-set-holds-both-halves", "f400 i300", {.days = 30}, "++", NULL},
	{"full-set-replaces-both-halves", "d400 i300 f200", {.days = 30}, "--+", NULL},
	{"highest-level-stays", "d400:3 d300:2 d200", {.days = 30}, "+-+", NULL},
	{"newest-of-the-highest-level-stays", "d400:3 d350:3 d200", {.days = 30}, "-++", NULL},
	{"highest-level-of-each-half-stays", "i400:4 d300:2 d200 i100", {.days = 30}, "++++", NULL},
	{"accepted-suspect-set-is-good", "d400:2sa d200", {.days = 30}, "++", NULL},
	{"old-partial-set-goes", "d400 d300p d200", {.days = 30}, "--+", NULL},
	{"accepted-partial-set-is-good", "d400 d300pa", {.days = 30}, "-+", NULL},
	{"adopted-files-expire-like-others", "d400o d300o d1", {.days = 30}, "--+", NULL},
	{"newest-adopted-file-stays-where-there-is-no-other", "d400o d300o", {.days = 30}, "-+", NULL},
	{"held-set-stays", "d400h d300 d200", {.days = 30}, "+-+", NULL},
	{"days-0-keeps-nothing-for-its-age", "d2 d1", {.last = 1}, "-+", NULL},
	{"no-rule-at-all-keeps-everything", "d400 d300 d200", {0}, "+++", "no KEEP_* is set"},
	{"last-counts-each-half", "i5 d4 d3 d2 i1", {.last = 2}, "+-+++", NULL},
	{"last-counts-good-sets-only", "d5 d4p d3p d2", {.last = 2}, "+--+", NULL},
	{"daily-keeps-the-newest-of-a-day", "d2.4 d2.1 d1.4 d1.1 d0.1", {.daily = 2}, "---++", NULL},
	{"day-begins-at-midnight-utc", "d0.51 d0.5 d0.1", {.daily = 2}, "+-+", NULL},
	{"days-without-a-set-do-not-count", "d90 d50 d1", {.daily = 2}, "-++", NULL},
	{"partial-set-is-not-the-newest-of-its-day", "d1.3 d1.1p d0.1", {.daily = 2}, "+-+", NULL},
	{"week-begins-on-monday", "d4.6 d4.5 d1", {.weekly = 2}, "+-+", NULL},
	{"week-goes-on-over-new-year",
	 "d@2020-12-31T10:00:00Z d@2021-01-02T10:00:00Z d1",
	 {.weekly = 2},
	 "-++",
	 NULL},
	{"month-begins-on-the-first", "d26.6 d26.5 d1", {.monthly = 2}, "+-+", NULL},
	{"year-begins-on-january-1", "d330.6 d330.5 d1", {.yearly = 2}, "+-+", NULL},
	{"rules-add-up", "d400 d40 d3 d2 d1", {.days = 2, .monthly = 2}, "-+-++", NULL},
	{"set-of-the-future-stays-and-counts-for-nothing", "d400 d300 d-1", {.last = 1}, "-++", NULL},
	{"clock-set-back-before-all-sets", "d-1 d-2 d-3", {.last = 1}, "+++", NULL},
	{"damaged-set-stops-all", "d400 d300x d1", {.days = 30}, "+++", "set-001 is damaged"},
	{"suspect-set-stops-all", "d400 d300s d1", {.days = 30}, "+++", "set-001 is suspect"},
	{"suspect-set-of-the-future-stops-all", "d400 d300 d-1s", {.days = 30}, "+++", "set-002 is suspect"},
	{"partial-newest-set-stops-all",
	 "d400 d300 d1p",
	 {.days = 30},
	 "+++",
	 "set-002, the newest of the database"},
	{"partial-newest-half-stops-all",
	 "i400p d300 d1",
	 {.days = 30},
	 "+++",
	 "set-000, the newest of the images"},
	{"accepted-set-lets-it-go-on", "d400 d300 d1psa", {.days = 30}, "--+", NULL},
	{"partial-set-of-the-future-is-not-the-newest", "d400 d300 d-1p", {.days = 30}, "-++", NULL},
};

static void
test_case(gconstpointer data)
{
	size_t number = GPOINTER_TO_SIZE(data);
	g_autoptr(GPtrArray) sets = sets_of(cases[number].sets);
	g_autoptr(HfRetentionPlan) plan = hf_retention_plan(sets, &cases[number].policy, NULL, time_of(NOW));
	g_autofree char *marks = marks_of(plan, sets);

	g_assert_cmpstr(marks, ==, cases[number].marks);
	if (cases[number].stop)
		g_assert_nonnull(strstr(plan->stop, cases[number].stop));
	else
		g_assert_null(plan->stop);
}

/* ---- failed runs ---- */

static const struct {
	const char *name, *sets;
	double days_ago;
	bool of_database, of_images, stops;
} runs[] = {
	{"newer-than-all-sets", "d400 d300 d2", 1, true, false, true},
	{"older-than-the-newest-set", "d400 d300 d1", 2, true, false, false},
	{"set-of-the-other-half-does-not-make-it-good", "i400 i300 d1", 2, false, true, true},
	{"full-run-wants-both", "d400 d300 i3 d1", 2, true, true, true},
	{"full-set-makes-it-good", "d400 d300 f1", 2, true, true, false},
	{"not-known-which-any-set-will-do", "d400 d300 i1", 2, false, false, false},
	{"set-of-the-future-does-not-make-it-good", "d400 d300 d-1", 2, true, false, true},
	{"of-the-same-second-is-not-newer", "d400 d300 d2", 2, true, false, true},
};

static void
test_failed_run(gconstpointer data)
{
	size_t number = GPOINTER_TO_SIZE(data);
	const HfRetentionPolicy policy = {.days = 30};
	g_autoptr(GPtrArray) sets = sets_of(runs[number].sets);
	g_autoptr(GPtrArray) failed = g_ptr_array_new();
	HfFailedRun run = {(char *)(uintptr_t) "job 7 failed",
			   time_of(NOW) - (int64_t)(runs[number].days_ago * DAY),
			   {runs[number].of_database, runs[number].of_images}};
	g_autoptr(HfRetentionPlan) plan = NULL;

	g_ptr_array_add(failed, &run);
	plan = hf_retention_plan(sets, &policy, failed, time_of(NOW));
	g_assert_cmpint(plan->stop != NULL, ==, runs[number].stops);
	g_assert_cmpint(plan->deletions == 0, ==, runs[number].stops);
	if (runs[number].stops)
		g_assert_nonnull(strstr(plan->stop, "job 7 failed"));
}

/* ---- words ---- */

static void
test_more_than_half_needs_force(void)
{
	const HfRetentionPolicy policy = {.days = 30};
	g_autoptr(GPtrArray) half = sets_of("d400 d300 d20 d10");
	g_autoptr(GPtrArray) more = sets_of("d400 d300 d200 d10 d5");
	g_autoptr(HfRetentionPlan) fine = hf_retention_plan(half, &policy, NULL, time_of(NOW));
	g_autoptr(HfRetentionPlan) refused = hf_retention_plan(more, &policy, NULL, time_of(NOW));

	g_assert_cmpuint(fine->deletions, ==, 2);
	g_assert_false(fine->needs_force);
	g_assert_cmpuint(refused->deletions, ==, 3);
	g_assert_true(refused->needs_force);
}

static void
assert_why(const char *words, const HfRetentionPolicy *policy, guint number, const char *why)
{
	g_autoptr(GPtrArray) sets = sets_of(words);
	g_autoptr(HfRetentionPlan) plan = hf_retention_plan(sets, policy, NULL, time_of(NOW));

	g_assert_cmpstr(decision_of(plan, sets->pdata[number])->why, ==, why);
}

static void
test_every_decision_is_explained(void)
{
	const HfRetentionPolicy days = {.days = 30}, day = {.days = 1}, daily = {.days = 30, .daily = 2};

	assert_why("d400 d1", &days, 0, "older than 30 days");
	assert_why("d400 d1", &days, 1, "the newest good set of the database; not older than 30 days");
	assert_why("d3 d2", &day, 0, "older than 1 day");
	assert_why("d400 d300 d200", &daily, 0, "older than 30 days, and no KEEP_* wants it");
	assert_why("d400p d300 d200", &daily, 0, "older than 30 days, and not good enough for KEEP_*");
	assert_why("d400:3 d200", &days, 0, "the newest of the database at level 3, the highest reached");
	assert_why("f400:3 f200", &days, 0, "the newest at level 3, the highest reached");
	assert_why("d300 d200", &daily, 0, "KEEP_DAILY, the newest of its day of the database");
	assert_why("d400h d200", &days, 0, "held");
	assert_why("d400 d-2", &days, 1, "its time is in the future: was a clock wrong?");
	assert_why("d400 d300 d1s", &days, 0, "older than 30 days, but nothing is pruned now");
	assert_why("d400x d1", &days, 0, "damaged");
}

/* ---- properties ---- */

typedef struct {
	GPtrArray *sets;
	GPtrArray *failed;
	HfRetentionPolicy policy;
	int64_t now_s;
} Input;

static int
random_below(int end)
{
	return g_test_rand_int_range(0, end);
}

static HfSet *
random_set(unsigned number, bool has_trouble)
{
	static const char *const kinds[] = {"database", "images", "full"};
	HfSet *set = g_new0(HfSet, 1);

	set->id = g_strdup_printf("set-%03u", number);
	set->kind = kinds[random_below(3)];
	set->is_adopted = random_below(5) == 0 && strcmp(set->kind, "full") != 0;
	set->level = set->is_adopted ? 0 : 1 + random_below(4);
	/* In bunches, and some in one second. */
	set->started_s = time_of(NOW) - (int64_t)random_below(1 << random_below(11)) * DAY -
			 (random_below(2) ? 0 : random_below(2 * DAY)) +
			 (random_below(10) ? 0 : random_below(400) * (int64_t)DAY);
	set->status = random_below(6) ? HF_SET_COMPLETE : HF_SET_PARTIAL;
	set->is_accepted = random_below(6) == 0;
	set->is_held = random_below(12) == 0;
	set->is_suspect = random_below(6) == 0 && (has_trouble || set->is_accepted);
	set->is_damaged = has_trouble && random_below(12) == 0;
	return set;
}

static unsigned
random_count(void)
{
	return random_below(2) ? 0 : (unsigned)random_below(8);
}

static void
input_make(Input *input)
{
	bool has_trouble = random_below(3) == 0;
	unsigned count = (unsigned)random_below(SETS_MAX);

	input->sets = g_ptr_array_new_with_free_func((GDestroyNotify)hf_set_free);
	for (unsigned i = 0; i < count; i++)
		g_ptr_array_add(input->sets, random_set(i, has_trouble));
	input->failed = g_ptr_array_new_with_free_func((GDestroyNotify)hf_failed_run_free);
	if (has_trouble && random_below(2)) {
		HfFailedRun *run = g_new0(HfFailedRun, 1);

		run->what = g_strdup("a run failed");
		run->at_s = time_of(NOW) - random_below(30) * (int64_t)DAY;
		run->of[HF_HALF_DATABASE] = random_below(2);
		run->of[HF_HALF_IMAGES] = random_below(2);
		g_ptr_array_add(input->failed, run);
	}
	input->policy = (HfRetentionPolicy){(unsigned)random_below(60),
					    random_count(),
					    random_count(),
					    random_count(),
					    random_count(),
					    random_count()};
	/* Clocks jump: by seconds, by years, back and forth. */
	input->now_s = time_of(NOW);
	if (random_below(3) == 0)
		input->now_s += (random_below(2) ? 1 : -1) * (int64_t)random_below(1 << random_below(30));
}

static void
input_clear(Input *input)
{
	g_ptr_array_unref(input->sets);
	g_ptr_array_unref(input->failed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Input, input_clear)

static HfRetentionPlan *
plan_of(const Input *input)
{
	return hf_retention_plan(input->sets, &input->policy, input->failed, input->now_s);
}

static bool
goes(const HfRetentionPlan *plan, const HfSet *set)
{
	return decision_of(plan, set)->keep == 0;
}

/* A good set of the half that is not of the future. */
static bool
counts(const Input *input, const HfSet *set, HfHalf half)
{
	return set->started_s <= input->now_s && hf_set_has_half(set, half) && hf_set_is_good(set);
}

static void
check_best_stays(const Input *input, const HfRetentionPlan *plan, HfHalf half)
{
	int64_t newest_s = G_MININT64;
	int highest = -1;
	bool has_newest = false, has_highest = false;

	for (guint i = 0; i < input->sets->len; i++) {
		const HfSet *set = input->sets->pdata[i];

		if (counts(input, set, half)) {
			newest_s = MAX(newest_s, set->started_s);
			highest = MAX(highest, set->level);
		}
	}
	for (guint i = 0; i < input->sets->len; i++) {
		const HfSet *set = input->sets->pdata[i];

		if (!counts(input, set, half) || goes(plan, set))
			continue;
		has_newest = has_newest || set->started_s == newest_s;
		has_highest = has_highest || set->level == highest;
	}
	g_assert_true(highest < 0 || (has_newest && has_highest));
}

static void
test_best_of_each_half_stays(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;

		input_make(&input);
		plan = plan_of(&input);
		check_best_stays(&input, plan, HF_HALF_DATABASE);
		check_best_stays(&input, plan, HF_HALF_IMAGES);
	}
}

/* Whether anything is wrong that must stop pruning, found without the planner. */
static bool
is_wrong(const Input *input)
{
	int64_t newest_s = G_MININT64;

	for (guint i = 0; i < input->sets->len; i++) {
		const HfSet *set = input->sets->pdata[i];

		if (set->is_damaged || (set->is_suspect && !set->is_accepted))
			return true;
		if (set->started_s <= input->now_s)
			newest_s = MAX(newest_s, set->started_s);
	}
	return input->failed->len > 0 && ((const HfFailedRun *)input->failed->pdata[0])->at_s >= newest_s;
}

static void
test_nothing_goes_while_anything_is_wrong(void)
{
	unsigned wrong = 0, deleting = 0;

	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;

		input_make(&input);
		plan = plan_of(&input);
		wrong += is_wrong(&input);
		deleting += plan->deletions > 0;
		if (is_wrong(&input))
			g_assert_cmpuint(plan->deletions, ==, 0);
	}
	/* The inputs are of both kinds, or the test says nothing. */
	g_assert_cmpuint(wrong, >, ROUNDS / 20);
	g_assert_cmpuint(deleting, >, ROUNDS / 20);
}

static void
test_each_decision_agrees_with_the_counts(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;
		guint gone = 0;

		input_make(&input);
		plan = plan_of(&input);
		g_assert_cmpuint(plan->decisions->len, ==, input.sets->len);
		for (guint i = 0; i < input.sets->len; i++) {
			const HfSet *set = input.sets->pdata[i];

			gone += goes(plan, set);
			g_assert_true(strlen(decision_of(plan, set)->why) > 0);
			if (set->is_held || set->is_damaged || set->started_s > input.now_s)
				g_assert_false(goes(plan, set));
		}
		g_assert_cmpuint(plan->deletions, ==, gone);
		g_assert_cmpint(plan->needs_force, ==, gone * 2 > input.sets->len);
	}
}

static void
test_once_carried_out_nothing_more_goes(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;
		g_autoptr(HfRetentionPlan) again = NULL;

		input_make(&input);
		plan = plan_of(&input);
		for (guint i = input.sets->len; i > 0; i--)
			if (goes(plan, input.sets->pdata[i - 1]))
				g_ptr_array_remove_index_fast(input.sets, i - 1);
		again = plan_of(&input);
		g_assert_cmpuint(again->deletions, ==, 0);
	}
}

/* Stopped after any number of deletions, oldest first, the rest of them goes next time, and nothing else. */
static void
test_half_carried_out_the_rest_goes(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;
		g_autoptr(HfRetentionPlan) again = NULL;
		g_autoptr(GHashTable) doomed = g_hash_table_new(NULL, NULL);
		guint left;

		input_make(&input);
		plan = plan_of(&input);
		left = plan->deletions ? (guint)random_below((int)plan->deletions) : 0;
		for (guint i = 0;
		     i < plan->decisions->len && plan->deletions - g_hash_table_size(doomed) > left; i++) {
			const HfDecision *decision = plan->decisions->pdata[i];

			if (!decision->keep)
				g_hash_table_add(doomed, (gpointer)(uintptr_t)decision->set);
		}
		for (guint i = input.sets->len; i > 0; i--)
			if (g_hash_table_contains(doomed, input.sets->pdata[i - 1]))
				g_ptr_array_remove_index_fast(input.sets, i - 1);
		again = plan_of(&input);
		g_assert_cmpuint(again->deletions, ==, left);
	}
}

static void
test_any_order_gives_the_same_plan(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;
		g_autoptr(HfRetentionPlan) shuffled = NULL;

		input_make(&input);
		plan = plan_of(&input);
		for (guint i = input.sets->len; i > 1; i--) {
			guint other = (guint)random_below((int)i);
			gpointer kept = input.sets->pdata[i - 1];

			input.sets->pdata[i - 1] = input.sets->pdata[other];
			input.sets->pdata[other] = kept;
		}
		shuffled = plan_of(&input);
		g_assert_cmpstr(plan->stop, ==, shuffled->stop);
		for (guint i = 0; i < plan->decisions->len; i++) {
			const HfDecision *one = plan->decisions->pdata[i],
					 *two = shuffled->decisions->pdata[i];

			g_assert_true(one->set == two->set && one->keep == two->keep);
			g_assert_cmpstr(one->why, ==, two->why);
		}
	}
}

static void
test_a_longer_policy_never_deletes_more(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;
		g_autoptr(HfRetentionPlan) longer = NULL;

		input_make(&input);
		input.policy.days++; /* a policy without a rule keeps everything: see the table */
		plan = plan_of(&input);
		input.policy.days += (unsigned)random_below(40);
		input.policy.last += random_count();
		input.policy.daily += random_count();
		input.policy.weekly += random_count();
		input.policy.monthly += random_count();
		input.policy.yearly += random_count();
		longer = plan_of(&input);
		for (guint i = 0; i < input.sets->len; i++)
			g_assert_true(!goes(longer, input.sets->pdata[i]) ||
				      goes(plan, input.sets->pdata[i]));
	}
}

/* Sets of the future do not push others out: without them the plan for the rest is the same. */
static void
test_sets_of_the_future_change_nothing(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		g_auto(Input) input = {0};
		g_autoptr(HfRetentionPlan) plan = NULL;
		g_autoptr(HfRetentionPlan) without = NULL;
		g_autoptr(GPtrArray) past = g_ptr_array_new();

		input_make(&input);
		plan = plan_of(&input);
		for (guint i = 0; i < input.sets->len; i++)
			if (((const HfSet *)input.sets->pdata[i])->started_s <= input.now_s)
				g_ptr_array_add(past, input.sets->pdata[i]);
		without = hf_retention_plan(past, &input.policy, input.failed, input.now_s);
		if (plan->stop)
			continue;
		for (guint i = 0; i < past->len; i++)
			g_assert_cmpuint(decision_of(plan, past->pdata[i])->keep, ==,
					 decision_of(without, past->pdata[i])->keep);
	}
}

/* Times at the ends of what a listing can hold: nothing overflows, and the newest stays. */
static void
test_absurd_times(void)
{
	static const int64_t times[] = {G_MININT64, -1, 0, 1, INT64_C(253402300800), G_MAXINT64};
	const HfRetentionPolicy policy = {30, 1, 1, 1, 1, 1};

	for (size_t now = 0; now < G_N_ELEMENTS(times); now++) {
		g_autoptr(GPtrArray) sets = sets_of("d1 i2 f3 d4 i5 d6");
		g_autoptr(HfRetentionPlan) plan = NULL;

		for (guint i = 0; i < sets->len; i++)
			((HfSet *)sets->pdata[i])->started_s = times[i];
		plan = hf_retention_plan(sets, &policy, NULL, times[now]);
		for (guint i = 0; i < sets->len; i++)
			if (times[i] >= times[now])
				g_assert_false(goes(plan, sets->pdata[i]));
	}
}

static void
add_tables(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strconcat("/retention/", cases[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_case);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(runs); i++) {
		g_autofree char *path = g_strconcat("/retention/failed-run/", runs[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_failed_run);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_tables();
	g_test_add_func("/retention/more-than-half-needs-force", test_more_than_half_needs_force);
	g_test_add_func("/retention/every-decision-is-explained", test_every_decision_is_explained);
	g_test_add_func("/retention/any/best-of-each-half-stays", test_best_of_each_half_stays);
	g_test_add_func("/retention/any/nothing-goes-while-anything-is-wrong",
			test_nothing_goes_while_anything_is_wrong);
	g_test_add_func("/retention/any/each-decision-agrees-with-the-counts",
			test_each_decision_agrees_with_the_counts);
	g_test_add_func("/retention/any/once-carried-out-nothing-more-goes",
			test_once_carried_out_nothing_more_goes);
	g_test_add_func("/retention/any/half-carried-out-the-rest-goes", test_half_carried_out_the_rest_goes);
	g_test_add_func("/retention/any/order-gives-the-same-plan", test_any_order_gives_the_same_plan);
	g_test_add_func("/retention/any/longer-policy-never-deletes-more",
			test_a_longer_policy_never_deletes_more);
	g_test_add_func("/retention/any/sets-of-the-future-change-nothing",
			test_sets_of_the_future_change_nothing);
	g_test_add_func("/retention/absurd-times", test_absurd_times);
	return g_test_run();
}
