#include "config.h"

#include "backup/verify/compare.h"

#include <string.h>

static GHashTable *
by_name(const GPtrArray *tables)
{
	GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < tables->len; i++)
		g_hash_table_insert(table, ((HfTable *)tables->pdata[i])->name, tables->pdata[i]);
	return table;
}

static void
compare_table(const HfTable *stored, const HfTable *restored, HfCompareWhat what, HfProof *proof)
{
	if (!restored) {
		hf_proof_add_difference(proof,
					"table %s is not in the restored database; %" G_GUINT64_FORMAT
					" row(s) were backed up",
					stored->name, stored->rows);
		return;
	}
	if (stored->rows != restored->rows) {
		hf_proof_add_difference(proof,
					"table %s: %" G_GUINT64_FORMAT
					" row(s) were backed up, %" G_GUINT64_FORMAT
					" are in the restored database",
					stored->name, stored->rows, restored->rows);
		return;
	}
	if (what == HF_COMPARE_ALL &&
	    (stored->bytes != restored->bytes ||
	     memcmp(stored->digest, restored->digest, HF_TABLE_DIGEST_BYTES) != 0)) {
		hf_proof_add_difference(proof,
					"table %s: as many rows (%" G_GUINT64_FORMAT
					"), but other ones: their digests differ",
					stored->name, stored->rows);
		return;
	}
	proof->tables++;
	proof->rows += stored->rows;
}

void
hf_compare_tables(const GPtrArray *stored, const GPtrArray *restored, HfCompareWhat what, HfProof *proof)
{
	g_autoptr(GHashTable) found = by_name(restored);

	for (guint i = 0; i < stored->len; i++) {
		const HfTable *table = stored->pdata[i];

		compare_table(table, g_hash_table_lookup(found, table->name), what, proof);
		g_hash_table_remove(found, table->name);
	}
	for (guint i = 0; i < restored->len; i++) {
		const HfTable *table = restored->pdata[i];

		if (g_hash_table_contains(found, table->name))
			hf_proof_add_difference(proof,
						"table %s is in the restored database and was not backed up",
						table->name);
	}
}
