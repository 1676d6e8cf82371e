#include "config.h"

#include "cli/progress.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/log.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_US (G_USEC_PER_SEC / 4)
#define LOG_EVERY_S 30.0
#define BAR_COLUMNS_MIN 10
#define BAR_COLUMNS_MAX 40

struct HfProgressBar {
	const char *verb;
	const HfProgress *progress;
	double started_s;
	bool is_terminal;
	bool is_stopping; /* guarded by lock */
	GMutex lock;
	GCond wake;
	GThread *thread;
};

static bool is_quiet;

/* What the job's record is made of (backup/job/run.h): another thread looks at it. */
static GMutex current_lock;
static const HfProgress *current;

typedef struct {
	uint64_t bytes;
	uint64_t objects;        /* 0: a database */
	uint64_t done, estimate; /* of what is counted: objects where they are, else bytes */
	const char *phase;
} Reading;

static Reading
take_reading(const HfProgress *progress)
{
	const char *phase = __atomic_load_n(&progress->phase, __ATOMIC_RELAXED);
	uint64_t objects_estimate = __atomic_load_n(&progress->estimated_objects, __ATOMIC_RELAXED);
	Reading now = {
		.bytes = __atomic_load_n(&progress->bytes, __ATOMIC_RELAXED),
		.objects = __atomic_load_n(&progress->objects, __ATOMIC_RELAXED),
		.estimate = __atomic_load_n(&progress->estimated_bytes, __ATOMIC_RELAXED),
		.phase = phase ? phase : "",
	};

	now.done = now.bytes;
	if (now.objects > 0 || objects_estimate > 0) {
		now.done = now.objects;
		now.estimate = objects_estimate;
	}
	return now;
}

/* It is what tables take on the server, or the last set held, so it may be passed: then there is no share. */
static bool
has_estimate(const Reading *now)
{
	return now->estimate > 0 && now->done <= now->estimate;
}

static char *
amount(const Reading *now)
{
	g_autofree char *bytes = hf_text_bytes(now->bytes);
	g_autofree char *objects = hf_text_count(now->objects);
	g_autofree char *expected = NULL;

	if (now->objects > 0) {
		expected = hf_text_count(now->estimate);
		return has_estimate(now)
			       ? g_strdup_printf("%s of about %s objects  %s", objects, expected, bytes)
			       : g_strdup_printf("%s objects  %s", objects, bytes);
	}
	expected = hf_text_bytes(now->estimate);
	return has_estimate(now) ? g_strdup_printf("%s of about %s", bytes, expected)
				 : g_steal_pointer(&bytes);
}

static char *
numbers(const Reading *now, double elapsed_s)
{
	double rate = elapsed_s > 0 ? (double)now->done / elapsed_s : 0;
	g_autofree char *what = amount(now);
	g_autofree char *elapsed = hf_text_duration(elapsed_s);
	g_autofree char *speed = hf_text_bytes(elapsed_s > 0 ? (uint64_t)((double)now->bytes / elapsed_s)
							     : 0);
	g_autofree char *left = NULL;

	if (!has_estimate(now) || rate < 1)
		return g_strdup_printf("%s  %s/s  %s", what, speed, elapsed);
	left = hf_text_duration((double)(now->estimate - now->done) / rate);
	return g_strdup_printf("%s  %s/s  %s  %s left", what, speed, elapsed, left);
}

/* "[=====>     ]  42 %  ", or nothing where there is no room for it. */
static char *
bar_of(const Reading *now, unsigned room)
{
	unsigned columns = MIN(room, BAR_COLUMNS_MAX + 10) - MIN(room, 10);
	double share = (double)now->done / (double)MAX(now->estimate, 1);
	g_autofree char *done = NULL;

	if (!has_estimate(now) || columns < BAR_COLUMNS_MIN)
		return g_strdup("");
	done = g_strnfill((gsize)(share * columns), '=');
	return g_strdup_printf("[%s%*s] %3.0f %%  ", done, (int)(columns - strlen(done)), "", share * 100);
}

/* What the other half has done, with a separator in front; "" where there is none. */
static char *
beside_of(const HfProgress *progress)
{
	g_autofree char *what = NULL;
	Reading other;

	if (!progress->beside)
		return g_strdup("");
	other = take_reading(progress->beside);
	what = amount(&other);
	return g_strdup_printf("  |  %s %s", other.phase, what);
}

