/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum_number.h"

#include "xpshare/rpc/pickle.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Nine decimal digits are the most that a 32-bit limb takes at once. */
#define STEP_DIGITS 9
#define STEP_VALUE  UINT32_C(1000000000)

/* ---- text to number ------------------------------------------------------------------ */

static int parse_big(struct xp_datum_arena *arena, const char *digits, size_t count, bool negative,
		     struct xp_datum **ret_value)
{
	/* A decimal digit is less than 3.33 bits; one byte more for the sign. */
	size_t limbs = count * 10 / 3 / 32 + 2;
	uint32_t *limb = calloc(limbs, sizeof(*limb));
	unsigned char *bytes = limb ? malloc(limbs * 4) : NULL;
	size_t used = 0;

	if (!bytes) {
		free(limb);
		return -ENOMEM;
	}
	for (size_t at = 0; at < count;) {
		uint32_t scale = 1, chunk = 0;
		for (int i = 0; i < STEP_DIGITS && at < count; i++, at++) {
			chunk = chunk * 10 + (uint32_t)(digits[at] - '0');
			scale *= 10;
		}
		uint64_t carry = chunk;
		for (size_t i = 0; i < used; i++) {
			carry += (uint64_t)limb[i] * scale;
			limb[i] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry > 0)
			limb[used++] = (uint32_t)carry;
	}
	uint64_t borrow = negative; /* two's complement: invert and add one */
	for (size_t i = 0; i < limbs; i++) {
		uint64_t value = negative ? (uint32_t)~limb[i] + borrow : limb[i];
		borrow = negative ? value >> 32 : 0;
		for (int b = 0; b < 4; b++)
			bytes[4 * i + (size_t)b] = (unsigned char)(value >> 8 * b);
	}
	struct xp_datum *made = xp_datum_bigint(arena, bytes, limbs * 4);
	free(bytes);
	free(limb);
	if (!made)
		return -ENOMEM;
	*ret_value = made;
	return 0;
}

int xp_number_parse_int(struct xp_datum_arena *arena, const char *text, size_t size,
			struct xp_datum **ret_value)
{
	bool negative = size > 0 && text[0] == '-';
	size_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
	int64_t value = 0;

	if (at == size)
		return -EINVAL;
	for (size_t i = at; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
	}
	if (size - at > XP_PICKLE_MAX_DIGITS)
		return -EMSGSIZE;
	if (size - at > 18)
		return parse_big(arena, text + at, size - at, negative, ret_value);
	for (; at < size; at++)
		value = value * 10 + (text[at] - '0');
	struct xp_datum *made = xp_datum_int(arena, negative ? -value : value);
	if (!made)
		return -ENOMEM;
	*ret_value = made;
	return 0;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", NULL);
}

/* strtod() of the C locale, whatever the process has set. */
static double parse_double(const char *text, char **ret_end)
{
	pthread_once(&c_locale_once, make_c_locale);
	return c_locale ? strtod_l(text, ret_end, c_locale) : strtod(text, ret_end);
}

