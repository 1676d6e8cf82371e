#include "config.h"

#include "backup/notify/event.h"
#include "backup/notify/note-impl.h"
#include "common/error.h"

#include <string.h>

#define DAY_S INT64_C(86400)

/*
 * Events of one subject, in order: after so many hours, S success, F failure, U suspect, V verified, v verify failed, B
 * behind, L level, M missed.  Of each, what is said: e the event, r a reminder, R recovered, - nothing.
 */
static const struct {
	const char *name, *events, *said;
} cases[] = {
	{"first-good-one", "0S", "e"},
	{"first-bad-one", "0F", "e"},
	{"good-ones-are-events-each", "0S 24S 48S", "eee"},
	{"a-failure-again-is-not-told", "0F 1F 2F 19F", "e---"},
	{"a-reminder-a-day", "0F 24F 48F 72F", "errr"},
	{"a-nightly-run-that-fails-sooner-than-yesterday", "0F 23F 46F", "err"},
	{"hourly-failures-are-one-message-and-one-reminder-a-day", "0F 6F 12F 18F 24F 30F 36F 42F 48F",
	 "e---r---r"},
	{"well-again", "0F 24S", "eR"},
	{"well-again-is-told-once", "0F 24S 48S", "eRe"},
	{"suspect-after-failure-is-another-trouble", "0F 1U 2U 3F", "ee-e"},
	{"suspect-and-well-again", "0U 24S", "eR"},
	{"recovers-after-two-kinds-of-trouble", "0F 1U 24S", "eeR"},
	{"fails-again-after-it-was-well", "0F 1S 2F", "eRe"},
	{"proof", "0V 1v 2v 30v 31V", "ee-rR"},
	{"replica", "0L 1B 2B 22B 23L 24L", "ee-rRe"},
	{"a-missed-run-is-told-each-time", "0M 1M 24M", "eee"},
	{"a-missed-run-says-nothing-of-the-subject", "0F 1M 2F 3S", "ee-R"},
	{"a-clock-that-was-set-back-makes-it-new", "48F 0F 1F", "ee-"},
};

static HfEvent
event_of(char letter)
{
	static const char letters[] = "SFUMVvBL";

	return (HfEvent)(strchr(letters, letter) - letters);
}

static void
run_case(gconstpointer data)
{
	size_t index = GPOINTER_TO_SIZE(data);
	g_auto(GStrv) events = g_strsplit(cases[index].events, " ", -1);
	g_autoptr(GString) said = g_string_new(NULL);
	HfStanding standing = {.last = -1};

	for (char **event = events; *event; event++) {
		char *letter = NULL;
		int64_t at_s = 1000000 + g_ascii_strtoll(*event, &letter, 10) * 3600;
		HfStanding next;

		g_string_append_c(said, "-erR"[hf_notify_decide(&standing, event_of(*letter), at_s, &next)]);
		standing = next;
	}
	g_assert_cmpstr(said->str, ==, cases[index].said);
}

static void
trouble_lasts_since_its_begin(void)
{
	HfStanding standing = {.last = -1};

	g_assert_cmpint(hf_notify_decide(&standing, HF_EVENT_FAILURE, 1000, &standing), ==, HF_SAY_EVENT);
	g_assert_cmpint(hf_notify_decide(&standing, HF_EVENT_SUSPECT, 2000, &standing), ==, HF_SAY_EVENT);
	g_assert_cmpint(standing.since_s, ==, 1000);
	g_assert_cmpint(hf_notify_decide(&standing, HF_EVENT_SUSPECT, 2000 + DAY_S, &standing), ==,
			HF_SAY_REMINDER);
	g_assert_cmpint(standing.since_s, ==, 1000);
	g_assert_cmpint(standing.told_s, ==, 2000 + DAY_S);
}

static void
mask_takes_words(void)
{
	g_autoptr(GError) error = NULL;
	unsigned mask = 0;

	g_assert_true(hf_event_mask("failure, SUSPECT verify-failed", &mask, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(mask, ==,
			 1U << HF_EVENT_FAILURE | 1U << HF_EVENT_SUSPECT | 1U << HF_EVENT_VERIFY_FAILED);
	g_assert_true(hf_event_mask("none", &mask, &error));
	g_assert_cmpuint(mask, ==, 0);
	g_assert_true(hf_event_mask("all", &mask, &error));
	g_assert_cmpuint(mask, ==, ((1U << HF_EVENT_STARTED) - 1) | 1U << HF_EVENT_CHAIN_BROKEN);
}

static void
mask_names_a_wrong_word(void)
{
	static const char *const wrong[] = {"failures", "started", "test", "failure;success"};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		unsigned mask = 7;

		g_assert_false(hf_event_mask(wrong[i], &mask, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(error->message, wrong[i]));
		g_assert_cmpuint(mask, ==, 7);
	}
}

/* ---- what was missed ---- */

/* Jobs by minutes after the slot, "from-to"; a run that is started at `now`. */
static const struct {
	const char *name, *jobs;
	int now;
	bool is_missed;
} missed[] = {
	{"at-once", "", 0, false},
	{"a-little-late", "", 15, false},
	{"hours-late", "", 300, true},
	{"had-to-wait-for-a-job", "-60-120", 121, false},
	{"had-to-wait-for-two", "-60-60 61-120", 121, false},
	{"a-job-ran-that-ended-long-before", "-60-30", 300, true},
	{"a-job-that-began-long-after", "120-180", 181, true},
	{"of-two-jobs-the-gap-between-counts", "-60-30 90-120", 121, true},
	{"jobs-of-yesterday-do-not-count", "-1440--1400", 300, true},
	{"a-job-that-still-runs", "-60-9999", 200, false},
};

static HfJobRecord *
job_of(const char *text)
{
	HfJobRecord *job = g_new0(HfJobRecord, 1);
	char *rest = NULL;
	int64_t end;

	job->started_s = 1000000 + g_ascii_strtoll(text, &rest, 10) * 60;
	end = g_ascii_strtoll(rest + 1, NULL, 10);
	job->status = end == 9999 ? HF_JOB_RUNNING : HF_JOB_DONE;
	job->finished_s = end == 9999 ? 0 : 1000000 + end * 60;
	return job;
}

static void
run_missed(gconstpointer data)
{
	size_t index = GPOINTER_TO_SIZE(data);
	g_auto(GStrv) texts = g_strsplit(missed[index].jobs, " ", -1);
	g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)hf_job_record_free);

	for (char **text = texts; *text; text++)
		if (**text)
			g_ptr_array_insert(jobs, 0, job_of(*text));
	g_assert_cmpint(hf_note_is_missed(jobs, 1000000, 1000000 + missed[index].now * 60), ==,
			missed[index].is_missed);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strconcat("/event/", cases[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), run_case);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(missed); i++) {
		g_autofree char *path = g_strconcat("/event/missed/", missed[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), run_missed);
	}
	g_test_add_func("/event/trouble-lasts-since-its-begin", trouble_lasts_since_its_begin);
	g_test_add_func("/event/mask-takes-words", mask_takes_words);
	g_test_add_func("/event/mask-names-a-wrong-word", mask_names_a_wrong_word);
	return g_test_run();
}
