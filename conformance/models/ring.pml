/* SPDX-License-Identifier: MIT */
/*
 * ring - impl/chan/ring.h: what is committed is got exactly once, whole and in order, whichever processes
 * die at whichever instructions
 *
 * One producer puts, singly or in batches of two, until ALL items are committed; one consumer takes them,
 * likewise. Up to DEATHS times one of them dies, after any of its steps; another process takes its place,
 * which knows nothing but the shared memory. (Where several live at one end they take turns, by the lock of
 * robust_lock.pml, so that is all that one can see of another.) Waiting is that of park.pml: here somebody
 * who finds nothing to do stands until there is. With CELLS=1 this is the slotted layout, with more the
 * packed one, whose header says how many cells of its line are filled. A copy takes two steps, as an item
 * may be large.
 * pan options: -E
 */
#ifndef ALL
#define ALL 6
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef CELLS
#define CELLS	 1
#define LINES	 2
#define CAPACITY 2
#else
#define LINES	 2
#define CAPACITY 3
#endif
#define NOWHERE 255

/* The ring. Positions count from CELLS, so that no slot is of its turn before it is written. */
byte turn[LINES], filled[LINES]; /* one word: the header */
byte low[LINES * CELLS], high[LINES * CELLS];
byte tail = CELLS, intent = CELLS, limit = CELLS + CAPACITY;
byte head = CELLS;
byte deaths;

/* Not in the code: what was committed, in order. */
byte order[ALL + 1], committed, taken;
bool ended;

#define LINE(position)	 (((position) / CELLS) % LINES)
#define SLOT(position)	 (LINE(position) * CELLS + (position) % CELLS)
#define IS_THERE(position) \
	(turn[LINE(position)] == (position) / CELLS && filled[LINE(position)] > (position) % CELLS)

#define OR_DIE	   if :: true -> skip :: deaths < DEATHS -> deaths++; goto born fi
#define STEP(what) atomic { what; OR_DIE }

/* The header of @from's line says that @n cells from @from on are filled: one store. */
inline store_header(from, n)
{
	atomic {
		turn[LINE(from)] = from / CELLS;
		filled[LINE(from)] = from % CELLS + n;
		i = 0;
		do
		:: i < n ->
			order[committed] = low[SLOT(from + i)];
			committed++;
			i++
		:: else -> break
		od;
		i = 0;
		assert(committed - taken <= CAPACITY);
		OR_DIE
	}
}

/* Each copy has content of its own: one more than the last in memory. */
inline copy_in(position)
{
	STEP(item = item % 100 + 1; low[SLOT(position)] = item);
	STEP(high[SLOT(position)] = item)
}

/* make_room() */
inline make_room()
{
	d_step {
		at = tail;
#ifdef MUTANT_MEND_ONE
		if
		:: IS_THERE(at) -> at++
		:: else
		fi
#else
#ifndef MUTANT_NO_MEND
		do
		:: i < CAPACITY && IS_THERE(at) -> at++; i++
		:: else -> break
		od;
#endif
		i = 0
#endif
	}
	room = head; /* the other side's: a load of its own */
	assert(at - room <= CAPACITY);
	STEP(tail = at);
	STEP(intent = at);
	STEP(limit = room + CAPACITY; room = 0)
}

active proctype producer()
{
	byte at, room, count, n, i, item;

born:
	atomic {
		at = 0;
		room = 0;
		count = 0;
		n = 0;
		i = 0
	}
	do
	:: committed < ALL ->
		/* xp_ring_has_room() */
		if
#ifdef MUTANT_NO_LIMIT
		:: tail == intent -> at = tail
#else
		:: tail != limit && tail == intent -> at = tail
#endif
		:: else ->
			make_room();
			if
			:: at == limit ->
				/* xp_queue_ring_wait_room() */
				at = 0;
				committed - taken < CAPACITY;
				goto next
			:: else
			fi
		fi;
		if
		:: true -> /* xp_ring_put_as() */
			copy_in(at);
#ifdef MUTANT_TAIL_FIRST
			STEP(tail = at + 1);
			STEP(intent = at + 1);
			store_header(at, 1);
#else
#ifndef MUTANT_NO_INTENT
			STEP(intent = at + 1);
#endif
			store_header(at, 1);
			STEP(tail = at + 1);
#ifdef MUTANT_NO_INTENT
			STEP(intent = at + 1);
#endif
#endif
		:: committed + 2 <= ALL -> /* xp_ring_try_put_batch() of two */
			if
			:: limit - at < 2 -> make_room()
			:: else
			fi;
			count = (limit - at < 2 -> 1 : 2);
#ifndef MUTANT_BATCH_NO_INTENT
			STEP(intent = NOWHERE);
#endif
			do
			:: count > 0 ->
				/* put_line(): what fits into this line */
				n = CELLS - at % CELLS;
				n = (n < count -> n : count);
				room = 0;
				do
				:: room < n -> copy_in(at + room); room++
				:: else -> break
				od;
				room = 0;
				store_header(at, n);
				at = at + n;
				count = count - n
			:: else -> break
			od;
			STEP(tail = at);
			STEP(intent = at);
			n = 0
		fi;
		at = 0;
next:
		skip
	:: else -> break
	od;
	ended = true
}

active proctype consumer()
{
	byte at, n, most, seen;

born:
	atomic {
		at = 0;
		n = 0;
		most = 0;
		seen = 0
	}
	do
	:: taken < ALL ->
		/* xp_queue_ring_wait_item() */
		if
		:: IS_THERE(head)
		:: ended && !IS_THERE(head) -> break
		fi;
		at = head;
		if
		:: most = 1
		:: most = 2
		fi;
		do
		:: n < most && IS_THERE(at) ->
#ifdef MUTANT_HEAD_FIRST
			STEP(taken++; head = at + 1);
#endif
			/* the copy out */
			STEP(seen = low[SLOT(at)]);
#ifdef MUTANT_HEAD_FIRST
			assert(order[taken - 1] == seen);
#else
			assert(order[taken + n] == seen);
#endif
			assert(high[SLOT(at)] == seen);
			seen = 0;
			at++;
			n++
		:: else -> break
		od;
#ifndef MUTANT_HEAD_FIRST
		STEP(taken = taken + n; head = at);
#endif
		n = 0;
		most = 0;
		at = 0
	:: else -> break
	od
}

active proctype monitor()
{
	timeout;
	/* Nothing can move any more: all was put, and all was got. */
	assert(ended && committed == ALL && taken == ALL)
}
