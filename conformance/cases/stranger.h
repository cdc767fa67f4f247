/* SPDX-License-Identifier: MIT */
/*
 * stranger - the words between a case and the program xpstranger, which inherits nothing but descriptor 3
 *
 * xpstranger JOB WHERE IMPLEMENTATION
 *   JOB     look   the object is touched (touch.h)
 *           touch  touch it, say so by a byte on the socket, wait for a byte, and give it back
 *           hold   take the lock, then execute itself with the job "heir"
 *           heir   the lock is that of a dead holder, and the descriptor that was not handed on is closed
 *   WHERE   fd     descriptor 4 is the segment
 *           socket the segment's descriptor comes over descriptor 3
 *           /NAME  the segment's name
 * Exit status: 0 as expected, else an errno value.
 */
#ifndef CONFORMANCE_CASES_STRANGER_H
#define CONFORMANCE_CASES_STRANGER_H

/* Descriptors: the socket, the segment where it is handed on, and what is closed by exec. */
enum { XC_STRANGER_SOCKET = 3, XC_STRANGER_SEGMENT = 4, XC_STRANGER_CLOSED = 5 };

#endif
