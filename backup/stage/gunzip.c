/*
 * Memory: OUT_BYTES, and some 90 KiB of the decoder's.  A small file that unpacks into a very large one costs time alone.
 *
 * gzip(1) takes zeros behind the last member for a tape's padding, with a warning; here they are CORRUPT like any other
 * bytes, since nothing that we wrote ends in them.
 */
#include "config.h"

#include "backup/stage/deflate.h"
#include "backup/stage/gzip.h"
#include "backup/stage/inflate.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

enum {
	/* ISA-L copies its window of 32 KiB for each buffer that it fills: a few per cent of this. */
	OUT_BYTES = 256 * 1024,
	HEADER_BYTES = 10,
	TRAILER_BYTES = 8,
	METHOD_DEFLATE = 8,
};

/* RFC 1952 section 2.3.1 */
enum {
	FLAG_HCRC = 1 << 1,
	FLAG_EXTRA = 1 << 2,
	FLAG_NAME = 1 << 3,
	FLAG_COMMENT = 1 << 4,
	FLAGS_RESERVED = 0xe0,
};

/* The parts of a member, in their order (RFC 1952 section 2.3); those of the header that a flag announces may be absent. */
typedef enum {
	PART_HEADER,
	PART_EXTRA_LEN,
	PART_EXTRA,
	PART_NAME,
	PART_COMMENT,
	PART_HCRC,
	PART_BODY,
	PART_TRAILER,
} Part;

typedef struct {
	HfStage stage;
	HfInflate *inflate;
	uint8_t *out;
	uint64_t offset;  /* of the next packed byte */
	uint64_t members; /* that were read to their end */
	Part part;
	uint8_t flags;
	uint8_t field[HEADER_BYTES]; /* the bytes of this part that came */
	size_t field_bytes;
	uint32_t extra_left;
	uint32_t header_crc;
	uint32_t plain_bytes; /* of this member, modulo 2^32 (ISIZE) */
} Gunzip;

static bool
corrupt(const Gunzip *gunzip, const char *what, GError **error)
{
	return hf_error_set(error, HF_ERROR_CORRUPT, "gzip stream, byte %" G_GUINT64_FORMAT ": %s",
			    gunzip->offset, what);
}

static uint32_t
get_le(const uint8_t *bytes, size_t count)
{
	uint32_t value = 0;

	for (size_t i = 0; i < count; i++)
		value |= (uint32_t)bytes[i] << (8 * i);
	return value;
}

/* Goes to the next part that this member has. */
static void
begin_next_part(Gunzip *gunzip)
{
	static const uint8_t needed[] = {
		[PART_EXTRA_LEN] = FLAG_EXTRA, [PART_EXTRA] = FLAG_EXTRA, [PART_NAME] = FLAG_NAME,
		[PART_COMMENT] = FLAG_COMMENT, [PART_HCRC] = FLAG_HCRC,
	};

	gunzip->field_bytes = 0;
	do
		gunzip->part++;
	while (gunzip->part < PART_BODY && (!(gunzip->flags & needed[gunzip->part]) ||
					    (gunzip->part == PART_EXTRA && gunzip->extra_left == 0)));
	if (gunzip->part == PART_BODY) {
		gunzip->plain_bytes = 0;
		hf_inflate_reset(gunzip->inflate);
	}
}

static bool
check_header_byte(const Gunzip *gunzip, size_t index, GError **error)
{
	static const uint8_t magic[] = {0x1f, 0x8b};
	uint8_t byte = gunzip->field[index];

	if (index < sizeof magic && byte != magic[index])
		return corrupt(gunzip,
			       gunzip->members > 0 ? "what follows the last member is no gzip member"
						   : "this is no gzip file",
			       error);
	if (index == 2 && byte != METHOD_DEFLATE)
		return corrupt(gunzip, "the compression method is not deflate", error);
	if (index == 3 && (byte & FLAGS_RESERVED))
		return corrupt(gunzip, "the header has flags that are reserved", error);
	return true;
}

static bool
check_trailer(const Gunzip *gunzip, GError **error)
{
	if (get_le(gunzip->field, 4) != hf_inflate_crc32(gunzip->inflate))
		return corrupt(gunzip, "the checksum of the unpacked bytes is wrong", error);
	if (get_le(gunzip->field + 4, 4) != gunzip->plain_bytes)
		return corrupt(gunzip, "the number of unpacked bytes is wrong", error);
	return true;
}

/* Takes a byte of a part with a fixed size; true in *is_whole_out with its last. */
static void
gather(Gunzip *gunzip, uint8_t byte, size_t size, bool *is_whole_out)
{
	gunzip->field[gunzip->field_bytes++] = byte;
	*is_whole_out = gunzip->field_bytes == size;
}

