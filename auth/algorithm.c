#include "config.h"

#include "auth/algorithm.h"
#include "common/error.h"

#include <openssl/obj_mac.h>
#include <string.h>

static const HfAlgorithm table[] = {
	{"HS256", JWT_ALG_HS256, HF_KEY_SECRET, 0},
	{"HS384", JWT_ALG_HS384, HF_KEY_SECRET, 0},
	{"HS512", JWT_ALG_HS512, HF_KEY_SECRET, 0},
	{"RS256", JWT_ALG_RS256, HF_KEY_RSA, 0},
	{"RS384", JWT_ALG_RS384, HF_KEY_RSA, 0},
	{"RS512", JWT_ALG_RS512, HF_KEY_RSA, 0},
	{"ES256", JWT_ALG_ES256, HF_KEY_EC, NID_X9_62_prime256v1},
	{"ES384", JWT_ALG_ES384, HF_KEY_EC, NID_secp384r1},
	{"ES512", JWT_ALG_ES512, HF_KEY_EC, NID_secp521r1},
};

const HfAlgorithm *
hf_algorithm_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (strcmp(name, table[i].name) == 0)
			return &table[i];
	return NULL;
}

bool
hf_algorithm_is_in(const HfAlgorithm *algorithm, HfAlgorithms algorithms)
{
	return algorithms == 0 || (algorithms & (1U << (algorithm - table))) != 0;
}

bool
hf_algorithm_fits(const HfAlgorithm *algorithm, HfKeyType type, int curve)
{
	return algorithm->type == type && algorithm->curve == curve;
}

const HfAlgorithm *
hf_algorithm_first(HfAlgorithms algorithms, HfKeyType type, int curve)
{
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (hf_algorithm_fits(&table[i], type, curve) && hf_algorithm_is_in(&table[i], algorithms))
			return &table[i];
	return NULL;
}

bool
hf_algorithms_parse(const char *text, HfAlgorithms *algorithms_out, GError **error)
{
	g_auto(GStrv) names = g_strsplit(text ? text : "", ",", -1);
	HfAlgorithms algorithms = 0;

	for (char **name = names; *name; name++) {
		const HfAlgorithm *algorithm;

		g_strstrip(*name);
		if (!**name)
			continue;
		algorithm = hf_algorithm_find(*name);
		if (!algorithm)
			return hf_error_set(
				error, HF_ERROR_USAGE,
				"JWT_ALGORITHMS: \"%s\" is not one of HS256, HS384, HS512, RS256, "
				"RS384, RS512, ES256, ES384, ES512",
				*name);
		algorithms |= 1U << (algorithm - table);
	}
	if (text && algorithms == 0)
		return hf_error_set(error, HF_ERROR_USAGE, "JWT_ALGORITHMS \"%s\" names none", text);
	*algorithms_out = algorithms;
	return true;
}
