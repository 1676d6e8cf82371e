/*
 * backup/notify/render.h -- a message as people and programs read it.
 *
 * name is what this installation is called (NOTIFY_NAME).  All of these are UTF-8; g_free() them.
 */
#pragma once

#include "backup/notify/message.h"

typedef enum {
	HF_FORMAT_GENERIC, /* docs/format.md, "Webhooks" */
	HF_FORMAT_SLACK,
	HF_FORMAT_DISCORD,
	HF_FORMAT_TEAMS,
} HfFormat;

/* "[Holdfast web1] Backup of the database failed": one line. */
char *hf_render_headline(const HfMessage *message, const char *name);

/* Lines closed by "\n", for people. */
char *hf_render_text(const HfMessage *message, const char *name);

/* An HTML document without scripts, images and links. */
char *hf_render_html(const HfMessage *message, const char *name);

/* The body of a webhook. */
char *hf_render_json(const HfMessage *message, const char *name, HfFormat format);

typedef struct {
	const char *name;
	const char *from_name, *from, *to; /* addresses; the first may be NULL */
} HfLetter;

/*
 * The whole e-mail, headers and all, with CRLF at its lines' ends: multipart/alternative (RFC 2046, section 5.1.4) of the
 * text and the HTML, quoted-printable, so that it is ASCII in lines of at most 78 letters.
 */
char *hf_render_mail(const HfMessage *message, const HfLetter *letter);