/* Takes one byte of the header's optional parts. */
static bool
take_optional_byte(Gunzip *gunzip, uint8_t byte, bool *is_whole_out, GError **error)
{
	switch (gunzip->part) {
	case PART_EXTRA_LEN:
		gather(gunzip, byte, 2, is_whole_out);
		gunzip->extra_left = get_le(gunzip->field, gunzip->field_bytes);
		return true;
	case PART_EXTRA:
		*is_whole_out = --gunzip->extra_left == 0;
		return true;
	case PART_NAME:
	case PART_COMMENT:
		*is_whole_out = byte == 0;
		return true;
	case PART_HCRC:
		gather(gunzip, byte, 2, is_whole_out);
		if (*is_whole_out && get_le(gunzip->field, 2) != (gunzip->header_crc & 0xffff))
			return corrupt(gunzip, "the checksum of the header is wrong", error);
		return true;
	case PART_HEADER:
	case PART_BODY:
	case PART_TRAILER:
		break;
	}
	g_assert_not_reached();
}

static bool
take_header_byte(Gunzip *gunzip, uint8_t byte, GError **error)
{
	bool is_whole = false;

	if (gunzip->part == PART_HEADER) {
		gather(gunzip, byte, HEADER_BYTES, &is_whole);
		if (!check_header_byte(gunzip, gunzip->field_bytes - 1, error))
			return false;
		gunzip->flags = gunzip->field[3];
		if (gunzip->field_bytes == 1)
			gunzip->header_crc = 0;
	} else if (!take_optional_byte(gunzip, byte, &is_whole, error)) {
		return false;
	}
	if (gunzip->part != PART_HCRC)
		gunzip->header_crc = hf_deflate_crc32(gunzip->header_crc, &byte, 1);
	gunzip->offset++;
	if (is_whole)
		begin_next_part(gunzip);
	return true;
}

static bool
take_trailer_byte(Gunzip *gunzip, uint8_t byte, GError **error)
{
	bool is_whole;

	gather(gunzip, byte, TRAILER_BYTES, &is_whole);
	if (is_whole && !check_trailer(gunzip, error))
		return false;
	gunzip->offset++;
	if (is_whole) {
		gunzip->members++;
		gunzip->field_bytes = 0;
		gunzip->part = PART_HEADER;
	}
	return true;
}

/* The body is over.  What the decoder read ahead is of the trailer: there are never more bytes than it has. */
static bool
begin_trailer(Gunzip *gunzip, GError **error)
{
	uint8_t ahead[HF_INFLATE_AHEAD_MAX];
	size_t count = hf_inflate_read_ahead(gunzip->inflate, ahead);

	G_STATIC_ASSERT(HF_INFLATE_AHEAD_MAX <= TRAILER_BYTES);
	begin_next_part(gunzip);
	gunzip->offset -= count;
	for (size_t i = 0; i < count; i++)
		if (!take_trailer_byte(gunzip, ahead[i], error))
			return false;
	return true;
}

/* Unpacks from *at until the bytes or the body are at their end. */
static bool
take_body(Gunzip *gunzip, const uint8_t **at, const uint8_t *end, GError **error)
{
	HfInflateIo io = {.in = *at, .in_bytes = (size_t)(end - *at)};
	HfInflateState state;

	do {
		size_t made;

		io.out = gunzip->out;
		io.out_bytes = OUT_BYTES;
		state = hf_inflate_step(gunzip->inflate, &io);
		gunzip->offset += (uint64_t)(io.in - *at);
		*at = io.in;
		if (state == HF_INFLATE_DAMAGED)
			return corrupt(gunzip, "the packed bytes are damaged", error);
		made = OUT_BYTES - io.out_bytes;
		gunzip->plain_bytes += (uint32_t)made;
		if (!hf_stage_emit(&gunzip->stage, gunzip->out, made, error))
			return false;
	} while (state == HF_INFLATE_GOING && (io.in_bytes > 0 || io.out_bytes == 0));
	return state == HF_INFLATE_GOING || begin_trailer(gunzip, error);
}

static bool
gunzip_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Gunzip *gunzip = (Gunzip *)self;
	const uint8_t *at = buf;
	const uint8_t *end = at + len;

	while (at < end) {
		bool is_taken;

		if (gunzip->part == PART_BODY)
			is_taken = take_body(gunzip, &at, end, error);
		else if (gunzip->part == PART_TRAILER)
			is_taken = take_trailer_byte(gunzip, *at++, error);
		else
			is_taken = take_header_byte(gunzip, *at++, error);
		if (!is_taken)
			return false;
	}
	return true;
}

static bool
gunzip_finish(HfStage *self, GError **error)
{
	Gunzip *gunzip = (Gunzip *)self;

	if (gunzip->part != PART_HEADER || gunzip->field_bytes > 0)
		return corrupt(gunzip, "the stream ends inside a member: it was cut", error);
	return gunzip->members > 0 || corrupt(gunzip, "the stream is empty: it was cut", error);
}

static void
gunzip_clear(HfStage *self)
{
	Gunzip *gunzip = (Gunzip *)self;

	hf_inflate_free(gunzip->inflate);
	g_free(gunzip->out);
}

static const HfStageOps gunzip_ops = {
	.name = "gunzip",
	.write = gunzip_write,
	.finish = gunzip_finish,
	.clear = gunzip_clear,
};

HfStage *
hf_gunzip_new(HfStage *next)
{
	Gunzip *gunzip = g_new0(Gunzip, 1);

	hf_stage_init(&gunzip->stage, &gunzip_ops, next);
	gunzip->inflate = hf_inflate_new();
	gunzip->out = g_malloc(OUT_BYTES);
	return &gunzip->stage;
}
