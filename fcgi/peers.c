#include "config.h"

#include "fcgi/peers.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct HfPeers {
	GArray *uids;
};

HfPeers *
hf_peers_new(const char *names)
{
	HfPeers *peers = g_new0(HfPeers, 1);
	g_auto(GStrv) words = g_strsplit_set(names ? names : "", " ,", -1);
	uid_t own = geteuid(), root = 0;

	peers->uids = g_array_new(FALSE, FALSE, sizeof(uid_t));
	g_array_append_val(peers->uids, own);
	g_array_append_val(peers->uids, root);
	for (char **word = words; *word; word++) {
		const struct passwd *user = **word ? getpwnam(*word) : NULL;

		if (user)
			g_array_append_val(peers->uids, user->pw_uid);
		else if (**word)
			g_warning("FCGI_PEER_USERS: there is no user \"%s\"", *word);
	}
	return peers;
}

bool
hf_peers_allow(const HfPeers *peers, int fd, char **why_out)
{
	struct ucred peer = {0};
	socklen_t length = sizeof peer;

	*why_out = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
		*why_out = g_strdup_printf("a peer that cannot be told: %s", g_strerror(errno));
		return false;
	}
	for (guint i = 0; i < peers->uids->len; i++)
		if (g_array_index(peers->uids, uid_t, i) == peer.uid)
			return true;
	*why_out = g_strdup_printf("process %d of user %u", (int)peer.pid, (unsigned)peer.uid);
	return false;
}

void
hf_peers_free(HfPeers *peers)
{
	if (!peers)
		return;
	g_array_unref(peers->uids);
	g_free(peers);
}
