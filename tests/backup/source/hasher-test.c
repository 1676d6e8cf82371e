#include "config.h"

#include "backup/source/hasher.h"

#include <openssl/evp.h>
#include <string.h>

static GBytes *
content_of(unsigned number)
{
	size_t len = number * 977 % 60000;
	char *bytes = g_malloc(len + 1);

	memset(bytes, (int)number, len);
	return g_bytes_new_take(bytes, len);
}

static void
assert_take(HfHasher *hasher, unsigned number)
{
	g_autoptr(GBytes) content = content_of(number);
	uint8_t sha256[HF_HASHER_BYTES], expected[HF_HASHER_BYTES];

	EVP_Digest(g_bytes_get_data(content, NULL), g_bytes_get_size(content), expected, NULL, EVP_sha256(),
		   NULL);
	hf_hasher_take(hasher, sha256);
	g_assert_true(memcmp(sha256, expected, sizeof expected) == 0);
}

static void
test_digests_come_in_order(void)
{
	g_autoptr(HfHasher) hasher = hf_hasher_new();
	unsigned taken = 0;

	for (unsigned i = 0; i < 2000; i++) {
		g_autoptr(GBytes) content = content_of(i);

		if (hf_hasher_count(hasher) == HF_HASHER_CAPACITY)
			assert_take(hasher, taken++);
		hf_hasher_push(hasher, content);
	}
	while (hf_hasher_count(hasher) > 0)
		assert_take(hasher, taken++);
	g_assert_cmpuint(taken, ==, 2000);
	g_assert_cmpuint(hf_hasher_bytes(hasher), ==, 0);
}

static void
test_free_with_contents_inside(void)
{
	g_autoptr(HfHasher) hasher = hf_hasher_new();

	for (unsigned i = 0; i < HF_HASHER_CAPACITY; i++) {
		g_autoptr(GBytes) content = content_of(i);

		hf_hasher_push(hasher, content);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hasher/digests-come-in-order", test_digests_come_in_order);
	g_test_add_func("/hasher/free-with-contents-inside", test_free_with_contents_inside);
	return g_test_run();
}