char *
hf_progress_line(const HfProgress *progress, double elapsed_s, unsigned columns)
{
	Reading now = take_reading(progress);
	g_autofree char *own = numbers(&now, elapsed_s);
	g_autofree char *beside = beside_of(progress);
	g_autofree char *text = g_strconcat(own, beside, NULL);
	g_autofree char *head = g_strdup_printf("%s  ", now.phase);
	/* The last column stays free: some terminals wrap as soon as it is written. */
	unsigned taken = hf_text_width(head) + hf_text_width(text) + 1;
	g_autofree char *bar = bar_of(&now, columns > taken ? columns - taken : 0);
	char *line = g_strconcat(head, bar, text, NULL);

	/* All of it is ASCII. */
	if (strlen(line) >= columns)
		line[columns > 0 ? columns - 1 : 0] = 0;
	return line;
}

static unsigned
terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void
draw(const HfProgressBar *bar)
{
	g_autofree char *line = hf_progress_line(bar->progress, hf_clock_monotonic_s() - bar->started_s,
						 terminal_columns());

	hf_log_set_status(line);
}

static void
log_line(const HfProgressBar *bar)
{
	Reading now = take_reading(bar->progress);
	g_autofree char *text = numbers(&now, hf_clock_monotonic_s() - bar->started_s);

	g_autofree char *beside = beside_of(bar->progress);

	g_message("%s: %s: %s%s", bar->verb, now.phase, text, beside);
}

static gpointer
show(gpointer data)
{
	HfProgressBar *bar = data;
	gint64 step = bar->is_terminal ? REDRAW_US : (gint64)(LOG_EVERY_S * G_USEC_PER_SEC);

	g_mutex_lock(&bar->lock);
	while (!bar->is_stopping) {
		if (bar->is_terminal)
			draw(bar);
		if (g_cond_wait_until(&bar->wake, &bar->lock, g_get_monotonic_time() + step) ||
		    bar->is_stopping)
			continue;
		if (!bar->is_terminal)
			log_line(bar);
	}
	g_mutex_unlock(&bar->lock);
	return NULL;
}

void
hf_progress_bar_set_quiet(bool wants_quiet)
{
	is_quiet = wants_quiet;
}

/* ---- being looked at ---- */

static void
set_current(const HfProgress *progress)
{
	g_mutex_lock(&current_lock);
	current = progress;
	g_mutex_unlock(&current_lock);
}

/* The sum of two estimates is one only where both are known. */
static uint64_t
sum_of_estimates(uint64_t a, uint64_t b)
{
	return a > 0 && b > 0 ? a + b : 0;
}

static HfProgress
copy_of(const HfProgress *progress)
{
	return (HfProgress){
		.bytes = __atomic_load_n(&progress->bytes, __ATOMIC_RELAXED),
		.estimated_bytes = __atomic_load_n(&progress->estimated_bytes, __ATOMIC_RELAXED),
		.objects = __atomic_load_n(&progress->objects, __ATOMIC_RELAXED),
		.estimated_objects = __atomic_load_n(&progress->estimated_objects, __ATOMIC_RELAXED),
		.phase = __atomic_load_n(&progress->phase, __ATOMIC_RELAXED),
	};
}

bool
hf_progress_look(HfProgress *now_out)
{
	bool is_there;

	g_mutex_lock(&current_lock);
	is_there = current != NULL;
	if (is_there)
		*now_out = copy_of(current);
	if (is_there && current->beside) {
		HfProgress beside = copy_of(current->beside);

		now_out->bytes += beside.bytes;
		now_out->estimated_bytes = sum_of_estimates(now_out->estimated_bytes, beside.estimated_bytes);
		now_out->objects += beside.objects;
		now_out->estimated_objects += beside.estimated_objects;
	}
	g_mutex_unlock(&current_lock);
	return is_there;
}

/* ---- the bar ---- */

HfProgressBar *
hf_progress_bar_start(const char *verb, const HfProgress *progress)
{
	HfProgressBar *bar = g_new0(HfProgressBar, 1);

	bar->verb = verb;
	bar->progress = progress;
	bar->started_s = hf_clock_monotonic_s();
	bar->is_terminal = isatty(STDERR_FILENO) != 0;
	g_mutex_init(&bar->lock);
	g_cond_init(&bar->wake);
	set_current(progress);
	if (!is_quiet)
		bar->thread = g_thread_new("progress", show, bar);
	return bar;
}

void
hf_progress_bar_stop(HfProgressBar *bar)
{
	if (!bar)
		return;
	set_current(NULL);
	g_mutex_lock(&bar->lock);
	bar->is_stopping = true;
	g_cond_signal(&bar->wake);
	g_mutex_unlock(&bar->lock);
	if (bar->thread)
		g_thread_join(bar->thread);
	if (bar->thread && bar->is_terminal)
		hf_log_set_status(NULL);
	g_cond_clear(&bar->wake);
	g_mutex_clear(&bar->lock);
	g_free(bar);
}
