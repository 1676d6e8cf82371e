#include "config.h"

#include "backup/age/header.h"
#include "backup/age/base64.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

#define VERSION_LINE "age-encryption.org/v1\n"
#define X25519_LABEL "age-encryption.org/v1/X25519"
#define SCRYPT_LABEL "age-encryption.org/v1/scrypt"
#define HEADER_LABEL "header"
#define CLOSING "---"

enum {
	BODY_COLUMNS =
		64, /* section "Recipient stanza": a body's lines, but for the last, which is shorter */
	SCRYPT_SALT_BYTES = 16,
	MAC_BYTES = 32,
	MAC_LETTERS = 43,
};

/* The wrapping nonce is zero in both kinds: each wrapping key is used once. */
static const uint8_t zero_nonce[HF_AGE_AEAD_NONCE_BYTES];

/* ---- making ---- */

static void
add_text(GByteArray *header, const char *text)
{
	g_byte_array_append(header, (const guint8 *)text, (guint)strlen(text));
}

/* The stanza's second line; 32 bytes are 43 letters, so one line holds it. */
static bool
add_wrapped(GByteArray *header, const HfAgeKey *wrap, const HfAgeFileKey *file_key, GError **error)
{
	uint8_t body[HF_AGE_WRAPPED_BYTES];
	g_autofree char *text = NULL;

	if (!hf_age_seal(wrap, zero_nonce, (HfAgeSpan){file_key->bytes, sizeof file_key->bytes}, body, error))
		return false;
	text = hf_age_base64(body, sizeof body);
	add_text(header, text);
	add_text(header, "\n");
	return true;
}

/* The key that wraps for a recipient: both sides make it of the share and the secret that only they have. */
static bool
x25519_wrap_key(const uint8_t *shared, const uint8_t *share, const uint8_t *recipient, HfAgeKey *wrap,
		GError **error)
{
	uint8_t salt[2 * HF_AGE_KEY_BYTES];

	memcpy(salt, share, HF_AGE_KEY_BYTES);
	memcpy(salt + HF_AGE_KEY_BYTES, recipient, HF_AGE_KEY_BYTES);
	return hf_age_hkdf((HfAgeSpan){shared, HF_AGE_KEY_BYTES}, (HfAgeSpan){salt, sizeof salt},
			   X25519_LABEL, wrap, error);
}

static bool
add_x25519(GByteArray *header, const HfAgeKey *recipient, const HfAgeFileKey *file_key, GError **error)
{
	g_auto(HfAgeKey) secret = {0};
	g_auto(HfAgeKey) shared = {0};
	g_auto(HfAgeKey) wrap = {0};
	uint8_t share[HF_AGE_KEY_BYTES];
	g_autofree char *text = NULL;

	if (!hf_age_random(secret.bytes, sizeof secret.bytes, error) ||
	    !hf_age_x25519(&secret, NULL, share, error) ||
	    !hf_age_x25519(&secret, recipient->bytes, shared.bytes, error) ||
	    !x25519_wrap_key(shared.bytes, share, recipient->bytes, &wrap, error))
		return false;
	text = hf_age_base64(share, sizeof share);
	add_text(header, "-> X25519 ");
	add_text(header, text);
	add_text(header, "\n");
	return add_wrapped(header, &wrap, file_key, error);
}

static bool
scrypt_wrap_key(const HfSecret *passphrase, const uint8_t *salt, unsigned log_n, HfAgeKey *wrap,
		GError **error)
{
	uint8_t labelled[sizeof SCRYPT_LABEL - 1 + SCRYPT_SALT_BYTES];

	memcpy(labelled, SCRYPT_LABEL, sizeof SCRYPT_LABEL - 1);
	memcpy(labelled + sizeof SCRYPT_LABEL - 1, salt, SCRYPT_SALT_BYTES);
	return hf_age_scrypt((HfAgeSpan){hf_secret_bytes(passphrase), hf_secret_len(passphrase)},
			     (HfAgeSpan){labelled, sizeof labelled}, log_n, wrap, error);
}

