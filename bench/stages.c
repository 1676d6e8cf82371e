/*
 * bench/stages.c -- what each stage of the pipeline costs, on a file of plain bytes.
 *
 * usage: make bench/stages && bench/stages FILE [THREADS]
 *
 * One row a stage: MB/s of plain bytes by the clock and by processor time, ratio, seconds, and the peak memory of the
 * process so far.  The file is read into memory first and pushed in pieces of 64 KiB, as from a pipe.
 */
#include "config.h"

#include "backup/source/scan.h"
#include "backup/stage/digest.h"
#include "backup/stage/gzip.h"
#include "backup/stage/sink.h"
#include "backup/stage/zstd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
	PIECE_BYTES = 64 * 1024
};

typedef HfStage *(*MakeStage)(HfStage *next, int level, unsigned threads);

static HfStage *
make_gzip(HfStage *next, int level, unsigned threads)
{
	HfGzipOptions options = {.level = level, .threads = threads};

	return hf_gzip_new(next, &options, NULL);
}

static HfStage *
make_zstd(HfStage *next, int level, unsigned threads)
{
	HfZstdOptions options = {.level = level, .threads = threads};

	return hf_zstd_new(next, &options, NULL);
}

static HfStage *
make_gunzip(HfStage *next, int level, unsigned threads)
{
	(void)level;
	(void)threads;
	return hf_gunzip_new(next);
}

static HfStage *
make_unzstd(HfStage *next, int level, unsigned threads)
{
	(void)level;
	(void)threads;
	return hf_unzstd_new(next);
}

static HfStage *
make_digest(HfStage *next, int level, unsigned threads)
{
	(void)level;
	(void)threads;
	return hf_digest_new(next);
}

static HfStage *
make_scan(HfStage *next, int level, unsigned threads)
{
	(void)level;
	(void)threads;
	return hf_scan_new(next, HF_SCAN_DATABASE);
}

static double
clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
stop(GError *error)
{
	fprintf(stderr, "bench/stages: %s\n", error->message);
	exit(1);
}

static void
push(HfStage *head, GBytes *bytes)
{
	GError *error = NULL;
	gsize len;
	const char *at = g_bytes_get_data(bytes, &len);

	for (gsize done = 0; done < len; done += PIECE_BYTES)
		if (!hf_stage_write(head, at + done, MIN(len - done, PIECE_BYTES), &error))
			stop(error);
	if (!hf_stage_finish(head, &error))
		stop(error);
	hf_stage_free(head);
}

typedef struct {
	const char *name;
	MakeStage make;
	int level;
	MakeStage packer; /* NULL, or what makes the input of a reader */
} Row;

/* The ratio is that of packed to plain, whichever way it goes. */
static void
measure(const Row *row, GBytes *input, size_t plain_bytes, unsigned threads)
{
	double wall_s = clock_s(CLOCK_MONOTONIC);
	double cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	double plain_mb = (double)plain_bytes / 1e6;
	double larger, smaller;
	uint64_t bytes_out = 0;
	struct rusage usage;

	push(row->make(hf_meter_new(hf_sink_null_new(), &bytes_out), row->level, threads), input);
	wall_s = clock_s(CLOCK_MONOTONIC) - wall_s;
	cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s;
	getrusage(RUSAGE_SELF, &usage);
	larger = (double)MAX(bytes_out, g_bytes_get_size(input));
	smaller = (double)MIN(bytes_out, g_bytes_get_size(input));
	printf("%-12s %7.0f MB/s  %7.0f MB per CPU s  ratio %5.2f  wall %6.2f s  cpu %6.2f s  peak %4ld "
	       "MiB\n",
	       row->name, plain_mb / wall_s, plain_mb / cpu_s, larger / smaller, wall_s, cpu_s,
	       usage.ru_maxrss / 1024);
}

static void
measure_all(GBytes *plain, unsigned threads)
{
	static const Row rows[] = {
		{"digest", make_digest, 0, NULL},
		{"scan", make_scan, 0, NULL},
		{"gzip 1", make_gzip, 1, NULL},
		{"gzip 2", make_gzip, 2, NULL},
		{"gzip 3", make_gzip, 3, NULL},
		{"gzip 6", make_gzip, 6, NULL},
		{"zstd 1", make_zstd, 1, NULL},
		{"zstd 3", make_zstd, 3, NULL},
		{"gunzip of 1", make_gunzip, 1, make_gzip},
		{"unzstd of 1", make_unzstd, 1, make_zstd},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GBytes) packed = NULL;

		if (rows[i].packer) {
			HfStage *sink = hf_sink_bytes_new(G_MAXSIZE);
			HfStage *head = rows[i].packer(sink, rows[i].level, threads);
			GError *error = NULL;
			gsize len;
			const void *data = g_bytes_get_data(plain, &len);

			if (!hf_stage_write(head, data, len, &error) || !hf_stage_finish(head, &error))
				stop(error);
			packed = hf_sink_bytes_get(sink);
			hf_stage_free(head);
		}
		measure(&rows[i], packed ? packed : plain, g_bytes_get_size(plain), threads);
	}
}

/* "stored": gzip 1 on bytes that cannot be packed, as many as the file has. */
static void
measure_stored(size_t len, unsigned threads)
{
	static const Row row = {"stored", make_gzip, 1, NULL};
	g_autoptr(GRand) source = g_rand_new_with_seed(1);
	guint32 *words = g_malloc(len + sizeof(guint32));
	g_autoptr(GBytes) random = NULL;

	for (size_t i = 0; i <= len / sizeof *words; i++)
		words[i] = g_rand_int(source);
	random = g_bytes_new_take(words, len);
	measure(&row, random, len, threads);
}

int
main(int argc, char **argv)
{
	GError *error = NULL;
	g_autofree char *data = NULL;
	g_autoptr(GBytes) plain = NULL;
	unsigned threads = argc > 2 ? (unsigned)g_ascii_strtoull(argv[2], NULL, 10) : 1;
	gsize len;

	if (argc < 2) {
		fprintf(stderr, "usage: bench/stages FILE [THREADS]\n");
		return 2;
	}
	if (!g_file_get_contents(argv[1], &data, &len, &error))
		stop(error);
	plain = g_bytes_new_take(g_steal_pointer(&data), len);
	measure_all(plain, threads);
	measure_stored(len, threads);
	return 0;
}
