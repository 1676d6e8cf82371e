#include "config.h"

#include "backup/source/known.h"

#include <stdbool.h>
#include <string.h>

/* 96 bytes each with a path of usual length: 12 MiB when full, 18 MiB with what malloc adds. */
#define SLOT_COUNT ((size_t)1 << 17)

typedef struct {
	uint8_t sha256[32];
	uint64_t bytes;
	char *path; /* NULL: empty */
	HfPlace *place;
} Slot;

struct HfKnown {
	Slot *slots;
};

HfPlace *
hf_place_new(unsigned archive)
{
	HfPlace *place = g_new0(HfPlace, 1);

	place->references = 1;
	place->archive = archive;
	place->named_in = archive;
	return place;
}

HfPlace *
hf_place_ref(HfPlace *place)
{
	place->references++;
	return place;
}

void
hf_place_unref(HfPlace *place)
{
	if (place && --place->references == 0)
		g_free(place);
}

HfKnown *
hf_known_new(void)
{
	HfKnown *known = g_new0(HfKnown, 1);

	known->slots = g_new0(Slot, SLOT_COUNT);
	return known;
}

/* A digest's bytes are as good as random. */
static Slot *
slot_of(const HfKnown *known, const uint8_t sha256[32])
{
	uint32_t start;

	memcpy(&start, sha256, sizeof start);
	return &known->slots[start % SLOT_COUNT];
}

static void
clear_slot(Slot *slot)
{
	g_clear_pointer(&slot->path, g_free);
	g_clear_pointer(&slot->place, hf_place_unref);
}

void
hf_known_add(HfKnown *known, const uint8_t sha256[32], uint64_t bytes, const char *path, HfPlace *place)
{
	Slot *slot = slot_of(known, sha256);

	hf_place_ref(place);
	clear_slot(slot);
	memcpy(slot->sha256, sha256, sizeof slot->sha256);
	slot->bytes = bytes;
	slot->path = g_strdup(path);
	slot->place = place;
}

HfPlace *
hf_known_find(const HfKnown *known, const uint8_t sha256[32], uint64_t bytes, const char **path_out)
{
	const Slot *slot = slot_of(known, sha256);

	if (!slot->path || slot->bytes != bytes || memcmp(slot->sha256, sha256, sizeof slot->sha256) != 0)
		return NULL;
	*path_out = slot->path;
	return slot->place;
}

void
hf_known_free(HfKnown *known)
{
	if (!known)
		return;
	for (size_t i = 0; i < SLOT_COUNT; i++)
		clear_slot(&known->slots[i]);
	g_free(known->slots);
	g_free(known);
}
