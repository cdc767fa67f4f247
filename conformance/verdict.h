/* SPDX-License-Identifier: MIT */
/*
 * verdict - what a judge can say (ISO/IEC 9646, IEEE 1003.3)
 *
 * PASS         the clause was put to the test and held
 * FAIL         it did not hold, or the case crashed, hung or left something behind
 * UNRESOLVED   the test could not decide: the machine never showed the situation, a tool was refused
 * UNSUPPORTED  the implementation lacks the capability that the clause is about
 * UNTESTED     no case tried; computed, never returned by a case
 */
#ifndef CONFORMANCE_VERDICT_H
#define CONFORMANCE_VERDICT_H

/* In the order of what decides where several cases speak about one clause: the first of these. */
#define XC_VERDICT_MAP(X) \
	X(FAIL)           \
	X(UNRESOLVED)     \
	X(PASS)           \
	X(UNSUPPORTED)    \
	X(UNTESTED)

#define X(name) XC_##name,
enum xc_verdict { XC_VERDICT_MAP(X) XC_VERDICT_COUNT };
#undef X

static inline const char *xc_verdict_name(enum xc_verdict verdict)
{
#define X(name) #name,
	static const char *const names[] = {XC_VERDICT_MAP(X)};
#undef X
	return (unsigned)verdict < XC_VERDICT_COUNT ? names[verdict] : "?";
}

/** xc_verdict_worse() - The verdict of a clause on which two cases returned @a and @b. */
static inline enum xc_verdict xc_verdict_worse(enum xc_verdict a, enum xc_verdict b)
{
	return a < b ? a : b;
}

#endif
