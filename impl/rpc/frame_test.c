/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/frame.h"

#include <criterion/criterion.h>
#include <string.h>

static struct xp_frame_buffer buffer;

static void feed(const void *bytes, size_t size)
{
	char *at;
	size_t room;

	cr_assert_eq(xp_frame_buffer_space(&buffer, &at, &room), 0);
	cr_assert_leq(size, room);
	memcpy(at, bytes, size);
	xp_frame_buffer_received(&buffer, size);
}

static void end(void)
{
	xp_frame_buffer_fini(&buffer);
}

TestSuite(frame, .fini = end);

Test(frame, both_forms_of_the_header_are_written_and_understood)
{
	static const uint64_t sizes[] = {0,	     1,		 0x12345678,
					 0x7fffffff, 0x80000000, UINT64_C(1) << 40};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned char header[XP_FRAME_HEADER_MAX];
		size_t length = xp_frame_header(sizes[i], header), got_header, got_size;
		cr_expect_eq(length, sizes[i] > 0x7fffffff ? 12 : 4);
		cr_expect_eq(xp_frame_parse(header, length, UINT64_MAX, &got_header, &got_size),
			     sizes[i] == 0);
		cr_expect_eq(got_header, length);
		cr_expect_eq(got_size, sizes[i]);
		for (size_t torn = 0; torn < length; torn++) {
			cr_expect_eq(
			    xp_frame_parse(header, torn, UINT64_MAX, &got_header, &got_size), 0);
			cr_expect_eq(got_header, 0);
		}
	}
}

Test(frame, a_length_above_the_limit_or_below_zero_is_refused_at_once)
{
	static const unsigned char largest[12] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
						  0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	size_t header, size;

	cr_expect_eq(xp_frame_parse("\x7f\xff\xff\xff", 4, 1 << 20, &header, &size), -EMSGSIZE);
	cr_expect_eq(xp_frame_parse("\x00\x00\x01\x01", 4, 256, &header, &size), -EMSGSIZE);
	cr_expect_eq(xp_frame_parse("\x00\x00\x01\x00", 4, 256, &header, &size), 0);
	cr_expect_eq(xp_frame_parse("\xff\xff\xff\xfe", 4, 1 << 20, &header, &size), -EPROTO);
	cr_expect_eq(xp_frame_parse("\x80\x00\x00\x00", 4, 1 << 20, &header, &size), -EPROTO);
	cr_expect_eq(xp_frame_parse(largest, 12, UINT64_MAX, &header, &size), -EMSGSIZE);
}

Test(frame, the_header_goes_right_before_the_payload)
{
	char block[XP_FRAME_HEADER_MAX + 4] = "____________abc";

	char *frame = xp_frame_seal(block + XP_FRAME_HEADER_MAX, 3);
	cr_expect_eq(frame, block + 8);
	cr_expect_eq(memcmp(frame, "\0\0\0\3abc", 7), 0);
}

Test(frame, many_frames_in_one_read_come_out_one_by_one)
{
	char *payload;
	size_t size;

	feed("\0\0\0\1a\0\0\0\0\0\0\0\2bc\0\0", 17);
	cr_assert_eq(xp_frame_buffer_next(&buffer, 100, &payload, &size), 1);
	cr_expect(size == 1 && payload[0] == 'a');
	cr_assert_eq(xp_frame_buffer_next(&buffer, 100, &payload, &size), 1);
	cr_expect(size == 0);
	cr_assert_eq(xp_frame_buffer_next(&buffer, 100, &payload, &size), 1);
	cr_expect(size == 2 && !memcmp(payload, "bc", 2));
	cr_expect_eq(xp_frame_buffer_next(&buffer, 100, &payload, &size), 0);
	cr_expect_eq(xp_frame_buffer_pending(&buffer), 2);
}

Test(frame, a_frame_over_many_reads_comes_out_whole)
{
	enum { SIZE = 300000 };
	static char message[XP_FRAME_HEADER_MAX + SIZE];
	char *payload = NULL;
	size_t size = 0;

	for (size_t i = 0; i < SIZE; i++)
		message[XP_FRAME_HEADER_MAX + i] = (char)(i * 7);
	char *frame = xp_frame_seal(message + XP_FRAME_HEADER_MAX, SIZE);
	size_t left = SIZE + 4;
	for (size_t step = 1; left > 0; step = step % 4099 + 1) {
		size_t now = step < left ? step : left;
		cr_assert_eq(xp_frame_buffer_next(&buffer, SIZE, &payload, &size), 0);
		feed(frame, now);
		frame += now;
		left -= now;
	}
	cr_assert_eq(xp_frame_buffer_next(&buffer, SIZE, &payload, &size), 1);
	cr_expect_eq(size, SIZE);
	cr_expect_eq(memcmp(payload, message + XP_FRAME_HEADER_MAX, SIZE), 0);
	cr_expect_leq(buffer.room, 2 * SIZE + XP_FRAME_READ_MIN);
}

Test(frame, an_announcement_costs_nothing)
{
	char *payload;
	size_t size;

	feed("\x7f\xff\xff\xff only the header and a little came", 30);
	cr_expect_eq(xp_frame_buffer_next(&buffer, UINT64_MAX, &payload, &size), 0);
	cr_expect_leq(buffer.room, 2 * XP_FRAME_READ_MIN);
	cr_expect_eq(xp_frame_buffer_next(&buffer, 1 << 20, &payload, &size), -EMSGSIZE);
	buffer.start = buffer.end;
	xp_frame_buffer_trim(&buffer, 0);
	cr_expect_null(buffer.data);
}
