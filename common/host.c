#include "config.h"

#include "common/host.h"

#include <glib.h>

/* HOST_NAME_MAX of Linux (gethostname(2)). */
#define NAME_BYTES_MAX 64

static char own_name[NAME_BYTES_MAX + 1];

const char *
hf_host_name(void)
{
	return own_name[0] ? own_name : g_get_host_name();
}

void
hf_host_set_name(const char *name)
{
	g_strlcpy(own_name, name ? name : "", sizeof own_name);
	g_strcanon(own_name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-", '_');
}
