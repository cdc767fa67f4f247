/* SPDX-License-Identifier: MIT */
/*
 * hybrid_wait - impl/base/wait.h: nobody sleeps on a word that has changed
 *
 * WAITERS wait until the value has reached LAST; PUBLISHERS raise it step by step. A state in which a
 * waiter sleeps and nobody is left to wake it is an invalid end state. The word is (value, parked) and is
 * always written whole; the kernel compares it and enqueues the sleeper in one step.
 */
#define WAITERS 3
#define LAST	3

byte value = 0;
bool parked = false;
bool asleep[WAITERS];

active [WAITERS] proctype waiter()
{
	byte seen;
	bool marked;

again:
	atomic {
		seen = value;
		marked = parked
	}
	if
	:: seen == LAST -> goto done
	:: else
	fi;
	/* Set the waiter bit by compare-and-swap from what was seen. */
#ifndef MUTANT_NO_BIT
	atomic {
		if
		:: value == seen && parked == marked -> parked = true
		:: else -> goto again
		fi
	}
#endif
	/* futex(FUTEX_WAIT): compare, then sleep. */
	atomic {
		if
#ifdef MUTANT_NO_RECHECK
		:: asleep[_pid] = true
#else
#ifdef MUTANT_NO_BIT
		:: value == seen -> asleep[_pid] = true
#else
		:: value == seen && parked -> asleep[_pid] = true
#endif
		:: else -> goto again
#endif
		fi
	}
	!asleep[_pid];
	goto again;
done:
	skip
}

proctype publisher(byte steps)
{
	bool marked;

	do
	:: steps > 0 ->
		d_step {
			marked = parked;
			value++;
#ifndef MUTANT_KEEP_BIT_SILENT
			parked = false
#endif
		}
		if
#ifdef MUTANT_KEEP_BIT_SILENT
		:: !marked ->
#else
		:: marked ->
#endif
			d_step {
				asleep[0] = false;
				asleep[1] = false;
				asleep[2] = false
			}
		:: else
		fi;
		steps--
	:: else -> break
	od
}

init {
	atomic {
		run publisher(1);
		run publisher(LAST - 1)
	}
}