static bool
add_scrypt(GByteArray *header, const HfSecret *passphrase, const HfAgeFileKey *file_key, GError **error)
{
	g_auto(HfAgeKey) wrap = {0};
	uint8_t salt[SCRYPT_SALT_BYTES];
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;

	if (!hf_age_random(salt, sizeof salt, error) ||
	    !scrypt_wrap_key(passphrase, salt, HF_AGE_LOG_N, &wrap, error))
		return false;
	text = hf_age_base64(salt, sizeof salt);
	line = g_strdup_printf("-> scrypt %s %d\n", text, HF_AGE_LOG_N);
	add_text(header, line);
	return add_wrapped(header, &wrap, file_key, error);
}

/* The MAC of all up to and with the closing's dashes. */
static bool
header_mac(const HfAgeFileKey *file_key, HfAgeSpan covered, uint8_t *mac_out, GError **error)
{
	g_auto(HfAgeKey) key = {0};

	return hf_age_hkdf((HfAgeSpan){file_key->bytes, sizeof file_key->bytes}, (HfAgeSpan){"", 0},
			   HEADER_LABEL, &key, error) &&
	       hf_age_hmac(&key, covered, mac_out, error);
}

bool
hf_age_header_make(const HfAgeRecipients *recipients, HfAgeFileKey *file_key_out, GByteArray *header_out,
		   GError **error)
{
	guint start = header_out->len;
	uint8_t mac[MAC_BYTES];
	g_autofree char *text = NULL;

	if (!hf_age_random(file_key_out->bytes, sizeof file_key_out->bytes, error))
		return false;
	add_text(header_out, VERSION_LINE);
	for (guint i = 0; i < recipients->keys->len; i++)
		if (!add_x25519(header_out, &g_array_index(recipients->keys, HfAgeKey, i), file_key_out,
				error))
			return false;
	if (recipients->passphrase && !add_scrypt(header_out, recipients->passphrase, file_key_out, error))
		return false;
	add_text(header_out, CLOSING);
	if (!header_mac(file_key_out, (HfAgeSpan){header_out->data + start, header_out->len - start}, mac,
			error))
		return false;
	text = hf_age_base64(mac, sizeof mac);
	add_text(header_out, " ");
	add_text(header_out, text);
	add_text(header_out, "\n");
	return true;
}

/* ---- reading ---- */

static bool
bad_header(GError **error, const char *what)
{
	return hf_error_set(error, HF_ERROR_CORRUPT, "the age header %s", what);
}

bool
hf_age_header_find(HfAgeSpan bytes, size_t *len_out, GError **error)
{
	const char *text = bytes.bytes;
	size_t seen = MIN(bytes.len, sizeof VERSION_LINE - 1);
	const char *closing;
	const char *end;

	*len_out = 0;
	if (memcmp(text, VERSION_LINE, seen) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "this is no age file of version 1");
	closing = memmem(text, bytes.len, "\n" CLOSING, sizeof CLOSING);
	end = closing ? memchr(closing + 1, '\n', bytes.len - (size_t)(closing + 1 - text)) : NULL;
	if (end)
		*len_out = (size_t)(end + 1 - text);
	return bytes.len <= HF_AGE_HEADER_MAX || (end && *len_out <= HF_AGE_HEADER_MAX) ||
	       bad_header(error, "is longer than 64 KiB");
}

typedef struct {
	const char *at, *end;
	char **arguments; /* of the stanza that was read last; [0] is its kind */
	GByteArray *body; /* letters, then bytes */
} Reader;

