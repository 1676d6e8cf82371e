#include "config.h"

#include "backup/catalog/marks.h"
#include "backup/catalog/names.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <string.h>

#define T0 1705284000
#define ID "2024-01-15_02-00-00"

static Fixture *
one_set(const char *alarm)
{
	Fixture *fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSetWriter) writer = NULL;
	g_autoptr(HfManifest) manifest = NULL;
	g_autofree char *dump = fixture_dump(1, 10);
	const HfArchiveOptions options = {0};

	if (!alarm) {
		manifest = fixture_set(fixture->store, &options, dump, T0, &error);
		g_assert_no_error(error);
		return fixture;
	}
	writer = hf_set_writer_new(fixture->store, T0, &error);
	manifest = hf_manifest_begin(hf_set_writer_id(writer), T0);
	manifest->images = hf_images_record_new();
	manifest->images->source = g_strdup("/images");
	manifest->images->index = hf_archive_new(HF_COMPRESSION_GZIP);
	hf_archive_add_part(manifest->images->index, "images_backup_" ID ".index.jsonl.gz", 0, "");
	memset(((HfPart *)manifest->images->index->parts->pdata[0])->sha256, '0', HF_SHA256_HEX_LEN);
	manifest->alarms = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(manifest->alarms, g_strdup(alarm));
	g_ptr_array_add(manifest->alarms, g_strdup("another"));
	g_assert_true(hf_set_writer_commit(writer, manifest, &error));
	return fixture;
}

static HfSet *
find(const Fixture *fixture)
{
	g_autoptr(GError) error = NULL;
	HfSet *set = hf_catalog_find(fixture->store, ID, &error);

	g_assert_no_error(error);
	return set;
}

static void
record(const Fixture *fixture, int level, bool has_failed)
{
	g_autoptr(HfProof) proof = hf_proof_new(level);
	g_autoptr(GError) error = NULL;

	proof->at_s = T0 + 60;
	proof->duration_s = 1.5;
	proof->recover_s = 1.25;
	proof->has_failed = has_failed;
	proof->server_version = g_strdup("15.18");
	proof->error = has_failed ? g_strdup("rows \xff differ") : NULL;
	if (has_failed)
		hf_proof_add_difference(proof, "table %s: other rows", "a");
	g_assert_true(hf_catalog_record_proof(fixture->store, ID, proof, &error));
}

static void
test_a_failed_proof_makes_a_set_suspect_until_it_succeeds(void)
{
	g_autoptr(Fixture) fixture = one_set(NULL);

	record(fixture, 2, false);
	record(fixture, 3, true);
	{
		g_autoptr(HfSet) set = find(fixture);

		g_assert_cmpint(set->level, ==, 2);
		g_assert_cmpint(set->failed_level, ==, 3);
		g_assert_true(set->is_suspect);
		g_assert_false(hf_set_is_good(set));
		g_assert_nonnull(strstr(set->suspect_reason, "the proof of level 3 failed: rows"));
	}
	record(fixture, 2, false);
	{
		g_autoptr(HfSet) lower = find(fixture);

		g_assert_true(lower->is_suspect);
	}
	record(fixture, 4, false);
	{
		g_autoptr(HfSet) higher = find(fixture);

		g_assert_false(higher->is_suspect);
		g_assert_cmpint(higher->level, ==, 4);
		g_assert_true(hf_set_is_good(higher));
	}
}

static void
test_an_alarm_is_stored_before_the_manifest_and_listed(void)
{
	g_autoptr(Fixture) fixture = one_set("table a is gone");
	g_autoptr(HfSet) set = find(fixture);

	g_assert_true(set->is_suspect);
	g_assert_cmpstr(set->suspect_reason, ==, "table a is gone, and 1 more");
	g_assert_false(hf_set_is_good(set));
}

