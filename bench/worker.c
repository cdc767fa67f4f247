/* SPDX-License-Identifier: MIT */
#include "bench/worker.h"

#include "bench/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS_MAX 1000000000000LL
#define EXIT_CANNOT    77

void xb_worker_list(const struct xb_matrix *matrix)
{
	printf("schema %d\n", XB_WORKER_SCHEMA);
	for (size_t i = 0; i < matrix->count; i++) {
		const struct xb_case *c = matrix->cases[i];
		printf("%s\t%s\t%s\t%d\t%s\n", c->name,
		       xb_metric_higher(c->workload->metric) ? "higher" : "lower",
		       xb_metric_unit(c->workload->metric), c->placement.count,
		       xb_role_name(c->role));
	}
}

/* Carry out one line. Return: 0 go on, 1 quit, -1 broken. */
static int obey(struct xb_session *session, struct xb_hist *hist, const char *line)
{
	char verb[8] = "", error[XB_FAIL_TEXT];
	long long n = 0;
	int used = 0;
	struct xb_figures figures;

	if (strcmp(line, "quit") == 0)
		return 1;
	if (sscanf(line, "%7s %lld%n", verb, &n, &used) != 2 || line[used] != '\0' || n < 1 ||
	    n > OPERATIONS_MAX || (strcmp(verb, "run") != 0 && strcmp(verb, "each") != 0)) {
		printf("error want: run N | each N | quit\n");
		return 0;
	}
	bool each = strcmp(verb, "each") == 0;
	if (each && !session->stage.c->workload->distribution) {
		printf("error this case has no distribution\n");
		return 0;
	}
	xb_hist_init(hist);
	int rc =
	    xb_session_run(session, each ? XB_PASS_EACH : XB_PASS_BATCH, n, hist, &figures, error);
	if (rc < 0) {
		printf("error %s\n", error);
		return -1;
	}
	printf("ns %.0f ops %lld", figures.total_ns, (long long)figures.ops);
	if (each)
		printf(" p50 %llu p99 %llu", (unsigned long long)xb_hist_at(hist, 0.5),
		       (unsigned long long)xb_hist_at(hist, 0.99));
	printf("\n");
	return 0;
}

static int converse(struct xb_session *session)
{
	struct xb_hist *hist = malloc(sizeof(*hist));
	char line[128];
	int state = hist ? 0 : -1;

	while (state == 0 && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		state = obey(session, hist, line);
		fflush(stdout);
	}
	free(hist);
	if (state == 1)
		printf("bye\n");
	fflush(stdout);
	return state < 0 ? 1 : 0;
}

int xb_worker_serve(const struct xb_matrix *matrix, const char *name)
{
	const struct xb_case *c = xb_matrix_find(matrix, name);
	struct xb_session session;
	char error[XB_FAIL_TEXT];

	if (!c) {
		printf("error no case of that name: %s\n", name);
		return 2;
	}
	int rc = xb_session_open(&session, c, error);
	if (rc < 0) {
		printf("error %s\n", error);
		return rc == -ENOTSUP ? EXIT_CANNOT : 1;
	}
	printf("ready %s\n", name);
	fflush(stdout);
	int code = converse(&session);
	xb_session_close(&session);
	return code;
}
