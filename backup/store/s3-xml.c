#include "config.h"

#include "backup/store/s3-xml.h"
#include "common/error.h"

#include <string.h>

/* Deeper than any reply of S3 (ListMultipartUploads has four levels); bounds what a hostile one can make us hold. */
#define DEPTH_MAX 16

typedef struct {
	GString *path;
	GPtrArray *texts; /* of GString, one for each open element */
	HfXmlElement on_element;
	void *data;
} Reader;

static void
free_text(gpointer text)
{
	g_string_free(text, TRUE);
}

static void
on_start(GMarkupParseContext *context, const char *name, const char **names, const char **values,
	 gpointer data, GError **error)
{
	Reader *reader = data;

	(void)context, (void)names, (void)values;
	if (reader->texts->len == DEPTH_MAX) {
		g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, "nested too deeply");
		return;
	}
	g_string_append_printf(reader->path, "%s%s", reader->path->len ? "/" : "", name);
	g_ptr_array_add(reader->texts, g_string_new(NULL));
}

static void
on_text(GMarkupParseContext *context, const char *text, gsize len, gpointer data, GError **error)
{
	Reader *reader = data;

	(void)context, (void)error;
	if (reader->texts->len > 0)
		g_string_append_len(reader->texts->pdata[reader->texts->len - 1], text, (gssize)len);
}

static void
on_end(GMarkupParseContext *context, const char *name, gpointer data, GError **error)
{
	Reader *reader = data;
	GString *text = reader->texts->pdata[reader->texts->len - 1];
	gsize cut = reader->path->len - strlen(name);

	(void)context, (void)error;
	reader->on_element(reader->path->str, text->str, reader->data);
	g_string_truncate(reader->path, cut > 0 ? cut - 1 : 0);
	g_ptr_array_set_size(reader->texts, (gint)reader->texts->len - 1);
}

bool
hf_s3_xml_parse(const void *bytes, size_t len, HfXmlElement on_element, void *data, GError **error)
{
	static const GMarkupParser parser = {
		.start_element = on_start, .end_element = on_end, .text = on_text};
	Reader reader = {g_string_new(NULL), g_ptr_array_new_with_free_func(free_text), on_element, data};
	GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &reader, NULL);
	g_autoptr(GError) cause = NULL;
	bool is_whole = g_markup_parse_context_parse(context, len > 0 ? bytes : "", (gssize)len, &cause) &&
			g_markup_parse_context_end_parse(context, &cause);

	g_markup_parse_context_free(context);
	g_ptr_array_unref(reader.texts);
	g_string_free(reader.path, TRUE);
	return is_whole || hf_error_set(error, HF_ERROR_TRANSIENT, "the server's XML is cut or malformed: %s",
					cause->message);
}

typedef struct {
	const char *path;
	char *text;
} Search;

static void
on_searched(const char *path, const char *text, void *data)
{
	Search *search = data;

	if (!search->text && strcmp(path, search->path) == 0)
		search->text = g_strdup(text);
}

char *
hf_s3_xml_find(const void *bytes, size_t len, const char *path)
{
	Search search = {path, NULL};

	if (!hf_s3_xml_parse(bytes, len, on_searched, &search, NULL))
		g_clear_pointer(&search.text, g_free);
	return search.text;
}