static void
reader_clear(Reader *reader)
{
	g_strfreev(reader->arguments);
	g_byte_array_unref(reader->body);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

/* The next line without its end; NULL where there is none. */
static const char *
next_line(Reader *reader, size_t *len_out)
{
	const char *line = reader->at;
	const char *end = memchr(line, '\n', (size_t)(reader->end - line));

	if (!end)
		return NULL;
	*len_out = (size_t)(end - line);
	reader->at = end + 1;
	return line;
}

/* Section "Recipient stanza": arguments of VCHAR (RFC 5234 appendix B.1), one space between two. */
static bool
split_arguments(Reader *reader, const char *line, size_t len)
{
	g_autofree char *text = g_strndup(line, len);

	for (const char *at = text; at < text + len; at++)
		if (*at < 0x20 || *at > 0x7e)
			return false;
	g_strfreev(reader->arguments);
	reader->arguments = g_strsplit(text, " ", -1);
	for (char **argument = reader->arguments; *argument; argument++)
		if (!**argument)
			return false;
	return reader->arguments[0] != NULL;
}

static bool
read_stanza(Reader *reader, const char *line, size_t len, GError **error)
{
	if (len < 4 || memcmp(line, "-> ", 3) != 0 || !split_arguments(reader, line + 3, len - 3))
		return bad_header(error, "holds a line that is no recipient");
	g_byte_array_set_size(reader->body, 0);
	do {
		size_t bytes;
		uint8_t out[BODY_COLUMNS];

		line = next_line(reader, &len);
		bytes = line ? len * 3 / 4 : 0;
		if (!line || len > BODY_COLUMNS || !hf_age_unbase64(line, len, out, bytes))
			return bad_header(error, "holds a key that is not spelled as it must be");
		g_byte_array_append(reader->body, out, (guint)bytes);
	} while (len == BODY_COLUMNS);
	return true;
}

static bool
unwrap(const Reader *reader, const HfAgeKey *wrap, HfAgeFileKey *file_key)
{
	return hf_age_unseal(wrap, zero_nonce, (HfAgeSpan){reader->body->data, reader->body->len},
			     file_key->bytes);
}

/* Tries each of the secret keys; *is_open_out says whether one was the recipient. */
static bool
try_x25519(const Reader *reader, const HfAgeIdentities *identities, HfAgeFileKey *file_key, bool *is_open_out,
	   GError **error)
{
	uint8_t share[HF_AGE_KEY_BYTES];
	char **arguments = reader->arguments;

	if (g_strv_length(arguments) != 2 || reader->body->len != HF_AGE_WRAPPED_BYTES ||
	    !hf_age_unbase64(arguments[1], strlen(arguments[1]), share, sizeof share))
		return bad_header(error, "holds an X25519 recipient that breaks the rules");
	for (guint i = 0; i < identities->keys->len && !*is_open_out; i++) {
		const HfAgeKey *identity = &g_array_index(identities->keys, HfAgeKey, i);
		g_auto(HfAgeKey) shared = {0};
		g_auto(HfAgeKey) wrap = {0};
		uint8_t recipient[HF_AGE_KEY_BYTES];

		if (!hf_age_x25519(identity, NULL, recipient, error) ||
		    !hf_age_x25519(identity, share, shared.bytes, error) ||
		    !x25519_wrap_key(shared.bytes, share, recipient, &wrap, error))
			return false;
		*is_open_out = unwrap(reader, &wrap, file_key);
	}
	return true;
}

static bool
try_scrypt(const Reader *reader, const HfAgeIdentities *identities, HfAgeFileKey *file_key, bool *is_open_out,
	   GError **error)
{
	uint8_t salt[SCRYPT_SALT_BYTES];
	char **arguments = reader->arguments;
	g_auto(HfAgeKey) wrap = {0};
	guint64 log_n = 0;

	if (g_strv_length(arguments) != 3 || reader->body->len != HF_AGE_WRAPPED_BYTES ||
	    !hf_age_unbase64(arguments[1], strlen(arguments[1]), salt, sizeof salt) ||
	    arguments[2][0] == '0' || arguments[2][0] == '+' ||
	    !g_ascii_string_to_unsigned(arguments[2], 10, 1, 255, &log_n, NULL))
		return bad_header(error, "holds a passphrase recipient that breaks the rules");
	if (!identities->passphrase)
		return true;
	if (log_n > HF_AGE_LOG_N_MAX)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "the passphrase's work factor is 2^%u, and at most 2^%d is taken: open "
				    "the file with age itself if you trust who wrote it",
				    (unsigned)log_n, HF_AGE_LOG_N_MAX);
	if (!scrypt_wrap_key(identities->passphrase, salt, (unsigned)log_n, &wrap, error))
		return false;
	*is_open_out = unwrap(reader, &wrap, file_key);
	return true;
}

