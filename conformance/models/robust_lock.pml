/* SPDX-License-Identifier: MIT */
/*
 * robust_lock - impl/sync/lock_futex.h with impl/sync/robust.h: exclusion, no deadlock, no lost wake-up,
 * and -EOWNERDEAD for the next, whichever thread dies at whichever instruction
 *
 * THREADS acquire and release ROUNDS times each. A killer may end any one of them between two steps; the
 * kernel then walks its robust list as it does on Linux. As long as nobody has died the patrol is left out:
 * no wake-up is lost without it. After a death each sleeper looks up once by itself. Without that one look
 * there is a history in which a wake-up is lost: a releaser that found nobody asleep takes the mark away from
 * a word that meanwhile went through another owner, who dies before it wakes (the word is the same again).
 * So the patrol is a part of the algorithm, as lock_futex.h says; -DMUTANT_NO_PATROL shows it. A dead thread stands still in the middle of its program,
 * so the monitor, and not spin's own check of end states, says who has to have finished.
 * pan options: -E
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define NOBODY 255

byte owner = NOBODY; /* the word: thread id, FUTEX_WAITERS, FUTEX_OWNER_DIED */
bool mark = false;
bool died = false;

bool alive[THREADS] = true;
bool asleep[THREADS];
bool linked[THREADS];  /* in the robust list */
bool pending[THREADS]; /* list_op_pending */
bool finished[THREADS];
bool patrolled[THREADS];
byte holders;	    /* living threads between acquire and release */
bool inside[THREADS];
bool owed;	    /* a holder died; nobody has been told yet */
byte deaths;

inline wake_one(count)
{
	atomic {
		count = 0;
		if
		:: asleep[0] -> asleep[0] = false; count = 1
		:: asleep[1] -> asleep[1] = false; count = 1
		:: asleep[2] -> asleep[2] = false; count = 1
		:: !asleep[0] && !asleep[1] && !asleep[2] -> skip
		fi
	}
}

inline enter_critical(was_dead)
{
	inside[_pid] = true;
	holders++;
	assert(holders == 1);
	/* Who takes the lock after a holder's death is told so. */
	assert(owed == was_dead);
	owed = false
}

active [THREADS] proctype thread() provided (alive[_pid])
{
	byte round = 0, seen_owner, woken;
	bool seen_mark, seen_died, slept;

	do
	:: round < ROUNDS ->
		/* acquire: xp_robust_enter() */
		pending[_pid] = true;
		slept = false;
		atomic {
			if
			:: owner == NOBODY && !mark && !died ->
				owner = _pid;
				seen_died = false;
				enter_critical(false);
				goto taken
			:: else
			fi
		}
again:
		atomic {
			seen_owner = owner;
			seen_mark = mark;
			seen_died = died
		}
		if
		:: seen_owner == NOBODY ->
			atomic {
				if
				:: owner == NOBODY && mark == seen_mark && died == seen_died ->
					owner = _pid;
#ifndef MUTANT_FORGET_MARK
					mark = seen_mark || slept;
#else
					mark = false;
#endif
					died = false;
					enter_critical(seen_died);
					goto taken
				:: else -> goto again
				fi
			}
		:: else
		fi;
		/* xp_wait_step(): set the mark, sleep if nothing has changed */
		atomic {
			if
			:: owner == seen_owner && mark == seen_mark && died == seen_died -> mark = true
			:: else -> goto again
			fi
		}
		slept = true;
		atomic {
			if
			:: owner == seen_owner && mark && died == seen_died -> asleep[_pid] = true
			:: else -> goto again
			fi
		}
#ifdef MUTANT_NO_PATROL
		!asleep[_pid];
#else
		if
		:: !asleep[_pid]
		:: atomic { deaths > 0 && !patrolled[_pid] -> patrolled[_pid] = true; asleep[_pid] = false }
		fi;
#endif
		goto again;
taken:
		linked[_pid] = true;
		pending[_pid] = false;

		/* critical section; the holder leaves it as the first step of release */
		pending[_pid] = true;
		linked[_pid] = false;
		atomic {
			if
			:: owner == _pid && !mark && !died ->
				owner = NOBODY;
				inside[_pid] = false;
				holders--;
				goto released
			:: else
			fi
		}
		/* slow: keep the mark, wake, and take the mark away if nobody slept */
		atomic {
			assert(owner == _pid && !died);
			owner = NOBODY;
			mark = true;
			inside[_pid] = false;
			holders--
		}
#ifndef MUTANT_NO_WAKE
		wake_one(woken);
		atomic {
			if
			:: woken == 0 && owner == NOBODY && mark && !died -> mark = false
			:: else
			fi
		}
#endif
released:
		pending[_pid] = false;
		round++
	:: else -> break
	od;
	finished[_pid] = true
}

/* What the kernel does when @victim has died: handle_futex_death() for the list, then for the pending one. */
inline kernel_reaps(victim)
{
	if
	:: (linked[victim] || pending[victim]) && owner == victim ->
#ifndef MUTANT_NO_ROBUST_LIST
		owner = NOBODY;
		died = true;
		if
		:: mark -> wake_one(reaped)
		:: else
		fi
#endif
	:: pending[victim] && owner == NOBODY ->
		wake_one(reaped)
	:: else
	fi
}

proctype killer()
{
	byte victim, reaped;

	if
	:: true -> skip /* nobody dies */
	:: true ->
		select(victim : 0 .. THREADS - 1);
		atomic {
			if
			:: finished[victim]
			:: else ->
				alive[victim] = false;
				asleep[victim] = false;
				deaths++;
				if
				:: inside[victim] ->
					inside[victim] = false;
					holders--;
					owed = true
				:: else
				fi;
				kernel_reaps(victim)
			fi
		}
	fi
}

active proctype monitor()
{
	run killer();
	timeout;
	/* Nothing can move any more: every survivor must have finished. */
	assert((finished[0] || !alive[0]) && (finished[1] || !alive[1]) && (finished[2] || !alive[2]))
}
