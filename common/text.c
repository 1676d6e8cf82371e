#include "config.h"

#include "common/text.h"

char *
hf_text_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 999.5 && unit + 1 < G_N_ELEMENTS(units); unit++)
		value /= 1024;
	if (unit == 0 || value >= 99.95)
		return g_strdup_printf("%.0f %s", value, units[unit]);
	return g_strdup_printf("%.1f %s", value, units[unit]);
}

char *
hf_text_count(uint64_t count)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text, "%" G_GUINT64_FORMAT, count);
	for (gssize at = (gssize)text->len - 3; at > 0; at -= 3)
		g_string_insert_c(text, at, ',');
	return g_string_free(text, FALSE);
}

char *
hf_text_duration(double seconds)
{
	uint64_t whole = (uint64_t)(MAX(seconds, 0) + 0.5);

	if (seconds < 9.95)
		return g_strdup_printf("%.1f s", MAX(seconds, 0));
	if (whole < 60)
		return g_strdup_printf("%u s", (unsigned)whole);
	if (whole < 3600)
		return g_strdup_printf("%u min %02u s", (unsigned)(whole / 60), (unsigned)(whole % 60));
	return g_strdup_printf("%" G_GUINT64_FORMAT " h %02u min", whole / 3600, (unsigned)(whole / 60 % 60));
}

char *
hf_text_age(int64_t then_s, int64_t now_s)
{
	int64_t age = now_s - then_s;

	if (age < 0)
		return g_strdup("in the future");
	if (age < 60)
		return g_strdup("just now");
	if (age < 3600)
		return g_strdup_printf("%d min", (int)(age / 60));
	if (age < INT64_C(48) * 3600)
		return g_strdup_printf("%d h", (int)(age / 3600));
	return g_strdup_printf("%" G_GINT64_FORMAT " d", age / 86400);
}

const char *
hf_text_level(int level)
{
	static const char *const words[] = {"unverified", "stored", "read", "restored", "equal"};

	return words[CLAMP(level, 0, (int)G_N_ELEMENTS(words) - 1)];
}
