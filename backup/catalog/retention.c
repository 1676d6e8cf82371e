#include "config.h"

#include "backup/catalog/retention.h"

#include <string.h>

#define DAY_S INT64_C(86400)

static const char *const half_names[HF_HALVES] = {"the database", "the images"};

static const struct {
	HfKeep keep;
	const char *word;
	const char *text; /* NULL: made from the set */
} words[] = {
	{HF_KEEP_HELD, "held", NULL},
	{HF_KEEP_DAMAGED, "damaged", NULL},
	{HF_KEEP_FUTURE, "future", "its time is in the future: was a clock wrong?"},
	{HF_KEEP_NEWEST, "newest", "the newest good set"},
	{HF_KEEP_HIGHEST, "highest", NULL},
	{HF_KEEP_ONLY, "only", "none is good, and this is the newest"},
	{HF_KEEP_AGE, "age", NULL},
	{HF_KEEP_LAST, "last", "KEEP_LAST"},
	{HF_KEEP_DAILY, "daily", "KEEP_DAILY, the newest of its day"},
	{HF_KEEP_WEEKLY, "weekly", "KEEP_WEEKLY, the newest of its week"},
	{HF_KEEP_MONTHLY, "monthly", "KEEP_MONTHLY, the newest of its month"},
	{HF_KEEP_YEARLY, "yearly", "KEEP_YEARLY, the newest of its year"},
	{HF_KEEP_STOPPED, "stopped", NULL},
};

void
hf_failed_run_free(HfFailedRun *run)
{
	if (!run)
		return;
	g_free(run->what);
	g_free(run);
}

static void
decision_free(gpointer data)
{
	g_free(((HfDecision *)data)->why);
	g_free(data);
}

void
hf_retention_plan_free(HfRetentionPlan *plan)
{
	if (!plan)
		return;
	g_ptr_array_unref(plan->decisions);
	g_free(plan->stop);
	g_free(plan);
}

const char *
hf_keep_word(HfKeep keep)
{
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (words[i].keep == keep)
			return words[i].word;
	g_assert_not_reached();
}

/* ---- sets ---- */

bool
hf_set_has_half(const HfSet *set, HfHalf half)
{
	return g_strcmp0(set->kind, "full") == 0 ||
	       g_strcmp0(set->kind, half == HF_HALF_DATABASE ? "database" : "images") == 0;
}

/* A total order: two adopted files may have one time, and one id. */
static int
compare_decisions(gconstpointer a, gconstpointer b)
{
	const HfSet *left = (*(HfDecision *const *)a)->set, *right = (*(HfDecision *const *)b)->set;
	int order;

	if (left->started_s != right->started_s)
		return left->started_s < right->started_s ? -1 : 1;
	order = strcmp(left->id, right->id);
	order = order ? order : g_strcmp0(left->kind, right->kind);
	return order ? order : g_strcmp0(left->file_key, right->file_key);
}

/* ---- rules ---- */

typedef struct {
	const HfRetentionPolicy *policy;
	int64_t now_s;
	GPtrArray *decisions; /* of HfDecision, oldest first */
} Planning;

static bool
is_future(const Planning *planning, const HfSet *set)
{
	return set->started_s > planning->now_s;
}

static void
keep(HfDecision *decision, HfHalf half, HfKeep reason)
{
	decision->keep |= reason;
	decision->of[half] |= reason;
}

/* Which day, ISO 8601 week, month or year, all UTC; the same number for all times in it, and for no other. */
static int64_t
unit_of(int64_t time_s, HfKeep rule)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_s);

	if (!time)
		return -1; /* not between the years 1 and 9999 */
	if (rule == HF_KEEP_DAILY)
		return g_date_time_get_year(time) * 1000 + g_date_time_get_day_of_year(time);
	if (rule == HF_KEEP_WEEKLY)
		return g_date_time_get_week_numbering_year(time) * 100 + g_date_time_get_week_of_year(time);
	if (rule == HF_KEEP_MONTHLY)
		return g_date_time_get_year(time) * 100 + g_date_time_get_month(time);
	return g_date_time_get_year(time);
}

/* The newest good set of each of the last `count` units that have one. */
static void
keep_counted(Planning *planning, HfHalf half, HfKeep rule, unsigned count)
{
	int64_t last_unit = 0;
	unsigned found = 0;

	for (guint i = planning->decisions->len; i > 0 && found < count; i--) {
		HfDecision *decision = planning->decisions->pdata[i - 1];
		const HfSet *set = decision->set;
		int64_t unit;

		if (is_future(planning, set) || !hf_set_has_half(set, half) || !hf_set_is_good(set))
			continue;
		unit = rule == HF_KEEP_LAST ? (int64_t)i : unit_of(set->started_s, rule);
		if (found > 0 && unit == last_unit)
			continue;
		keep(decision, half, rule);
		last_unit = unit;
		found++;
	}
}

