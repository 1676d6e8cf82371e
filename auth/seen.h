/*
 * auth/seen.h -- the tokens whose signature was found good of late.
 *
 * An administrator's page comes with the same token again and again, and to check an RS256 or ES256 signature takes libjwt
 * most of a millisecond, since it reads the key from its text each time.  What is kept is the SHA-256 of the whole token;
 * times and claims are looked at each time all the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HF_SEEN_MAX 64
#define HF_SEEN_DIGEST_BYTES 32

/* Zero is empty. */
typedef struct {
	unsigned char digests[HF_SEEN_MAX][HF_SEEN_DIGEST_BYTES];
	size_t count, next;
} HfSeen;

bool hf_seen_has(const HfSeen *seen, const char *token);

/* The oldest one goes where there are too many. */
void hf_seen_add(HfSeen *seen, const char *token);

/* Where keys may have been taken back. */
void hf_seen_clear(HfSeen *seen);
