/*
 * fcgi/catalogue.h -- the sets as the state last saw them, and looking anew where that is long ago.
 */
#pragma once

#include "fcgi/service.h"

/* Older than this, the list is refreshed behind the reply. */
#define HF_CATALOGUE_OLD_S 600

/*
 * Of HfCachedSet, oldest first.  Where the store was never looked at, or the state was lost, it is looked at now, which
 * takes as long as it takes.
 */
GPtrArray *hf_catalogue_list(HfService *service, int64_t *as_of_s_out,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Older than this, other hosts' jobs are looked for behind the reply. */
#define HF_ELSEWHERE_OLD_S 30

/* The jobs of other hosts, of HfLeaseEntry (backup/job/elsewhere.h). */
GPtrArray *hf_catalogue_elsewhere(HfService *service, HfState *state);

/* Looks anew behind the reply where that is long ago, or never was; waits for nothing. */
void hf_catalogue_look(HfService *service, int64_t as_of_s);

/* {"location", "asOf"}: where backups go, and when it was looked at last. */
HfJson *hf_catalogue_store(const HfService *service, int64_t as_of_s);

/* Looks at the store now, and waits for it; what fails is a warning. */
void hf_catalogue_refresh(HfService *service);