/* The newest good one; the newest good one of the highest level; where none is good, the newest that can be read. */
static void
keep_best(Planning *planning, HfHalf half)
{
	HfDecision *newest = NULL, *highest = NULL, *only = NULL;

	for (guint i = planning->decisions->len; i > 0; i--) {
		HfDecision *decision = planning->decisions->pdata[i - 1];
		const HfSet *set = decision->set;

		if (is_future(planning, set) || !hf_set_has_half(set, half) || set->is_damaged)
			continue;
		only = only ? only : decision;
		if (!hf_set_is_good(set))
			continue;
		newest = newest ? newest : decision;
		highest = highest && highest->set->level >= set->level ? highest : decision;
	}
	if (newest)
		keep(newest, half, HF_KEEP_NEWEST);
	if (highest)
		keep(highest, half, HF_KEEP_HIGHEST);
	if (only && !newest)
		keep(only, half, HF_KEEP_ONLY);
}

static void
keep_each(Planning *planning)
{
	int64_t oldest_s;

	if (__builtin_sub_overflow(planning->now_s, (int64_t)planning->policy->days * DAY_S, &oldest_s))
		oldest_s = G_MININT64;
	for (guint i = 0; i < planning->decisions->len; i++) {
		HfDecision *decision = planning->decisions->pdata[i];
		const HfSet *set = decision->set;

		if (set->is_held)
			decision->keep |= HF_KEEP_HELD;
		if (set->is_damaged)
			decision->keep |= HF_KEEP_DAMAGED;
		if (is_future(planning, set))
			decision->keep |= HF_KEEP_FUTURE;
		else if (planning->policy->days > 0 && set->started_s >= oldest_s)
			decision->keep |= HF_KEEP_AGE;
	}
}

static void
apply_rules(Planning *planning)
{
	const HfRetentionPolicy *policy = planning->policy;

	keep_each(planning);
	for (HfHalf half = 0; half < HF_HALVES; half++) {
		keep_best(planning, half);
		keep_counted(planning, half, HF_KEEP_LAST, policy->last);
		keep_counted(planning, half, HF_KEEP_DAILY, policy->daily);
		keep_counted(planning, half, HF_KEEP_WEEKLY, policy->weekly);
		keep_counted(planning, half, HF_KEEP_MONTHLY, policy->monthly);
		keep_counted(planning, half, HF_KEEP_YEARLY, policy->yearly);
	}
}

/* ---- what stops it ---- */

/* The newest set of a half, or of any half where half is HF_HALVES; not of the future.  NULL where there is none. */
static const HfSet *
newest_of(const Planning *planning, HfHalf half)
{
	for (guint i = planning->decisions->len; i > 0; i--) {
		const HfSet *set = ((const HfDecision *)planning->decisions->pdata[i - 1])->set;

		if (!is_future(planning, set) && (half == HF_HALVES || hf_set_has_half(set, half)))
			return set;
	}
	return NULL;
}

static char *
stop_for_a_set(const Planning *planning)
{
	/* Newest first: that is what somebody has to look at. */
	for (guint i = planning->decisions->len; i > 0; i--) {
		const HfSet *set = ((const HfDecision *)planning->decisions->pdata[i - 1])->set;

		if (set->is_damaged)
			return g_strdup_printf("set %s is damaged, and what it refers to is not known (%s): "
					       "put its manifest "
					       "back, or remove what is left with \"holdfast delete %s\"",
					       set->id, set->trouble ? set->trouble : "it cannot be read",
					       set->id);
		if (set->is_suspect && !set->is_accepted)
			return g_strdup_printf(
				"set %s is suspect%s%s: look at it, then \"holdfast accept %s\" or "
				"\"holdfast delete %s\"",
				set->id, set->suspect_reason ? ": " : "",
				set->suspect_reason ? set->suspect_reason : "", set->id, set->id);
	}
	for (HfHalf half = 0; half < HF_HALVES; half++) {
		const HfSet *set = newest_of(planning, half);

		if (set && !hf_set_is_good(set))
			return g_strdup_printf(
				"set %s, the newest of %s, is partial: make a complete one, or "
				"\"holdfast accept %s\"",
				set->id, half_names[half], set->id);
	}
	return NULL;
}

/* Whether each half that the run was to have is in a set that began after it. */
static bool
is_made_good(const Planning *planning, const HfFailedRun *run)
{
	bool is_known = run->of[HF_HALF_DATABASE] || run->of[HF_HALF_IMAGES];

	for (HfHalf half = 0; half < HF_HALVES && is_known; half++) {
		const HfSet *set = run->of[half] ? newest_of(planning, half) : NULL;

		if (run->of[half] && (!set || set->started_s <= run->at_s))
			return false;
	}
	if (!is_known) {
		const HfSet *set = newest_of(planning, HF_HALVES);

		return set && set->started_s > run->at_s;
	}
	return true;
}

static char *
stop_for_a_run(const Planning *planning, const GPtrArray *failed)
{
	for (guint i = 0; failed && i < failed->len; i++) {
		const HfFailedRun *run = failed->pdata[i];

		if (!is_made_good(planning, run))
			return g_strdup_printf("%s, and there is no newer set: make one", run->what);
	}
	return NULL;
}

