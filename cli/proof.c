#include "config.h"

#include "cli/proof.h"
#include "cli/text.h"
#include "common/clock.h"

/* So many differences are said; the record has a thousand. */
#define SAID_MAX 20

static void
add_lines(HfJson *object, const char *name, const GPtrArray *lines)
{
	HfJson *array;

	if (lines->len == 0)
		return;
	array = json_object_new_array();
	for (guint i = 0; i < lines->len; i++) {
		g_autofree char *line = g_utf8_make_valid(lines->pdata[i], -1);

		json_object_array_add(array, json_object_new_string(line));
	}
	hf_json_add(object, name, array);
}

static void
add_seconds(HfJson *object, const char *name, double seconds)
{
	g_autofree char *text = g_strdup_printf("%.3f", seconds);

	hf_json_add(object, name, json_object_new_double_s(seconds, text));
}

HfJson *
hf_cli_proof_json(const HfProof *proof)
{
	HfJson *object = json_object_new_object();
	g_autofree char *at = proof->at_s > 0 ? hf_clock_rfc3339(proof->at_s) : NULL;

	hf_json_add_number(object, "level", (uint64_t)proof->level);
	hf_json_add_text(object, "proof", hf_text_level(proof->level));
	hf_json_add_flag(object, "failed", proof->has_failed);
	hf_json_add_flag(object, "drill", proof->is_drill);
	hf_json_add_text(object, "at", at);
	add_seconds(object, "seconds", proof->duration_s);
	if (proof->recover_s > 0)
		add_seconds(object, "recover_seconds", proof->recover_s);
	hf_json_add_text(object, "server_version", proof->server_version);
	hf_json_add_number(object, "tables", proof->tables);
	hf_json_add_number(object, "rows", proof->rows);
	hf_json_add_number(object, "objects", proof->objects);
	hf_json_add_bytes(object, "error", proof->error);
	hf_json_add_number(object, "difference_count", proof->difference_count);
	add_lines(object, "differences", proof->differences);
	add_lines(object, "unproved", proof->unproved);
	return object;
}

void
hf_cli_say_proof(const HfCli *cli, const HfProof *proof)
{
	guint said = MIN(proof->differences->len, SAID_MAX);

	for (guint i = 0; i < said; i++)
		g_warning("differs: %s", (char *)proof->differences->pdata[i]);
	if (proof->difference_count > said)
		g_warning("and %" G_GUINT64_FORMAT " more differences", proof->difference_count - said);
	for (guint i = 0; i < proof->unproved->len; i++)
		hf_cli_say(cli, "unproved  %s\n", (char *)proof->unproved->pdata[i]);
}

static void
say_recorded(const HfCli *cli, const HfProof *proof)
{
	g_autofree char *at = proof->at_s > 0 ? hf_clock_rfc3339(proof->at_s) : g_strdup("?");
	g_autofree char *took = hf_text_duration(proof->duration_s);
	g_autofree char *recover = hf_text_duration(proof->recover_s);

	hf_cli_say(cli, "proof     level %d %s%s: %s, in %s%s%s%s%s\n", proof->level,
		   hf_text_level(proof->level), proof->is_drill ? " (drill)" : "",
		   proof->has_failed ? "FAILED" : "seen", took, proof->recover_s > 0 ? "; recovered in " : "",
		   proof->recover_s > 0 ? recover : "", proof->server_version ? " on PostgreSQL " : "",
		   proof->server_version ? proof->server_version : "");
	hf_cli_say(cli, "          at %s%s%s\n", at, proof->error ? ": " : "",
		   proof->error ? proof->error : "");
	for (guint i = 0; i < MIN(proof->differences->len, SAID_MAX); i++)
		hf_cli_say(cli, "differs   %s\n", (char *)proof->differences->pdata[i]);
	for (guint i = 0; i < proof->unproved->len; i++)
		hf_cli_say(cli, "unproved  %s\n", (char *)proof->unproved->pdata[i]);
}

bool
hf_cli_show_proofs(HfCli *cli, HfStore *store, const HfSet *set, GError **error)
{
	g_autoptr(GPtrArray) proofs = hf_catalog_read_proofs(store, set, error);
	HfJson *array;

	if (!proofs)
		return false;
	array = json_object_new_array();
	hf_json_add(cli->reply, "proofs", array);
	for (guint i = 0; i < proofs->len; i++) {
		say_recorded(cli, proofs->pdata[i]);
		json_object_array_add(array, hf_cli_proof_json(proofs->pdata[i]));
	}
	return true;
}
