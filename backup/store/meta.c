#include "config.h"

#include "backup/store/meta.h"

static const struct {
	const char *header;
	const char *attribute;
} names[HF_META_FIELDS] = {
	[HF_META_TYPE] = {"content-type", "user.mime_type"},
	[HF_META_CACHE] = {"cache-control", "user.holdfast.cache_control"},
	[HF_META_DISPOSITION] = {"content-disposition", "user.holdfast.content_disposition"},
	[HF_META_ENCODING] = {"content-encoding", "user.holdfast.content_encoding"},
};

const char *
hf_meta_header(HfMetaField field)
{
	return names[field].header;
}

const char *
hf_meta_attribute(HfMetaField field)
{
	return names[field].attribute;
}

static const char **
slot(HfObjectMeta *meta, HfMetaField field)
{
	switch (field) {
	case HF_META_TYPE:
		return &meta->content_type;
	case HF_META_CACHE:
		return &meta->cache_control;
	case HF_META_DISPOSITION:
		return &meta->content_disposition;
	case HF_META_ENCODING:
		return &meta->content_encoding;
	case HF_META_FIELDS:
		break;
	}
	g_assert_not_reached();
}

const char *
hf_meta_get(const HfObjectMeta *meta, HfMetaField field)
{
	HfObjectMeta copy = *meta;

	return *slot(&copy, field);
}

void
hf_meta_set(HfMeta *meta, HfMetaField field, char *value)
{
	g_free(meta->fields[field]);
	meta->fields[field] = value;
	*slot(&meta->view, field) = value;
}

void
hf_meta_add_user(HfMeta *meta, const char *name, char *value)
{
	if (!meta->view.user)
		meta->view.user = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_replace(meta->view.user, g_strdup(name), value);
}

void
hf_meta_clear(HfMeta *meta)
{
	for (HfMetaField field = 0; field < HF_META_FIELDS; field++)
		g_free(meta->fields[field]);
	g_clear_pointer(&meta->view.user, g_hash_table_unref);
	*meta = (HfMeta){0};
}