static bool
is_off(const HfRetentionPolicy *policy)
{
	return !policy->days && !policy->last && !policy->daily && !policy->weekly && !policy->monthly &&
	       !policy->yearly;
}

static void
stop(HfRetentionPlan *plan)
{
	for (guint i = 0; i < plan->decisions->len; i++) {
		HfDecision *decision = plan->decisions->pdata[i];

		if (!decision->keep)
			decision->keep = HF_KEEP_STOPPED;
	}
	plan->deletions = 0;
	plan->needs_force = false;
}

/* ---- in words ---- */

/* Of which half it is true, where that goes without saying neither by the set's kind nor by both. */
static const char *
of_halves(const HfDecision *decision, HfKeep reason)
{
	bool of_database = decision->of[HF_HALF_DATABASE] & reason;
	bool of_images = decision->of[HF_HALF_IMAGES] & reason;

	return of_database == of_images ? "" : of_database ? " of the database" : " of the images";
}

static char *
expired(const HfRetentionPolicy *policy, const HfSet *set)
{
	bool is_counted = policy->last || policy->daily || policy->weekly || policy->monthly ||
			  policy->yearly;
	const char *rest = !is_counted            ? ""
			   : !hf_set_is_good(set) ? ", and not good enough for KEEP_*"
						  : ", and no KEEP_* wants it";

	if (policy->days == 0)
		return g_strdup_printf("no set stays for its age%s", rest);
	return g_strdup_printf("older than %u %s%s", policy->days, policy->days == 1 ? "day" : "days", rest);
}

/* "The newest good set" needs no "and the newest of the highest level" where no older set was proved further. */
static bool
is_said_already(const HfDecision *decision)
{
	for (HfHalf half = 0; half < HF_HALVES; half++)
		if ((decision->of[half] & HF_KEEP_HIGHEST) && !(decision->of[half] & HF_KEEP_NEWEST))
			return false;
	return true;
}

static char *
explain_one(const HfDecision *decision, const HfRetentionPolicy *policy, size_t word)
{
	const HfSet *set = decision->set;
	HfKeep reason = words[word].keep;

	if (reason == HF_KEEP_HELD)
		return g_strconcat("held", set->hold_reason ? ": " : NULL, set->hold_reason, NULL);
	if (reason == HF_KEEP_DAMAGED)
		return g_strconcat("damaged", set->trouble ? ": " : NULL, set->trouble, NULL);
	if (reason == HF_KEEP_HIGHEST && !is_said_already(decision))
		return g_strdup_printf("the newest%s at level %d, the highest reached",
				       of_halves(decision, reason), set->level);
	if (reason == HF_KEEP_HIGHEST)
		return NULL;
	if (reason == HF_KEEP_AGE)
		return g_strdup_printf("not older than %u %s", policy->days,
				       policy->days == 1 ? "day" : "days");
	if (reason == HF_KEEP_STOPPED) {
		g_autofree char *why = expired(policy, set);

		return g_strdup_printf("%s, but nothing is pruned now", why);
	}
	return g_strconcat(words[word].text, of_halves(decision, reason), NULL);
}

static void
explain(HfDecision *decision, const HfRetentionPolicy *policy)
{
	GString *why = g_string_new(NULL);

	if (!decision->keep) {
		g_string_free(why, TRUE);
		decision->why = expired(policy, decision->set);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		g_autofree char *one = decision->keep & words[i].keep ? explain_one(decision, policy, i)
								      : NULL;

		if (one)
			g_string_append_printf(why, "%s%s", why->len > 0 ? "; " : "", one);
	}
	decision->why = g_string_free(why, FALSE);
}

HfRetentionPlan *
hf_retention_plan(const GPtrArray *sets, const HfRetentionPolicy *policy, const GPtrArray *failed,
		  int64_t now_s)
{
	HfRetentionPlan *plan = g_new0(HfRetentionPlan, 1);
	Planning planning = {policy, now_s, NULL};

	plan->decisions = g_ptr_array_new_full(sets->len, decision_free);
	for (guint i = 0; i < sets->len; i++) {
		HfDecision *decision = g_new0(HfDecision, 1);

		decision->set = sets->pdata[i];
		g_ptr_array_add(plan->decisions, decision);
	}
	g_ptr_array_sort(plan->decisions, compare_decisions);
	planning.decisions = plan->decisions;
	apply_rules(&planning);
	for (guint i = 0; i < plan->decisions->len; i++)
		plan->deletions += ((const HfDecision *)plan->decisions->pdata[i])->keep == 0;
	plan->needs_force = (uint64_t)plan->deletions * 2 > sets->len;
	plan->stop = stop_for_a_set(&planning);
	if (!plan->stop)
		plan->stop = stop_for_a_run(&planning, failed);
	plan->is_off = !plan->stop && is_off(policy);
	if (plan->is_off)
		plan->stop = g_strdup("BACKUP_RETENTION_DAYS is 0 and no KEEP_* is set, so every set stays");
	if (plan->stop)
		stop(plan);
	for (guint i = 0; i < plan->decisions->len; i++)
		explain(plan->decisions->pdata[i], policy);
	return plan;
}
