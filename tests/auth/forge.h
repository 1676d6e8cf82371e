/*
 * tests/auth/forge.h -- tokens of every kind, good and bad, signed with OpenSSL alone.
 */
#pragma once

#include "auth/auth.h"
#include "auth/openssl.h"

/* 2023-11-14T22:13:20Z, which all tests take for now. */
#define NOW_S INT64_C(1700000000)
#define SECRET "0123456789abcdef0123456789abcdef"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define ADMIN "{\"sub\":\"u1\",\"role\":\"admin\",\"exp\":1700003600}"

/* All of these: g_free() the result.  The texts are taken as they are, JSON or not. */
char *forge_unsigned(const char *header, const char *payload); /* with the dot, without a signature */
char *forge_hs(const char *header, const char *payload, const void *key, size_t len, const EVP_MD *md);
char *forge_pkey(const char *header, const char *payload, EVP_PKEY *pkey, const EVP_MD *md);

/* The token that every test's settings accept, but for the one thing that it looks at. */
char *forge_admin(void);

/* A file of its own, removed when it goes out of scope. */
typedef struct {
	char *path;
} ForgedFile;

ForgedFile forge_file(const char *text);
ForgedFile forge_public_pem(EVP_PKEY *pkey);
ForgedFile forge_private_pem(EVP_PKEY *pkey);
void forged_file_clear(ForgedFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ForgedFile, forged_file_clear)

/* From NAME=VALUE strings; fails the test where it cannot be. */
HfAuth *forge_auth(const char *const *environment);

/* The same where it must be refused: USAGE, with these words. */
void assert_no_auth(const char *const *environment, const char *words);

/* The verdict on a token. */
void assert_admitted(HfAuth *auth, const char *token, const char *subject);
void assert_refused(HfAuth *auth, const char *token, HfAuthRefusal refusal, const char *words);
