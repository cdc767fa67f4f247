/* SPDX-License-Identifier: MIT */
#include "gate/serve.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int xg_serve(const char *case_name, int64_t (*body)(void *context, uint64_t iterations),
	     void *context)
{
	char line[64];

	printf("ready %s\n", case_name);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t iterations;
		if (strcmp(line, "quit\n") == 0) {
			printf("bye\n");
			return fflush(stdout) == 0 ? 0 : -EPIPE;
		}
		if (sscanf(line, "run %" SCNu64 "\n", &iterations) != 1)
			return -EPROTO;
		int64_t ns = body(context, iterations);
		if (ns < 0)
			return (int)ns;
		printf("ns %" PRId64 " ops %" PRIu64 "\n", ns, iterations);
		fflush(stdout);
	}
	return 0;
}