/* Reads all stanzas, so that a broken one is found wherever it stands. */
static bool
read_stanzas(Reader *reader, const HfAgeIdentities *identities, HfAgeFileKey *file_key, bool *is_open_out,
	     GError **error)
{
	unsigned stanzas = 0;
	bool has_scrypt = false;
	size_t len = 0;
	const char *line;

	while ((line = next_line(reader, &len)) && !(len >= 3 && memcmp(line, CLOSING, 3) == 0)) {
		bool is_scrypt;

		if (!read_stanza(reader, line, len, error))
			return false;
		stanzas++;
		is_scrypt = strcmp(reader->arguments[0], "scrypt") == 0;
		has_scrypt = has_scrypt || is_scrypt;
		/* Section "scrypt recipient type": it must be the only one. */
		if (has_scrypt && stanzas > 1)
			return bad_header(error, "has a passphrase beside other recipients");
		if (is_scrypt ? !try_scrypt(reader, identities, file_key, is_open_out, error)
			      : strcmp(reader->arguments[0], "X25519") == 0 && !*is_open_out &&
					!try_x25519(reader, identities, file_key, is_open_out, error))
			return false;
	}
	if (!line || stanzas == 0)
		return bad_header(error, "has no recipients");
	reader->at = line;
	return true;
}

static bool
check_mac(const Reader *reader, HfAgeSpan header, const HfAgeFileKey *file_key, GError **error)
{
	size_t covered = (size_t)(reader->at - (const char *)header.bytes) + strlen(CLOSING);
	size_t left = header.len - covered;
	uint8_t stored[MAC_BYTES];
	uint8_t mac[MAC_BYTES];

	if (left != 1 + MAC_LETTERS + 1 || reader->at[strlen(CLOSING)] != ' ' ||
	    !hf_age_unbase64(reader->at + strlen(CLOSING) + 1, MAC_LETTERS, stored, sizeof stored))
		return bad_header(error, "does not end as it must");
	return header_mac(file_key, (HfAgeSpan){header.bytes, covered}, mac, error) &&
	       (CRYPTO_memcmp(mac, stored, sizeof mac) == 0 ||
		bad_header(error, "was changed: its MAC is wrong"));
}

bool
hf_age_header_open(HfAgeSpan header, const HfAgeIdentities *identities, HfAgeFileKey *file_key_out,
		   GError **error)
{
	const char *text = header.bytes;
	g_auto(Reader) reader = {.at = text, .end = text + header.len, .body = g_byte_array_new()};
	bool is_open = false;

	if (header.len < sizeof VERSION_LINE - 1 || memcmp(text, VERSION_LINE, sizeof VERSION_LINE - 1) != 0)
		return bad_header(error, "is not of version 1");
	reader.at += sizeof VERSION_LINE - 1;
	if (!read_stanzas(&reader, identities, file_key_out, &is_open, error))
		return false;
	if (!is_open)
		return hf_error_set(
			error, HF_ERROR_DENIED,
			identities->passphrase
				? "the passphrase in BACKUP_PASSPHRASE_FILE does not open it"
				: "no identity in BACKUP_IDENTITY_FILE opens it: it was encrypted "
				  "for other recipients");
	return check_mac(&reader, header, file_key_out, error);
}
