/* SPDX-License-Identifier: MIT */
#include "conformance/history.h"

#include <stdlib.h>
#include <string.h>

/* One configuration: which operations are placed, and the state that they lead to. */
struct tried {
	uint64_t placed;
	unsigned char state[XC_STATE_MAX];
};

struct search {
	const struct xc_model *model;
	const struct xc_op *ops;
	size_t count;
	uint64_t must;	      /* operations that returned: all of them have to be placed */
	struct tried *memory; /* open addressing; placed == 0 is an empty slot */
	size_t slots, used;
	size_t visited;
	int best; /* most operations placed so far */
	size_t stuck;
};

static uint64_t hash(const struct search *search, uint64_t placed, const unsigned char *state)
{
	/* FNV-1a, 64 bit. */
	uint64_t h = UINT64_C(14695981039346656037);

	for (int i = 0; i < 8; i++)
		h = (h ^ ((placed >> (8 * i)) & 0xff)) * UINT64_C(1099511628211);
	for (size_t i = 0; i < search->model->size; i++)
		h = (h ^ state[i]) * UINT64_C(1099511628211);
	return h;
}

static struct tried *slot_of(const struct search *search, struct tried *memory, size_t slots,
			     uint64_t placed, const unsigned char *state)
{
	size_t at = (size_t)hash(search, placed, state) & (slots - 1);

	while (memory[at].placed != 0 &&
	       (memory[at].placed != placed ||
		memcmp(memory[at].state, state, search->model->size) != 0))
		at = (at + 1) & (slots - 1);
	return &memory[at];
}

static bool grow(struct search *search)
{
	size_t slots = search->slots ? search->slots * 2 : 1024;
	struct tried *memory = calloc(slots, sizeof(*memory));

	if (!memory)
		return false;
	for (size_t i = 0; i < search->slots; i++) {
		const struct tried *old = &search->memory[i];
		if (old->placed != 0)
			*slot_of(search, memory, slots, old->placed, old->state) = *old;
	}
	free(search->memory);
	search->memory = memory;
	search->slots = slots;
	return true;
}

/* Remember a configuration. Returns 1 if it is new, 0 if it was tried before, -1 without memory. */
static int remember(struct search *search, uint64_t placed, const unsigned char *state)
{
	if (search->used * 2 >= search->slots && !grow(search))
		return -1;
	struct tried *slot = slot_of(search, search->memory, search->slots, placed, state);
	if (slot->placed != 0)
		return 0;
	slot->placed = placed;
	memcpy(slot->state, state, search->model->size);
	search->used++;
	return 1;
}

/* Whether operation @i may come next: no unplaced one ended before it began. */
static bool may_come_next(const struct search *search, uint64_t placed, size_t i)
{
	for (size_t k = 0; k < search->count; k++) {
		if (k != i && !(placed >> k & 1) && search->ops[k].end < search->ops[i].start)
			return false;
	}
	return true;
}

/* Depth is at most XC_HISTORY_MAX. */
static enum xc_history_answer explain(struct search *search, uint64_t placed,
				      const unsigned char *state)
{
	if ((placed & search->must) == search->must)
		return XC_LINEARISABLE;
	if (++search->visited > XC_HISTORY_BUDGET)
		return XC_HISTORY_UNDECIDED;

	int depth = __builtin_popcountll(placed);
	for (size_t i = 0; i < search->count; i++) {
		unsigned char next[XC_STATE_MAX];

		if (placed >> i & 1 || !may_come_next(search, placed, i))
			continue;
		memcpy(next, state, search->model->size);
		if (!search->model->apply(next, &search->ops[i])) {
			if (depth >= search->best) {
				search->best = depth;
				search->stuck = i;
			}
			continue;
		}
		int fresh = remember(search, placed | UINT64_C(1) << i, next);
		if (fresh < 0)
			return XC_HISTORY_UNDECIDED;
		if (fresh == 0)
			continue;
		enum xc_history_answer answer = explain(search, placed | UINT64_C(1) << i, next);
		if (answer != XC_NOT_LINEARISABLE)
			return answer;
	}
	return XC_NOT_LINEARISABLE;
}

enum xc_history_answer xc_history_check(const struct xc_model *model, const void *arg,
					const struct xc_op *ops, size_t count, size_t *ret_stuck)
{
	unsigned char state[XC_STATE_MAX] = {0};
	struct search search = {.model = model, .ops = ops, .count = count};

	if (count > XC_HISTORY_MAX || model->size > XC_STATE_MAX)
		return XC_HISTORY_UNDECIDED;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].end != XC_PENDING)
			search.must |= UINT64_C(1) << i;
	}
	model->init(state, arg);
	enum xc_history_answer answer = explain(&search, 0, state);
	free(search.memory);
	if (answer == XC_NOT_LINEARISABLE && ret_stuck)
		*ret_stuck = search.stuck;
	return answer;
}
