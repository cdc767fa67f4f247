/* SPDX-License-Identifier: MIT */
/*
 * Drives the fuzz target of a segment without a fuzzer: random inputs, made from a seed and nothing else.
 *
 * A batch of inputs runs in a child process, so that a crash or a hang is a verdict that names the seed of the
 * batch, with which `replay_segment --seed SEED --batches 1` repeats it. Directories that are named are
 * replayed first.
 */
#include "conformance/segment_fuzz.h"

#include "xpshare/base/clock.h"
#include "xpshare/proc/child.h"

#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH	     200 /* inputs */
#define INPUT_MAX    600 /* bytes */
#define BATCH_MAX_S  60	 /* longer than this is a hang */
#define SEED_DEFAULT 1
#define SECOND_NS    (1000 * XP_NS_PER_MS)

struct batch {
	uint64_t seed;
	const char *directory;
	struct fuzz_counts *counts; /* shared with the child */
};

static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Commands of a plausible mix: random bytes alone would be garbage upon garbage. */
static size_t make_input(uint64_t *state, uint8_t *input)
{
	static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x20, 0x40};
	size_t at = 0, size = 16 + random_next(state) % (INPUT_MAX - 32);

	input[at++] = (uint8_t)random_next(state);
	/* One input in eight in a storm: it costs a thread. */
	uint64_t how = random_next(state);
	input[at++] = (uint8_t)(how >> 8 & 7 ? how & 0x7f : how | 0x80);
	while (at < size) {
		uint64_t x = random_next(state);
		bool garbage = (x & 3) == 0;
		input[at++] = (uint8_t)(garbage ? x >> 8 | 0x80 : x >> 8 & 0x7f);
		input[at++] = (uint8_t)(garbage && x & 4 ? 0 : x >> 16); /* objects begin at 0 */
		if (!garbage)
			continue;
		input[at++] = (uint8_t)(x & 8 ? x >> 24 : x >> 24 & 0xf8);
		for (unsigned i = 0; i < (x >> 8) % 8 + 1; i++) {
			uint64_t byte = random_next(state);
			input[at++] = (uint8_t)(byte & 1 ? byte >> 8 : edges[byte % sizeof(edges)]);
		}
	}
	return at;
}

static void replay(const char *directory)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;
	static uint8_t data[1 << 16];
	char path[4096];

	while (entries && (entry = readdir(entries))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rbe");
		if (!file)
			continue;
		LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), file));
		fclose(file);
	}
	if (entries)
		closedir(entries);
}

static int run_batch(void *arg)
{
	const struct batch *batch = arg;
	uint8_t input[2 * INPUT_MAX];
	uint64_t state = batch->seed;

	fuzz_counts = *batch->counts;
	if (batch->directory) {
		replay(batch->directory);
	} else {
		for (int i = 0; i < BATCH; i++)
			LLVMFuzzerTestOneInput(input, make_input(&state, input));
	}
	*batch->counts = fuzz_counts;
	return 0;
}

/* 0, or 1 after a sentence about what is wrong. */
static int try_batch(struct batch *batch)
{
	struct timespec by = xp_deadline_after(BATCH_MAX_S * SECOND_NS);
	struct xp_child child;
	int status = 0;

	int rc = xp_child_start(run_batch, batch, &child);
	if (rc == 0)
		rc = xp_child_wait(&child, &by, &status);
	if (rc == 0 && status == 0)
		return 0;
	if (rc == 0)
		fprintf(stderr, "the survivor ended with status %#x", (unsigned)status);
	else
		fprintf(stderr, rc == -ETIMEDOUT ? "the survivor hangs" : "no child: %s",
			strerror(-rc));
	fprintf(stderr, ": --seed %" PRIu64 " --batches 1 repeats it\n", batch->seed);
	xp_child_stop(&child);
	return 1;
}

static void usage(void)
{
	puts("Usage: replay_segment [--seed N] [--batches N | --seconds N] [DIRECTORY ...]\n"
	     "\n"
	     "Replays the inputs in the directories, then random ones, in batches of 200, from a "
	     "seed.\n"
	     "\n"
	     "  --seed N      start with batch N (default 1)\n"
	     "  --batches N   how many (default 1)\n"
	     "  --seconds N   as many as fit into this time\n"
	     "\n"
	     "Exit status: 0 all answered, 1 a crash, a hang or an access out of bounds, 2 wrong "
	     "usage.");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"seed", required_argument, NULL, 's'},
	    {"batches", required_argument, NULL, 'b'},
	    {"seconds", required_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct batch batch = {.seed = SEED_DEFAULT};
	uint64_t batches = 1, seconds = 0;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
		switch (option) {
		case 's':
			batch.seed = number;
			break;
		case 'b':
			batches = number;
			break;
		case 't':
			seconds = number;
			break;
		case 'h':
			usage();
			return 0;
		default:
			usage();
			return 2;
		}
	}
	batch.counts = mmap(NULL, sizeof(*batch.counts), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (batch.counts == MAP_FAILED)
		return 1;
	for (int i = optind; i < argc; i++) {
		batch.directory = argv[i];
		if (try_batch(&batch) != 0)
			return 1;
	}
	batch.directory = NULL;
	uint64_t first = batch.seed;
	struct timespec by = xp_deadline_after((int64_t)seconds * SECOND_NS);
	for (uint64_t done = 0; seconds ? !xp_deadline_passed(&by) : done < batches; done++) {
		batch.seed = first + done;
		if (try_batch(&batch) != 0)
			return 1;
	}
	printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " inputs, %" PRIu64
	       " writes of garbage, %" PRIu64 " operations, %" PRIu64 " of them refused; %" PRIu64
	       " segments opened\n",
	       first, batch.seed, batch.counts->inputs, batch.counts->writes,
	       batch.counts->operations, batch.counts->refused, batch.counts->opened);
	return batch.counts->inputs > 0 ? 0 : 1;
}
