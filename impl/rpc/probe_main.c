/* SPDX-License-Identifier: MIT */
/*
 * rpc_probe - the codec and the semantics of datums, one question a line, for tests in Python
 *
 * Pickles are in hexadecimal; PYTHON and PROTOCOL are those of the dialect to answer in.
 *   encode PYTHON PROTOCOL PICKLE    the pickle, decoded and encoded again
 *   repr PYTHON PICKLE               repr() in hexadecimal; likewise str
 *   equal PICKLE PICKLE              0 or 1; likewise less
 *   hash PICKLE PICKLE               0 or 1: whether the hashes agree
 * The answer is one line: "ok ..." or "error ...".
 */
#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_repr.h"
#include "xpshare/rpc/pickle.h"

#include <stdio.h>
#include <stdlib.h>

struct probe {
	struct xp_datum_arena arena;
	struct xp_pickle_reader reader;
	struct xp_pickle_writer writer;
};

/* In place. Return: the size. */
static size_t unhex(char *text)
{
	size_t size = strlen(text) / 2;

	for (size_t i = 0; i < size; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], 0};
		text[i] = (char)strtoul(pair, NULL, 16);
	}
	return size;
}

static void answer_hex(const char *bytes, size_t size)
{
	printf("ok ");
	for (size_t i = 0; i < size; i++)
		printf("%02x", (unsigned char)bytes[i]);
	printf("\n");
}

static void answer_error(int rc, const char *text)
{
	printf("error %s %s\n", strerrorname_np(-rc), text);
}

static struct xp_datum *take_value(struct probe *probe, char **rest, unsigned python)
{
	struct xp_datum *value = NULL;
	char *text = strsep(rest, " ");
	size_t size = unhex(text);
	int rc = xp_pickle_read(&probe->reader, &probe->arena, text, size,
				XP_PICKLE_BORROW | (python == 2 ? XP_PICKLE_PYTHON2 : 0), &value);

	if (rc < 0)
		answer_error(rc, probe->reader.error.text);
	return rc < 0 ? NULL : value;
}

static unsigned take_number(char **rest)
{
	return (unsigned)strtoul(strsep(rest, " "), NULL, 10);
}

static void encode(struct probe *probe, char *rest)
{
	struct xp_dialect dialect = {.python = (uint8_t)take_number(&rest)};

	dialect.protocol = (uint8_t)take_number(&rest);
	struct xp_datum *value = take_value(probe, &rest, dialect.python);
	if (!value)
		return;
	int rc = xp_pickle_write(&probe->writer, value, dialect, 0, 0);
	if (rc < 0)
		answer_error(rc, probe->writer.error.text);
	else
		answer_hex(probe->writer.parts[0].iov_base, probe->writer.size);
}

static void represent(struct probe *probe, char *rest, bool repr)
{
	unsigned python = take_number(&rest);
	struct xp_datum *value = take_value(probe, &rest, python), *text;

	if (!value)
		return;
	int rc = repr ? xp_datum_repr(&probe->arena, value, python, &text)
		      : xp_datum_to_str(&probe->arena, value, python, &text);
	if (rc < 0)
		answer_error(rc, "");
	else
		answer_hex(text->bytes, text->size);
}

static void compare(struct probe *probe, char *rest, char what)
{
	struct xp_datum *a = take_value(probe, &rest, 3);
	struct xp_datum *b = a ? take_value(probe, &rest, 3) : NULL;
	const struct xp_datum *culprits[2] = {NULL, NULL};
	char names[2][64];
	int rc;

	if (!b)
		return;
	if (what == 'h') {
		uint64_t hashes[2];
		rc = xp_datum_hash(a, &hashes[0], culprits);
		if (rc == 0)
			rc = xp_datum_hash(b, &hashes[1], culprits);
		if (rc == 0)
			rc = hashes[0] == hashes[1];
	} else {
		rc = what == 'e' ? xp_datum_equal(a, b) : xp_datum_less(a, b, culprits);
	}
	if (rc >= 0)
		printf("ok %d\n", rc);
	else if (rc == -EINVAL)
		printf("error unhashable type: '%s'\n",
		       xp_datum_type_name(culprits[0], names[0], sizeof(names[0])));
	else if (rc == -ENOTSUP)
		printf("error '<' not supported between instances of '%s' and '%s'\n",
		       xp_datum_type_name(culprits[0], names[0], sizeof(names[0])),
		       xp_datum_type_name(culprits[1], names[1], sizeof(names[1])));
	else
		answer_error(rc, "");
}

int main(void)
{
	struct probe probe;
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	xp_datum_arena_init(&probe.arena, 0);
	xp_pickle_reader_init(&probe.reader, NULL);
	xp_pickle_writer_init(&probe.writer, 0, 0);
	while ((size = getline(&line, &room, stdin)) > 0) {
		line[size - 1] = 0;
		char *rest = line;
		const char *verb = strsep(&rest, " ");
		if (rest && !strcmp(verb, "encode"))
			encode(&probe, rest);
		else if (rest && (!strcmp(verb, "repr") || !strcmp(verb, "str")))
			represent(&probe, rest, verb[0] == 'r');
		else if (rest &&
			 (!strcmp(verb, "equal") || !strcmp(verb, "less") || !strcmp(verb, "hash")))
			compare(&probe, rest, verb[0]);
		else
			printf("error usage\n");
		fflush(stdout);
		xp_datum_arena_reset(&probe.arena);
	}
	free(line);
	xp_datum_arena_fini(&probe.arena);
	xp_pickle_reader_fini(&probe.reader);
	xp_pickle_writer_fini(&probe.writer);
	return 0;
}
