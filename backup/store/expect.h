/*
 * backup/store/expect.h -- many small objects, read by those who read them one after the other.
 *
 * Whoever walks over a listing and reads each small object of it waits a round trip for each: a second for some thirty
 * manifests in a bucket far away.  Where the objects are said beforehand, hf_store_read() of the first takes the next few
 * hundred as well, over several connections (fetch.h), and answers from memory when their turn comes.
 */
#pragma once

#include "backup/store/store.h"

/*
 * Says that the object, as it was just listed, will be read whole, after those that were said before it.  Cheap.  What is
 * read is then as it was at some moment between this and the read.  An object that is skipped, or read again, costs what it
 * did before; so does one that is larger than a manifest commonly is, or that could not be taken beforehand: its own read
 * says why.  Does nothing where a read takes no round trip, as in a folder.
 */
void hf_store_expect(HfStore *store, const HfObject *object);

/* Forgets what was said and what was taken: what is read from now on is read from the store.  Nothing there is fine. */
void hf_store_expect_nothing(HfStore *store);
