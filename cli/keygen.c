#include "backup/age/keys.h"
#include "backup/sign/keys.h"
#include "cli/commands.h"
#include "common/clock.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *output;
	gboolean is_signing;
} given;

/* A new file that nobody else can read; one that is there stays: it may hold the only key to old backups. */
static bool
write_file(const char *path, const char *text, GError **error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t len = strlen(text);
	bool is_done;

	if (fd < 0 && errno == EEXIST)
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"\"%s\" exists: it may hold the only key to earlier backups, name another file",
			path);
	if (fd < 0)
		return hf_error_errno(error, "make \"%s\"", path);
	is_done = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	if (!is_done)
		hf_error_errno(error, "write \"%s\"", path);
	close(fd);
	if (!is_done)
		(void)unlink(path);
	return is_done;
}

/* As age-keygen prints it, so that age takes the file as it is. */
static char *
key_file(const HfAgeKey *identity, const char *recipient)
{
	g_autofree char *now = hf_clock_rfc3339(hf_clock_now_s());
	char *secret = hf_age_identity_to_text(identity);
	char *text = g_strdup_printf("# created: %s\n# public key: %s\n%s\n", now, recipient, secret);

	OPENSSL_cleanse(secret, strlen(secret));
	g_free(secret);
	return text;
}

/* The file's text, which the caller wipes and frees, and the public key. */
static char *
make_recipient(char **public_out, GError **error)
{
	g_auto(HfAgeKey) identity = {0};

	return hf_age_key_new(&identity, public_out, error) ? key_file(&identity, *public_out) : NULL;
}

static char *
make_signing(char **public_out, GError **error)
{
	g_autoptr(HfSignKey) key = NULL;

	if (!hf_sign_key_new(&key, error))
		return NULL;
	*public_out = hf_verify_key_to_text(&key->public_key);
	return hf_sign_key_to_text(key);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autofree char *public_key = NULL;
	char *text;
	bool is_done;

	(void)arguments;
	if (cli->wants_json && !given.output)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--json goes with --output FILE: the secret key is not put into a reply");
	text = given.is_signing ? make_signing(&public_key, error) : make_recipient(&public_key, error);
	if (!text)
		return false;
	is_done = given.output ? write_file(given.output, text, error) : fputs(text, stdout) >= 0;
	OPENSSL_cleanse(text, strlen(text));
	g_free(text);
	if (!is_done)
		return false;
	hf_json_add_text(cli->reply, given.is_signing ? "public_key" : "recipient", public_key);
	hf_json_add_text(cli->reply, "file", given.output);
	if (given.output)
		hf_cli_say(cli, "%s\n", public_key);
	g_message("public key: %s", public_key);
	return true;
}

static GOptionEntry options[] = {{"output", 'o', 0, G_OPTION_ARG_FILENAME, &given.output,
				  "Write the keys to a new FILE of mode 0600, and print the public key alone",
				  "FILE"},
				 {"signing", 0, 0, G_OPTION_ARG_NONE, &given.is_signing,
				  "Make keys that sign and check manifests, in minisign's format", NULL},
				 {0}};

const HfCommand hf_command_keygen = {
	"keygen",
	"",
	0,
	0,
	"make a pair of keys to encrypt backups with, or to sign them",
	"Prints an identity as age-keygen does: the secret key, and in a "
	"comment the public one, the recipient. Put the "
	"recipient into BACKUP_RECIPIENTS on the host that makes backups. Keep "
	"the secret key elsewhere: whoever has it "
	"reads all backups, and without it nobody does. To restore, name its "
	"file in BACKUP_IDENTITY_FILE.\n\n"
	"    holdfast keygen --output backup-key.txt\n\n"
	"With --signing it is a pair of Ed25519 keys as \"minisign -G -W\" makes it, "
	"without a password. Name the secret key's file in SIGNING_KEY_FILE on the "
	"hosts that write to the store, and put the public key into "
	"SIGNING_PUBLIC_KEYS on all of them; \"minisign -V\" takes it, too.\n\n"
	"    holdfast keygen --signing --output signing-key.txt",
	options,
	false,
	run};
