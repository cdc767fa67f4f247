/* SPDX-License-Identifier: MIT */
/*
 * park - impl/base/park.h with the ring of impl/chan/ring.h: no wake-up is lost although the publisher
 * uses neither a locked instruction nor a fence
 *
 * The publisher's stores go through a store buffer, as on every real machine: they become visible to others
 * some time later, in order, while its loads go ahead. membarrier makes every publisher's buffer empty.
 * One publisher commits ITEMS items; TAKERS consumers share the taking. The naps are left out.
 */
#define ITEMS  3
#define TAKERS 2

byte buffered;	       /* commits that are still in the publisher's store buffer */
byte committed;	       /* commits that others can see */
byte taken;
byte finished;
bool parked;	       /* the word: PARKED bit and epoch */
byte epoch;
bool asleep[TAKERS];

#define DRAIN committed = committed + buffered; buffered = 0

active [TAKERS] proctype taker()
{
	byte ticket;

	do
	:: atomic { taken < committed -> taken++ }
	:: atomic { taken == ITEMS -> finished++; break }
	:: taken == committed && taken < ITEMS ->
		/* xp_park_prepare() */
		atomic {
			parked = true;
			ticket = epoch
		}
#ifndef MUTANT_NO_MEMBARRIER
		atomic { DRAIN }
#endif
#ifndef MUTANT_NO_SECOND_LOOK
		if
		:: taken < committed || taken == ITEMS -> goto look
		:: else
		fi;
#endif
		/* xp_park_sleep(): the kernel compares the word and enqueues in one step */
		atomic {
			if
			:: parked && epoch == ticket -> asleep[_pid] = true
			:: else -> goto look
			fi
		}
		!asleep[_pid];
look:
		skip
	od
}

active proctype publisher()
{
	byte i = 0;
	bool seen;
	byte seen_epoch;

	do
	:: i < ITEMS ->
		buffered++;
		/* xp_park_wake(): one plain load, which may overtake the store above */
		atomic {
			seen = parked;
			seen_epoch = epoch
		}
		if
		:: seen ->
			/* the compare-and-swap is a locked instruction: the buffer drains first */
			atomic {
				DRAIN;
				if
				:: parked && epoch == seen_epoch ->
					parked = false;
					epoch++
				:: else -> goto next
				fi
			}
			atomic {
				asleep[0] = false;
				asleep[1] = false
			}
		:: else
		fi;
next:
		i++
	:: else -> break
	od
}

/* The store buffer drains by itself, at any time. */
active proctype hardware()
{
end:
	do
	:: atomic { buffered > 0 -> committed++; buffered-- }
	od
}

/* The last taker to look wakes nobody: the end of the stream is an item of its own in the ring (close). */
active proctype closer()
{
	taken == ITEMS;
	atomic {
		parked = false;
		epoch++;
		asleep[0] = false;
		asleep[1] = false
	}
}
