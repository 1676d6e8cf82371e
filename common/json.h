/*
 * common/json.h -- json-c with ownership and with checks that name the member.
 */
#pragma once

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct json_object HfJson;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfJson, json_object_put)

/* Parses exactly one object or array, at most 32 levels deep, UTF-8; CORRUPT with the position where it is not. */
HfJson *hf_json_parse(const char *text, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Members of an object, borrowed.  The `get` forms want the member, of that type, and fail with CORRUPT that names it;
 * the `find` forms give NULL or the fallback where it is absent or null, and fail on another type.
 */
bool hf_json_get_text(HfJson *object, const char *name, const char **value_out, GError **error);
bool hf_json_get_number(HfJson *object, const char *name, uint64_t *value_out, GError **error);
bool hf_json_get_object(HfJson *object, const char *name, HfJson **value_out, GError **error);
bool hf_json_get_array(HfJson *object, const char *name, HfJson **value_out, GError **error);
bool hf_json_find_text(HfJson *object, const char *name, const char **value_out, GError **error);
bool hf_json_find_object(HfJson *object, const char *name, HfJson **value_out, GError **error);

/* The same check for a value that stands in an array; name is for the message.  value may be NULL. */
bool hf_json_to_number(HfJson *value, const char *name, uint64_t *value_out, GError **error);

/*
 * Bytes that are mostly text: where they are UTF-8 they stand in NAME, else in NAME_base64 (RFC 4648 section 4), since a
 * JSON string holds nothing but Unicode.  A name out of a SQL_ASCII database is such.  g_free() *value_out.
 */
bool hf_json_get_bytes(HfJson *object, const char *name, char **value_out, GError **error);
bool hf_json_find_bytes(HfJson *object, const char *name, char **value_out, GError **error);
void hf_json_add_bytes(HfJson *object, const char *name, const char *value);

/* Adding; value NULL adds nothing.  Numbers are exact up to 2^63 - 1. */
void hf_json_add_text(HfJson *object, const char *name, const char *value);
void hf_json_add_number(HfJson *object, const char *name, uint64_t value);
void hf_json_add_flag(HfJson *object, const char *name, bool value);
/* Takes value. */
void hf_json_add(HfJson *object, const char *name, HfJson *value);
