/* SPDX-License-Identifier: MIT */
/*
 * condition - impl/sync/condition_futex.h: no signal is lost, none is given twice, and nobody hangs,
 * whichever processes die at whichever instructions
 *
 * WAITERS wait once each, the first of them with a deadline; one signaller signals SIGNALS times. Up to
 * DEATHS of them die, each after any of its steps. The lock is that of robust_lock.pml, taken and given in
 * one step; a death gives it back. After a death each sleeper looks up once by itself (the patrol).
 *
 * Demanded: a signal goes to a waiter that has begun to wait and lives, if there is one; each signal ends
 * one wait, but for those that die with a waiter when nobody else waits; who is signalled returns; a wait
 * that is not signalled ends by its deadline only. Which of several waiters is served is left open here.
 * pan options: -E
 */
#ifndef WAITERS
#define WAITERS 3
#endif
#ifndef SIGNALS
#define SIGNALS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#define PLACES 3
#define NONE   255

/* Of a place. */
#define IDLE	  0
#define WAITING	  1
#define SIGNALLED 2

byte state[PLACES];
bool parked[PLACES];	  /* the waiter bit of the word that holds the state */
byte life[PLACES] = NONE; /* who waits there */
bool marked[PLACES];	  /* the kernel has found the life word on a dead process's robust list */
bool asleep[PLACES];
byte lock = NONE;
byte hand_from = NONE, hand_to; /* one word: a signal that is being handed over */
byte deaths;

/* Not in the code: what the demands are made of. */
bool entitled[WAITERS + 1]; /* it lives, has given the lock back in its wait, and has not been signalled */
bool gone[WAITERS + 1]; /* it has finished, or it is dead */
byte sent, returned, dropped;

inline mark(place)
{
	if
	:: life[place] == _pid -> marked[place] = true; asleep[place] = false
	:: else
	fi
}

/* The end of a process, and what the kernel does then. */
inline die()
{
	deaths++;
	entitled[_pid] = false;
	gone[_pid] = true;
	if
	:: lock == _pid -> lock = NONE
	:: else
	fi;
	mark(0);
	mark(1);
	mark(2);
	goto dead
}

#define OR_DIE	   if :: true -> skip :: deaths < DEATHS -> die() fi
#define STEP(what) atomic { what; OR_DIE }
#define ACQUIRE	   atomic { lock == NONE -> lock = _pid; OR_DIE }

/* xp_wait_publish(): replace the whole word, then wake if the old one was parked. */
inline publish(place, is_new)
{
	STEP(was_parked = parked[place]; parked[place] = false; state[place] = SIGNALLED;
	     entitled[life[place]] = false; sent = sent + is_new);
	if
	:: was_parked -> STEP(asleep[place] = false; was_parked = false)
	:: else
	fi
}

inline choose_waiter()
{
	if
	:: state[0] == WAITING -> heir = 0
	:: state[1] == WAITING -> heir = 1
	:: state[2] == WAITING -> heir = 2
	:: state[0] != WAITING && state[1] != WAITING && state[2] != WAITING ->
		assert(!entitled[0] && !entitled[1] && !entitled[WAITERS - 1]);
		heir = NONE
	fi
}

/* settle(): finish the hand-over in which a holder died. */
inline settle()
{
#ifndef MUTANT_NO_SETTLE
	if
	:: hand_from != NONE ->
		if
		:: state[hand_to] != WAITING -> STEP(state[hand_from] = IDLE)
		:: else
		fi;
		STEP(hand_from = NONE)
	:: else
	fi
#else
	skip
#endif
}

/* The signal in @place, whose waiter is dead, goes to another. */
inline hand_over(place)
{
	choose_waiter();
	if
	:: heir == NONE -> STEP(state[place] = IDLE; dropped++)
	:: else ->
#ifdef MUTANT_CLEAR_FIRST
		STEP(state[place] = IDLE);
		publish(heir, 0)
#else
		STEP(hand_from = place; hand_to = heir);
		publish(heir, 0);
		STEP(state[place] = IDLE);
		STEP(hand_from = NONE)
#endif
	fi;
	heir = 0
}

