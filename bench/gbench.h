/* SPDX-License-Identifier: MIT */
/*
 * gbench - the C face of Google Benchmark
 *
 * Overview      Google Benchmark chooses the number of iterations, repeats and interleaves the
 *               cases, and prints its own reports; the hot loops, the clock and the forked peers
 *               stay in C. A case is a body that runs n operations and says how long they took
 *               (manual time). Google Benchmark runs one thread of its own.
 * Owns          What version 1.7.1 leaves open: it exits with 0 on a skipped case, on a filter that
 *               matches nothing and on a bad value of a flag, and it writes bare NaN into JSON.
 *               Here a figure that is not finite and positive is an error of its case, and every
 *               bad flag ends in exit code 2.
 * Death         A body may run for long: it returns an error when the user interrupts.
 */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XB_GBENCH_ERROR 200

/**
 * xb_gbench_body - Run @n operations of @arg.
 * @error: Filled on failure, one line.
 * Return: the seconds that they took; negative on failure.
 */
typedef double xb_gbench_body(void *arg, int64_t n, char error[XB_GBENCH_ERROR]);

/**
 * struct xb_gbench_result - All repetitions of one case.
 * @seconds:    Per operation, one for each repetition that succeeded, in the order of the runs.
 * @calls:      Repetitions, failed ones included: the last @calls calls of the body were they, the
 *              earlier ones looked for a number of iterations.
 * @iterations: Operations in each repetition.
 * @error:      Of a failed repetition, or NULL.
 */
struct xb_gbench_result {
	void *arg;
	const double *seconds;
	size_t count;
	size_t calls;
	int64_t iterations;
	const char *error;
};

/**
 * struct xb_gbench_plan - How to run what is registered.
 * @body:      Of all cases; the case is told apart by its @arg.
 * @on_result: Called once for each case, when its last repetition is done.
 * @display:   Also print Google Benchmark's own report (--benchmark_format) to standard output.
 */
struct xb_gbench_plan {
	xb_gbench_body *body;
	void (*on_result)(void *context, const struct xb_gbench_result *result);
	void *context;
	int display;
};

/**
 * xb_gbench_init() - Let Google Benchmark take its flags out of @argv.
 *
 * The process ends with exit code 2 on a bad value of one of them. Call once, before anything that
 * would have to be cleaned up.
 */
void xb_gbench_init(int *argc, char **argv);

/** xb_gbench_filter() - The value of --benchmark_filter; owned by this module. */
const char *xb_gbench_filter(void);

/**
 * xb_gbench_matches() - Whether @filter (a POSIX extended expression; a leading '-' negates it;
 * empty or "all" matches everything) selects @name. Return: 1, 0, or -EINVAL for a bad expression.
 */
int xb_gbench_matches(const char *filter, const char *name);

/**
 * xb_gbench_register() - Add a case.
 * @iterations: Operations of a repetition; 0 lets Google Benchmark choose.
 * @once:       One repetition, whatever the flags say.
 */
void xb_gbench_register(const char *name, void *arg, int64_t iterations, int once);

/** xb_gbench_run() - Run all that is registered. Return: how many cases. */
size_t xb_gbench_run(const struct xb_gbench_plan *plan);

#ifdef __cplusplus
}
#endif

#endif
