#include "config.h"

#include "backup/age/bech32.h"

#include <openssl/crypto.h>
#include <string.h>

enum {
	CHECK_LETTERS = 6,
	LETTER_BITS = 5,
};

/* BIP 173, "Bech32": the letters' values are their places. */
static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* BIP 173, "Checksum": one more value into the remainder. */
static uint32_t
polymod(uint32_t check, uint8_t value)
{
	static const uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = check >> 25;

	check = (check & 0x1ffffff) << LETTER_BITS ^ value;
	for (unsigned i = 0; i < G_N_ELEMENTS(generator); i++)
		if (top >> i & 1)
			check ^= generator[i];
	return check;
}

static uint32_t
polymod_prefix(const char *prefix)
{
	uint32_t check = 1;

	for (const char *at = prefix; *at; at++)
		check = polymod(check, (uint8_t)(*at >> LETTER_BITS));
	check = polymod(check, 0);
	for (const char *at = prefix; *at; at++)
		check = polymod(check, *at & 31);
	return check;
}

char *
hf_bech32_encode(const char *prefix, const uint8_t *data, size_t len)
{
	size_t data_letters = (len * 8 + LETTER_BITS - 1) / LETTER_BITS;
	size_t start = strlen(prefix) + 1;
	char *text = g_malloc(start + data_letters + CHECK_LETTERS + 1);
	uint32_t check = polymod_prefix(prefix);

	memcpy(text, prefix, start - 1);
	text[start - 1] = '1';
	for (size_t i = 0; i < data_letters; i++) {
		size_t bit = i * LETTER_BITS;
		unsigned pair = (unsigned)data[bit / 8] << 8 | (bit / 8 + 1 < len ? data[bit / 8 + 1] : 0);
		uint8_t value = pair >> (16 - LETTER_BITS - bit % 8) & 31;

		check = polymod(check, value);
		text[start + i] = letters[value];
	}
	for (unsigned i = 0; i < CHECK_LETTERS; i++)
		check = polymod(check, 0);
	check ^= 1;
	for (unsigned i = 0; i < CHECK_LETTERS; i++)
		text[start + data_letters + i] =
			letters[check >> (LETTER_BITS * (CHECK_LETTERS - 1 - i)) & 31];
	text[start + data_letters + CHECK_LETTERS] = 0;
	return text;
}

/* Each letter's value, of all of lower; false where one is no letter of ours, or the checksum is wrong. */
static bool
read_letters(const char *lower, uint8_t *values, size_t count, uint32_t check)
{
	for (size_t i = 0; i < count; i++) {
		const char *found = strchr(letters, lower[i]);

		if (!lower[i] || !found)
			return false;
		values[i] = (uint8_t)(found - letters);
		check = polymod(check, values[i]);
	}
	return check == 1;
}

/* Five bits each into bytes; false where the bits that are left over are not zero. */
static bool
pack(const uint8_t *values, size_t count, uint8_t *out, size_t len)
{
	unsigned held = 0;
	unsigned bits = 0;
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		held = (held << LETTER_BITS | values[i]) & 0xfff;
		bits += LETTER_BITS;
		if (bits >= 8 && at < len) {
			bits -= 8;
			out[at++] = (uint8_t)(held >> bits);
		}
	}
	return at == len && bits < LETTER_BITS && (held & ((1U << bits) - 1)) == 0;
}

bool
hf_bech32_decode(const char *text, const char *prefix, uint8_t *data_out, size_t len)
{
	size_t data_letters = (len * 8 + LETTER_BITS - 1) / LETTER_BITS;
	size_t count = data_letters + CHECK_LETTERS;
	size_t start = strlen(prefix) + 1;
	g_autofree char *lower = g_ascii_strdown(text, -1);
	g_autofree char *upper = g_ascii_strup(text, -1);
	g_autofree uint8_t *values = g_malloc0(count);
	bool is_one_case = strcmp(text, lower) == 0 || strcmp(text, upper) == 0;
	bool is_good = is_one_case && strlen(lower) == start + count && g_str_has_prefix(lower, prefix) &&
		       lower[start - 1] == '1' &&
		       read_letters(lower + start, values, count, polymod_prefix(prefix)) &&
		       pack(values, data_letters, data_out, len);

	OPENSSL_cleanse(lower, strlen(lower));
	OPENSSL_cleanse(upper, strlen(upper));
	OPENSSL_cleanse(values, count);
	return is_good;
}