int xp_number_parse_float(const char *text, size_t size, double *ret_value)
{
	char copy[512];
	char *end;

	/* strtod() also takes hexadecimal and leading blanks, which Python does not. */
	if (size == 0 || size >= sizeof(copy) || memchr(text, 'x', size) ||
	    memchr(text, 'X', size) || memchr(text, '(', size) || memchr(text, 0, size) ||
	    strchr(" \t\n\v\f\r", text[0]))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = 0;
	double value = parse_double(copy, &end);
	if (*end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* ---- number to text ------------------------------------------------------------------ */

/* The magnitude of a BIGINT as little-endian limbs. Return: how many, none of them
 *  a leading zero. */
static size_t magnitude(const struct xp_datum *value, uint32_t *limb, size_t limbs)
{
	const unsigned char *bytes = (const unsigned char *)value->bytes;
	bool negative = bytes[value->size - 1] >= 0x80;
	uint64_t carry = negative;

	for (size_t i = 0; i < limbs; i++) {
		uint32_t word = 0;
		for (size_t b = 0; b < 4; b++) {
			size_t at = 4 * i + b;
			uint32_t byte = at < value->size ? bytes[at] : negative ? 0xff : 0;
			word |= byte << 8 * b;
		}
		uint64_t sum = negative ? (uint64_t)(uint32_t)~word + carry : word;
		limb[i] = (uint32_t)sum;
		carry = negative ? sum >> 32 : 0;
	}
	while (limbs > 0 && limb[limbs - 1] == 0)
		limbs--;
	return limbs;
}

static int format_big(const struct xp_datum *value, char **ret_text)
{
	size_t limbs = value->size / 4 + 2;
	/* 4300 digits are 14285 bits; beyond that there is no need to begin. */
	if (value->size > 1800)
		return -EMSGSIZE;
	size_t room = limbs * 10 + 2;
	uint32_t *limb = malloc(limbs * sizeof(*limb));
	char *text = limb ? malloc(room) : NULL;
	if (!text) {
		free(limb);
		return -ENOMEM;
	}
	size_t used = magnitude(value, limb, limbs);
	size_t at = room;

	text[--at] = 0;
	while (used > 0) {
		uint64_t rest = 0;
		for (size_t i = used; i-- > 0;) {
			rest = rest << 32 | limb[i];
			limb[i] = (uint32_t)(rest / STEP_VALUE);
			rest %= STEP_VALUE;
		}
		while (used > 0 && limb[used - 1] == 0)
			used--;
		for (int i = 0; i < STEP_DIGITS && (used > 0 || rest > 0); i++, rest /= 10)
			text[--at] = (char)('0' + rest % 10);
	}
	free(limb);
	size_t digits = room - 1 - at;
	if (digits > XP_PICKLE_MAX_DIGITS) {
		free(text);
		return -EMSGSIZE;
	}
	if ((unsigned char)value->bytes[value->size - 1] >= 0x80)
		text[--at] = '-';
	memmove(text, text + at, room - at);
	*ret_text = text;
	return 0;
}

int xp_number_format_int(const struct xp_datum *value, char **ret_text)
{
	enum { SIZE = sizeof("-9223372036854775808") };
	char *text;

	xp_assert(xp_datum_is_integer(value));
	if (value->kind == XP_DATUM_BIGINT)
		return format_big(value, ret_text);
	text = malloc(SIZE);
	if (!text)
		return -ENOMEM;
	snprintf(text, SIZE, "%" PRId64, value->integer);
	*ret_text = text;
	return 0;
}

/* Digits of @value with @precision of them, and the decimal exponent of the first. */
static int digits_of(double value, int precision, char digits[20])
{
	char text[40];
	int count = 0;
	const char *at;

	snprintf(text, sizeof(text), "%.*e", precision - 1, value);
	for (at = text; *at != 'e'; at++) {
		if (*at >= '0' && *at <= '9') /* skips the point of whatever locale */
			digits[count++] = *at;
	}
	digits[count] = 0;
	return (int)strtol(at + 1, NULL, 10);
}

static bool reads_back(double value, const char *digits, int exponent)
{
	char text[40];

	snprintf(text, sizeof(text), "%.1s%s%se%d", digits, digits[1] ? "." : "", digits + 1,
		 exponent);
	return parse_double(text, NULL) == value;
}

/* The next decimal of as many digits, away from 0. Nothing but nines has none. */
static bool next_decimal(char *digits)
{
	size_t at = strlen(digits);

	while (at > 0 && digits[at - 1] == '9')
		digits[--at] = '0';
	if (at == 0)
		return false;
	digits[at - 1]++;
	return true;
}

size_t xp_number_format_float(double value, char text[XP_FLOAT_TEXT])
{
	char digits[20];
	int exponent = 0, precision;
	size_t at = 0;

	if (isnan(value))
		return (size_t)snprintf(text, XP_FLOAT_TEXT, "nan");
	if (signbit(value))
		text[at++] = '-';
	if (isinf(value))
		return at + (size_t)snprintf(text + at, XP_FLOAT_TEXT - at, "inf");
	value = fabs(value);
	/* Most numbers that people write have at most 15 digits and lose nothing there; then the
	 * fewest digits are found by dropping zeros. Otherwise 16 or 17 are needed; 17 always
	 * suffice. */
	for (precision = 15; precision <= 17; precision++) {
		exponent = digits_of(value, precision, digits);
		if (precision == 17 || reads_back(value, digits, exponent))
			break;
		/* Above a power of two the doubles lie twice as far apart as below it: a decimal above
		 * may still read back where the nearest, below, does not. */
		char above[20];
		memcpy(above, digits, sizeof(above));
		if (precision == 16 && frexp(value, &(int){0}) == 0.5 && next_decimal(above) &&
		    reads_back(value, above, exponent)) {
			memcpy(digits, above, sizeof(above));
			break;
		}
	}
	int count = (int)strlen(digits);
	while (count > 1 && digits[count - 1] == '0')
		digits[--count] = 0;
	/* A subnormal has less precision than 15 digits: fewer may read back too. */
	for (precision = 1; precision < count; precision++) {
		char fewer[20];
		int e = digits_of(value, precision, fewer);
		if (value < 1e-290 && reads_back(value, fewer, e)) {
			memcpy(digits, fewer, sizeof(digits));
			exponent = e;
			count = precision;
		}
	}

	if (value != 0 && (exponent < -4 || exponent >= 16)) {
		at += (size_t)snprintf(text + at, XP_FLOAT_TEXT - at, "%.1s%s%se%c%02d", digits,
				       count > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+',
				       abs(exponent));
	} else if (exponent < 0) {
		at += (size_t)snprintf(text + at, XP_FLOAT_TEXT - at, "0.%.*s%s", -exponent - 1,
				       "000", digits);
	} else if (count > exponent + 1) {
		at += (size_t)snprintf(text + at, XP_FLOAT_TEXT - at, "%.*s.%s", exponent + 1,
				       digits, digits + exponent + 1);
	} else {
		at += (size_t)snprintf(text + at, XP_FLOAT_TEXT - at, "%s%.*s.0", digits,
				       exponent + 1 - count, "0000000000000000");
	}
	return at;
}

/* ---- integer to float ---------------------------------------------------------------- */

int xp_datum_to_double(const struct xp_datum *value, double *ret_value)
{
	if (value->kind == XP_DATUM_FLOAT) {
		*ret_value = value->real;
		return 0;
	}
	if (!xp_datum_is_integer(value))
		return -EINVAL;
	if (value->kind != XP_DATUM_BIGINT) {
		*ret_value = (double)value->integer;
		return 0;
	}
	if (value->size > 129) /* 1024 bits and a sign: beyond any double */
		return -ERANGE;

	uint32_t limb[34];
	size_t used = magnitude(value, limb, 34);
	/* The top 64 bits, the lowest of which says whether anything below it is not zero: then the
	 * conversion to 53 bits rounds to nearest even, as if it had seen them all. */
	int spare = __builtin_clz(limb[used - 1]);
	uint64_t top = 0, sticky = 0;
	int bits = (int)used * 32 - spare;
	for (int i = 0; i < bits; i++) {
		int position = bits - 1 - i;
		uint64_t bit = limb[position / 32] >> position % 32 & 1;
		if (i < 64)
			top = top << 1 | bit;
		else
			sticky |= bit;
	}
	double result = bits >= 64 ? ldexp((double)(top | sticky), bits - 64) : (double)top;
	if (isinf(result))
		return -ERANGE;
	*ret_value = (unsigned char)value->bytes[value->size - 1] >= 0x80 ? -result : result;
	return 0;
}
