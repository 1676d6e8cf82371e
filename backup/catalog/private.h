/*
 * backup/catalog/private.h -- the members of a JSON object that tell names, encrypted in place (docs/format.md, "Private
 * members").
 *
 * What is hidden is everything that is not on a list of what may be read by anybody: a member that somebody adds later and
 * forgets here is hidden.  What is hidden carries the object's format and set with it, so that it opens in that one object alone.
 */
#pragma once

#include "backup/age/keyring.h"
#include "common/json.h"

/* Paths of public members, NULL-terminated: "images.archives" is public as a whole, with all that is in it. */
typedef const char *const *HfPublicMembers;

/* Moves all other members, if there are any, out of object into its member "private".  object has "format", and the id in id_member. */
bool hf_private_hide(HfJson *object, HfPublicMembers members, const char *id_member, const HfKeyring *keyring,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, but throws them away; true where there were any. */
bool hf_private_strip(HfJson *object, HfPublicMembers members);

bool hf_private_is_in(HfJson *object);

/*
 * Puts them back; true where there are none.  *sealed_out is NULL, or why they cannot be read here, to be g_free()d: no key is no
 * error.  CORRUPT where they were cut, changed, are another object's, or are there twice.  keyring may be NULL.
 */
bool hf_private_reveal(HfJson *object, const char *id_member, HfKeyring *keyring, char **sealed_out,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
