/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the reader and the writer of pickles, and all that a server does with a value.
 *
 * The first byte chooses how to read and what to answer in. Whatever is read must survive being kept,
 * measured, printed, hashed and compared, and what is written of it must be read again.
 */
#include "xpshare/base/err.h"
#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_repr.h"
#include "xpshare/rpc/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xp_dialect dialects[] = {{2, 2}, {3, 2}, {3, 3}, {3, 4}, {3, 5}};

/* Small enough for a fuzzer, so that the limits are met too. */
static const struct xp_pickle_limits limits = {.nodes = 20000, .depth = 200, .memo = 5000};

static void use(struct xp_datum_arena *arena, const struct xp_datum *value)
{
	const struct xp_datum *culprits[2];
	struct xp_datum *text;
	uint64_t hash;
	int rc;

	rc = xp_datum_repr(arena, value, 3, &text);
	xp_assert(rc == 0 || rc == -ELOOP || rc == -EMSGSIZE || rc == -ENOMEM);
	rc = xp_datum_to_str(arena, value, 2, &text);
	xp_assert(rc == 0 || rc == -ELOOP || rc == -EMSGSIZE || rc == -ENOMEM);
	rc = xp_datum_hash(value, &hash, culprits);
	xp_assert(rc == 0 || rc == -EINVAL || rc == -ELOOP || rc == -E2BIG);
	xp_assert(xp_datum_equal(value, value) == 1);
	rc = xp_datum_less(value, value, culprits);
	xp_assert(rc <= 0);
	(void)xp_datum_truth(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xp_pickle_reader reader;
	struct xp_pickle_writer writer;
	struct xp_datum_arena arena;
	struct xp_datum_box *box;
	struct xp_datum *value;

	if (size < 1)
		return 0;
	struct xp_dialect dialect = dialects[data[0] % 5];
	unsigned flags = data[0] & 0x80 ? XP_PICKLE_BORROW : 0;
	xp_pickle_reader_init(&reader, &limits);
	xp_pickle_writer_init(&writer, 4 << 20, 300);
	xp_datum_arena_init(&arena, 64 << 20);
	if (xp_pickle_read(&reader, &arena, data + 1, size - 1, flags, &value) < 0) {
		xp_assert(reader.error.text[0] && reader.error.offset <= size);
		goto out;
	}
	use(&arena, value);
	if (xp_datum_retain(value, &box) == 0) {
		const struct xp_datum *kept = xp_datum_box_value(box);
		xp_assert(xp_datum_depth(kept, 200) == xp_datum_depth(value, 200));
		int rc = xp_datum_equal(kept, value);
		xp_assert(rc != 0 || reader.error.text[0] == 0); /* a NaN differs from its copy */
		if (xp_pickle_write(&writer, kept, dialect, 12,
				    data[0] & 0x40 ? XP_PICKLE_PARTS : 0) == 0 &&
		    writer.part_count == 1) {
			const char *bytes = (const char *)writer.parts[0].iov_base + 12;
			rc = xp_pickle_read(&reader, &arena, bytes, writer.size, 0, &value);
			xp_assert(rc == 0 || rc == -EMSGSIZE || rc == -ENOMEM);
		} else {
			xp_assert(writer.part_count > 0 || writer.error.text[0]);
		}
		xp_datum_box_unref(box);
	}
out:
	xp_datum_arena_fini(&arena);
	xp_pickle_writer_fini(&writer);
	xp_pickle_reader_fini(&reader);
	return 0;
}
