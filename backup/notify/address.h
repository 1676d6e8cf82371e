/*
 * backup/notify/address.h -- e-mail addresses and header fields (RFC 5322, RFC 2047).
 *
 * What is made here is ASCII without a line end of its own, whatever it was given: no name can add a header.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * "ops@example.org" or "Name <ops@example.org>"; *name_out is NULL in the first case.  setting is for the message.  USAGE for
 * anything else: addresses are ASCII, without quotes, comments and blanks.
 */
bool hf_address_parse(const char *text, const char *setting, char **name_out, char **address_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Text for a Subject: as it is where it is short printable ASCII, else encoded words, folded.  g_free() it. */
char *hf_header_text(const char *text);

/* `Name <address>` for From and To, the name quoted or encoded where it has to be; name may be NULL.  g_free() it. */
char *hf_header_mailbox(const char *name, const char *address);

/* "Sat, 28 Nov 2026 02:00:00 +0000" (RFC 5322, section 3.3).  g_free() it. */
char *hf_header_date(int64_t unix_s);
