/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/show_main.h"

#include "xpshare/manager/proxy.h"

#include "xpshare/base/clock.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LABEL_MAX 128
#define LABEL_PAD 40

/* ---- as JSON ----------------------------------------------------------------------------------- */

static json_t *json_of(const struct xp_datum *value)
{
	int64_t number;

	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_DICT: {
		json_t *object = json_object();

		for (size_t i = 0; i < value->count; i++) {
			const struct xp_datum *key = value->items[2 * i];
			char name[LABEL_MAX];

			if (!xp_datum_is(key, XP_DATUM_STR))
				continue;
			snprintf(name, sizeof(name), "%.*s", (int)key->size, key->bytes);
			json_object_set_new(object, name, json_of(value->items[2 * i + 1]));
		}
		return object;
	}
	case XP_DATUM_BOOL:
		return json_boolean(value->integer);
	case XP_DATUM_FLOAT:
		return json_real(value->real);
	case XP_DATUM_STR:
		return json_stringn(value->bytes, value->size);
	default:
		return xp_datum_to_int64(value, &number) == 0 ? json_integer(number) : json_null();
	}
}

static int print_json(const struct xp_datum *stats)
{
	json_t *object = json_of(stats);
	int rc = json_dumpf(object, stdout, JSON_INDENT(2));

	json_decref(object);
	putchar('\n');
	return rc;
}

/* ---- as a table -------------------------------------------------------------------------------- */

/* A number with the largest unit that leaves at least one of it. */
static void print_scaled(double number, const char *const *units, const double *factors)
{
	int i = 0;

	while (units[i + 1] && number >= factors[i])
		number /= factors[i++];
	printf(i == 0 ? "%.0f %s" : "%.1f %s", number, units[i]);
}

static bool ends_with(const char *name, const char *end)
{
	size_t size = strlen(name);

	return size > strlen(end) && !strcmp(name + size - strlen(end), end);
}

static void print_value(const char *name, const struct xp_datum *value)
{
	static const char *const times[] = {"ns", "us", "ms", "s", NULL};
	static const double time_factors[] = {1000, 1000, 1000};
	static const char *const spans[] = {"s", "min", "h", "days", NULL};
	static const double span_factors[] = {60, 60, 24};
	static const char *const sizes[] = {"B", "KiB", "MiB", "GiB", "TiB", NULL};
	static const double size_factors[] = {1024, 1024, 1024, 1024};
	double number = 0;

	if (xp_datum_is(value, XP_DATUM_STR))
		printf("%.*s", (int)value->size, value->bytes);
	else if (xp_datum_to_double(value, &number) < 0)
		fputs("unknown", stdout);
	else if (ends_with(name, "_ns"))
		print_scaled(number, times, time_factors);
	else if (ends_with(name, "_bytes"))
		print_scaled(number, sizes, size_factors);
	else if (ends_with(name, "_s"))
		print_scaled(number, spans, span_factors);
	else
		printf("%.0f", number);
}

/* The unit is told by the value. */
static int label_size(const char *name)
{
	static const char *const units[] = {"_ns", "_bytes", "_s"};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ends_with(name, units[i]))
			return (int)(strlen(name) - strlen(units[i]));
	}
	return (int)strlen(name);
}

/* The rows of @dict, and of the dicts in it, by the path that leads to them. */
static void print_rows(const char *path, const struct xp_datum *dict)
{
	for (size_t i = 0; i < dict->count; i++) {
		const struct xp_datum *key = dict->items[2 * i];
		const struct xp_datum *value = dict->items[2 * i + 1];
		char name[LABEL_MAX];

		if (!xp_datum_is(key, XP_DATUM_STR))
			continue;
		snprintf(name, sizeof(name), "%s%s%.*s", path, *path ? "." : "", (int)key->size,
			 key->bytes);
		if (xp_datum_is(value, XP_DATUM_DICT)) {
			print_rows(name, value);
			continue;
		}
		printf("  %-*.*s", LABEL_PAD, label_size(name), name);
		print_value(name, value);
		putchar('\n');
	}
}

static void print_table(const struct xp_datum *stats)
{
	for (size_t i = 0; i < stats->count; i++) {
		const struct xp_datum *key = stats->items[2 * i];
		const struct xp_datum *value = stats->items[2 * i + 1];

		if (!xp_datum_is(key, XP_DATUM_STR) || !xp_datum_is(value, XP_DATUM_DICT))
			continue;
		printf("%.*s\n", (int)key->size, key->bytes);
		print_rows("", value);
	}
}

/* ---- asking ------------------------------------------------------------------------------------ */

static const char *words_for(int rc)
{
	switch (rc) {
	case -EUSERS:
		return "it has no place for another client";
	case -EACCES:
		return "it refuses the key, or this user";
	case -ETIMEDOUT:
		return "it does not answer";
	case -ECONNRESET:
		return "nobody listens, or the manager has gone";
	default:
		return strerror(-rc);
	}
}

int xp_show_stats(const struct xp_address *address, const void *key, size_t key_size, bool json)
{
	const struct xp_manager_plan plan = {.address = address, .key = key, .key_size = key_size};
	struct xp_manager *manager = NULL;
	struct xp_remote_error error;
	const struct xp_datum *stats;
	char text[XP_ADDRESS_TEXT];
	int rc = xp_manager_connect(&plan, &manager);

	if (rc == 0)
		rc = xp_manager_call(manager, "stats", 0, NULL, &stats, &error);
	if (rc == 0 && !xp_datum_is(stats, XP_DATUM_DICT))
		rc = -EPROTO;
	if (rc == 0) {
		if (json)
			rc = print_json(stats) < 0 ? -EIO : 0;
		else
			print_table(stats);
		if (rc == 0 && fflush(stdout) != 0)
			rc = -errno;
	}
	if (rc < 0) {
		xp_address_format(address, text, sizeof(text));
		fprintf(stderr, "xpmanager: %s: %s\n", text,
			rc == -EREMOTEIO ? error.text : words_for(rc));
	}
	xp_manager_close(manager);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