inline bury_one(place)
{
	if
#ifdef MUTANT_FORGET_SIGNAL
	:: false
#else
	:: state[place] == SIGNALLED -> hand_over(place)
#endif
	:: else
	fi;
	STEP(state[place] = IDLE);
	STEP(life[place] = NONE; marked[place] = false; parked[place] = false)
}

/* bury(): clear the places of the dead and pass on the signals that they had. */
inline bury()
{
	settle();
	do
	:: marked[0] -> bury_one(0)
	:: !marked[0] && marked[1] -> bury_one(1)
	:: !marked[0] && !marked[1] && marked[2] -> bury_one(2)
	:: else -> break
	od
}

active [WAITERS] proctype waiter()
{
	byte mine, heir, looked;
	bool was_parked, late, had_signal;

	ACQUIRE;
	bury();
	/* claim() */
	if
	:: life[0] == NONE && state[0] == IDLE -> mine = 0
	:: !(life[0] == NONE && state[0] == IDLE) && life[1] == NONE && state[1] == IDLE -> mine = 1
	:: else -> mine = 2
	fi;
	assert(life[mine] == NONE && state[mine] == IDLE);
	STEP(life[mine] = _pid);
#ifndef MUTANT_RELEASE_FIRST
	STEP(state[mine] = WAITING);
#endif
	STEP(lock = NONE; entitled[_pid] = true);
#ifdef MUTANT_RELEASE_FIRST
	STEP(state[mine] = WAITING);
#endif
again:
	/* xp_wait_step(): set the waiter bit, sleep if nothing has changed. */
	atomic {
		if
		:: state[mine] == WAITING -> parked[mine] = true
		:: else -> goto awake
		fi;
		OR_DIE
	}
	atomic {
		if
		:: state[mine] == WAITING && parked[mine] -> asleep[mine] = true
		:: else -> goto again
		fi
	}
	if
	:: !asleep[mine] -> goto again
#ifndef MUTANT_NO_PATROL
	:: atomic { looked < deaths -> looked = deaths; asleep[mine] = false }
#endif
	:: atomic { _pid == 0 -> late = true; asleep[mine] = false; goto awake }
	:: atomic { deaths < DEATHS -> die() }
	fi;
	/* patrol_places() */
	if
	:: marked[0] || marked[1] || marked[2] ->
		ACQUIRE;
		bury();
		STEP(lock = NONE)
	:: else
	fi;
	goto again;
awake:
	ACQUIRE;
	/* retire() */
#ifndef MUTANT_RETIRE_UNSETTLED
	settle();
#endif
	atomic {
		had_signal = state[mine] == SIGNALLED;
		assert(had_signal || late);
#ifdef MUTANT_LATE_SIGNAL
		returned = returned + (had_signal && !late);
#else
		returned = returned + had_signal;
#endif
		entitled[_pid] = false;
		state[mine] = IDLE;
		had_signal = false;
		OR_DIE
	}
	STEP(life[mine] = NONE; parked[mine] = false);
	lock = NONE;
	gone[_pid] = true;
dead:
	skip
}

active proctype signaller()
{
	byte round, heir;
	bool was_parked;

	do
	:: round < SIGNALS ->
		ACQUIRE;
		bury();
		choose_waiter();
		if
		:: heir == NONE
		:: else -> publish(heir, 1)
		fi;
		heir = 0;
		STEP(lock = NONE);
		round++
	:: else -> break
	od;
	gone[_pid] = true;
dead:
	skip
}

#define OWED(place) (marked[place] && state[place] == SIGNALLED)
#define LEFT(place) \
	(state[place] == SIGNALLED && !(hand_from == place && state[hand_to] != WAITING))

active proctype monitor()
{
	byte i;
	bool waiting;

	timeout;
	/* Nothing can move any more. */
	assert(lock == NONE && gone[WAITERS]);
	for (i : 0 .. WAITERS - 1) {
		/* Who is not gone waits, and is owed no signal. */
		assert(gone[i] || entitled[i]);
		waiting = waiting || !gone[i]
	}
	assert(!waiting || !(OWED(0) || OWED(1) || OWED(2)));
	assert(returned + dropped + LEFT(0) + LEFT(1) + LEFT(2) == sent)
}
