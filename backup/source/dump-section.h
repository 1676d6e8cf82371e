/*
 * backup/source/dump-section.h -- what `pg_dump --section=...` says between its beginning and its end.
 *
 * Each plain dump of a section begins with the same head (\restrict, versions, SET statements) and ends with the same
 * closing lines (\unrestrict).  Put together to one dump they must stand there once: the first section's head, all bodies,
 * and the first section's end.  A head or an end that is not word for word what it should be is an error, never
 * guessed at.  Sources: pg_dump's RestoreArchive() and _doSetFixedOutputState(), pg_backup_archiver.c.
 */
#pragma once

#include "backup/stage/stage.h"

typedef struct HfDumpSection HfDumpSection;

/* first is NULL for the first section, whose head is written, or that one: the heads must then be the same. */
HfDumpSection *hf_dump_section_new(const HfDumpSection *first);

/* Writes the body, as far as it is known to be that, into the chain. */
bool hf_dump_section_write(HfDumpSection *section, const char *bytes, size_t len, HfStage *into,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The section's output has ended: CORRUPT where its closing lines are missing.  They are not written. */
bool hf_dump_section_end(HfDumpSection *section, HfStage *into, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The closing lines of the whole dump: the first section's, after its end.  Borrowed. */
const char *hf_dump_section_closing(const HfDumpSection *first);

void hf_dump_section_free(HfDumpSection *section);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDumpSection, hf_dump_section_free)