static void
test_accepted_until_a_proof_fails(void)
{
	g_autoptr(Fixture) fixture = one_set("table a is gone");
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSet) set = find(fixture);
	g_autoptr(HfSet) accepted = NULL;
	g_autoptr(HfSet) failed = NULL;

	g_assert_true(hf_catalog_accept(fixture->store, set, "cli:me", T0 + 5, &error));
	accepted = find(fixture);
	g_assert_true(accepted->is_accepted && accepted->is_suspect && hf_set_is_good(accepted));
	g_assert_nonnull(accepted->suspect_reason);
	g_assert_true(hf_catalog_accept(fixture->store, accepted, "cli:me", T0 + 6, &error));
	record(fixture, 2, true);
	failed = find(fixture);
	g_assert_false(failed->is_accepted || hf_set_is_good(failed));
}

static void
test_a_good_set_needs_no_accepting(void)
{
	g_autoptr(Fixture) fixture = one_set(NULL);
	g_autoptr(HfSet) set = find(fixture);
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_catalog_accept(fixture->store, set, "cli:me", T0, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
}

static void
test_proofs_come_back_as_they_were(void)
{
	g_autoptr(Fixture) fixture = one_set(NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSet) set = NULL;
	g_autoptr(GPtrArray) proofs = NULL;
	const HfProof *good, *failed;

	record(fixture, 3, false);
	record(fixture, 4, true);
	set = find(fixture);
	proofs = hf_catalog_read_proofs(fixture->store, set, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(proofs->len, ==, 2);
	good = proofs->pdata[0];
	failed = proofs->pdata[1];
	g_assert_true(good->level == 3 && !good->has_failed && good->at_s == T0 + 60);
	g_assert_cmpfloat(good->recover_s, ==, 1.25);
	g_assert_cmpstr(good->server_version, ==, "15.18");
	g_assert_true(failed->level == 4 && failed->has_failed && failed->difference_count == 1);
	g_assert_cmpstr(failed->differences->pdata[0], ==, "table a: other rows");
}

/* What others may have written beside a manifest. */
static const struct {
	const char *name, *text, *reason;
} damaged[] = {
	{"empty", "", "cannot be read"},
	{"not JSON", "hello", "cannot be read"},
	{"not ours", "{\"format\":\"other\"}", "it is no holdfast-suspect"},
	{"without reasons", "{\"format\":\"holdfast-suspect\"}", "does not say why"},
	{"reasons of another type", "{\"format\":\"holdfast-suspect\",\"reasons\":[1,{}]}",
	 "does not say why"},
};

static void
test_a_mark_that_cannot_be_read_is_a_reason(void)
{
	g_autoptr(Fixture) fixture = one_set(NULL);
	g_autofree char *key = hf_name_suspect(ID);

	for (size_t i = 0; i < G_N_ELEMENTS(damaged); i++) {
		g_autoptr(HfSet) set = NULL;

		g_test_message("%s", damaged[i].name);
		fixture_put(fixture, key, damaged[i].text, strlen(damaged[i].text));
		set = find(fixture);
		g_assert_true(set->is_suspect);
		g_assert_nonnull(strstr(set->suspect_reason, damaged[i].reason));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/marks/a-failed-proof-makes-a-set-suspect-until-it-succeeds",
			test_a_failed_proof_makes_a_set_suspect_until_it_succeeds);
	g_test_add_func("/marks/an-alarm-is-stored-before-the-manifest-and-listed",
			test_an_alarm_is_stored_before_the_manifest_and_listed);
	g_test_add_func("/marks/accepted-until-a-proof-fails", test_accepted_until_a_proof_fails);
	g_test_add_func("/marks/a-good-set-needs-no-accepting", test_a_good_set_needs_no_accepting);
	g_test_add_func("/marks/proofs-come-back-as-they-were", test_proofs_come_back_as_they_were);
	g_test_add_func("/marks/a-mark-that-cannot-be-read-is-a-reason",
			test_a_mark_that_cannot_be_read_is_a_reason);
	return g_test_run();
}
