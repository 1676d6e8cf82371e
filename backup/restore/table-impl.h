/*
 * backup/restore/table-impl.h -- which statements of a dump are a table's own.
 */
#pragma once

#include "backup/restore/statement.h"

typedef struct {
	GHashTable *tables;    /* names of those that are wanted, as the dump writes them */
	GHashTable *sequences; /* that they own */
	GHashTable *indexes;   /* of theirs, without a schema */
	GHashTable *roles;     /* that the server has */
} HfTableOwn;

typedef enum {
	HF_TABLE_FOREIGN, /* not the table's */
	HF_TABLE_BRING,
	HF_TABLE_LEAVE, /* the table's, but it leads out of it */
} HfTableShare;

/* Notes sequences and indexes that the wanted tables own. */
void hf_table_note_own(HfTableOwn *own, const char *statement);

/* Whose the statement is; *about_out says in a few words what it is, where that is worth saying: g_free() it. */
HfTableShare hf_table_share(const HfTableOwn *own, const char *statement, char **about_out);
