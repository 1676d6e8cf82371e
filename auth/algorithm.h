/*
 * auth/algorithm.h -- the signature algorithms that are accepted (RFC 7518 section 3.1), and the kind of key that each
 * is tied to.  "none" is not among them.
 */
#pragma once

#include <glib.h>
#include <jwt.h>
#include <stdbool.h>

typedef enum {
	HF_KEY_SECRET, /* HS: a shared secret */
	HF_KEY_RSA,
	HF_KEY_EC,
} HfKeyType;

typedef struct {
	const char *name; /* "HS256" */
	jwt_alg_t jwt;
	HfKeyType type;
	int curve; /* OpenSSL's NID; 0 where type is not HF_KEY_EC */
} HfAlgorithm;

/* A set of algorithms: bit n is the nth of the table.  0 stands for all of them. */
typedef unsigned HfAlgorithms;

/* NULL where it is none of ours; names are matched to the letter. */
const HfAlgorithm *hf_algorithm_find(const char *name);

bool hf_algorithm_is_in(const HfAlgorithm *algorithm, HfAlgorithms algorithms);

/* True where a key of this type, and on this curve, may be used with the algorithm. */
bool hf_algorithm_fits(const HfAlgorithm *algorithm, HfKeyType type, int curve);

/* The first of algorithms that such a key may be used with; NULL where there is none. */
const HfAlgorithm *hf_algorithm_first(HfAlgorithms algorithms, HfKeyType type, int curve);

/* Parses JWT_ALGORITHMS, names separated by commas; NULL gives all.  USAGE names what is wrong. */
bool hf_algorithms_parse(const char *text, HfAlgorithms *algorithms_out,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;
