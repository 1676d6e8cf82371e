/*
 * backup/store/s3-xml.h -- S3's small XML replies, read by GLib's parser.
 *
 * An element is handed over at its end with its path from the root, as "ListBucketResult/Contents/Key", and its own
 * text.  Namespaces and attributes mean nothing in these replies and are passed over.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef void (*HfXmlElement)(const char *path, const char *text, void *data);

/* TRANSIENT where it is not well-formed or not whole: a reply that was cut is asked for again. */
bool hf_s3_xml_parse(const void *bytes, size_t len, HfXmlElement on_element, void *data,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The text of the first element with this path, or NULL where there is none or it is not XML.  g_free() it. */
char *hf_s3_xml_find(const void *bytes, size_t len, const char *path);
