#include "config.h"

#include "backup/catalog/image-view.h"
#include "backup/verify/drill-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

static bool
hash_file(int file, uint8_t sha256_out[HF_SHA256_BYTES], GError **error)
{
	g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
	g_autofree uint8_t *piece = g_malloc(READ_BYTES);
	ssize_t got = 1;
	bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

	while (ok && got > 0) {
		if (!hf_cancel_check(error))
			return false;
		got = read(file, piece, READ_BYTES);
		if (got < 0)
			return hf_error_errno(error, "read a restored image");
		ok = EVP_DigestUpdate(context, piece, (size_t)got) == 1;
	}
	return (ok && EVP_DigestFinal_ex(context, sha256_out, NULL) == 1) ||
	       hf_error_set(error, HF_ERROR_FAILED, "OpenSSL could not hash a restored image");
}

static bool
compare_image(int folder, const HfImage *image, HfProof *proof, GError **error)
{
	uint8_t sha256[HF_SHA256_BYTES];
	int file = openat(folder, image->path ? image->path : image->key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool is_read;

	if (file < 0) {
		hf_proof_add_difference(proof, "image \"%s\" is not among the restored files: %s", image->key,
					g_strerror(errno));
		return true;
	}
	is_read = hash_file(file, sha256, error);
	close(file);
	if (!is_read)
		return false;
	if (memcmp(sha256, image->sha256, sizeof sha256) != 0)
		hf_proof_add_difference(proof, "image \"%s\" has another content", image->key);
	else
		proof->objects++;
	return true;
}

/* Of what is no folder, at any depth.  Takes folder. */
static uint64_t
count_files(int folder)
{
	DIR *entries = fdopendir(folder);
	const struct dirent *entry;
	uint64_t count = 0;

	if (!entries) {
		close(folder);
		return 0;
	}
	while ((entry = readdir(entries))) {
		int inner;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		inner = openat(dirfd(entries), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		count += inner >= 0 ? count_files(inner) : 1;
	}
	closedir(entries);
	return count;
}

static bool
compare_all(HfStore *store, const HfManifest *manifest, int folder, HfProof *proof, uint64_t *wanted_out,
	    GError **error)
{
	g_autoptr(HfImageView) view = hf_image_view_new(store, manifest, NULL);
	const HfImage *image;
	const char *damage;

	*wanted_out = 0;
	do {
		if (!hf_image_view_next(view, &image, &damage, error))
			return false;
		if (damage)
			hf_proof_add_difference(proof, "%s", damage);
		if (!image || image->trouble)
			continue;
		(*wanted_out)++;
		if (!compare_image(folder, image, proof, error))
			return false;
	} while (image || damage);
	return true;
}

bool
hf_drill_compare_images(HfStore *store, const HfManifest *manifest, const char *path, HfProof *proof,
			GError **error)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t wanted, found;

	if (folder < 0)
		return hf_error_errno(error, "open \"%s\"", path);
	if (!compare_all(store, manifest, folder, proof, &wanted, error)) {
		close(folder);
		return false;
	}
	found = count_files(folder);
	if (found > wanted)
		hf_proof_add_difference(proof,
					"%" G_GUINT64_FORMAT " restored file(s) are no images of the set",
					found - wanted);
	return true;
}
