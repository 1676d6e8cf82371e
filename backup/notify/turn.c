#include "config.h"

#include "backup/notify/turn.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

/* A try lasts 20 s at most (transfer.h). */
#define LOOKS 300
#define LOOK_MS 100

/* Who has the turn holds the other lock for a moment when it looks whether it is awaited. */
#define NEXT_LOOKS 5

struct HfTurn {
	char *next_path;
	int fd;
};

static int
open_lock(const char *folder, const char *name, char **path_out, GError **error)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		hf_error_errno(error, "open \"%s\"", path);
	if (path_out)
		*path_out = g_steal_pointer(&path);
	return fd;
}

/* *mine_out false where it is not to be had; false with CANCELLED. */
static bool
wait_for_lock(int fd, int looks, bool *mine_out, GError **error)
{
	struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};

	for (int i = 0; i < looks; i++) {
		*mine_out = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (*mine_out)
			return true;
		(void)poll(&stop, 1, LOOK_MS);
		if (!hf_cancel_check(error))
			return false;
	}
	return true;
}

HfTurn *
hf_turn_take(const char *folder, GError **error)
{
	HfTurn *turn = g_new0(HfTurn, 1);
	int next_fd = open_lock(folder, "notify-next.lock", &turn->next_path, error);
	bool is_mine = false;

	turn->fd = next_fd < 0 ? -1 : open_lock(folder, "notify.lock", NULL, error);
	if (turn->fd >= 0 && wait_for_lock(next_fd, NEXT_LOOKS, &is_mine, error) && is_mine &&
	    !wait_for_lock(turn->fd, LOOKS, &is_mine, error))
		is_mine = false;
	if (next_fd >= 0)
		close(next_fd);
	if (is_mine)
		return turn;
	hf_turn_free(turn);
	return NULL;
}

bool
hf_turn_is_awaited(const HfTurn *turn)
{
	int fd = open(turn->next_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_awaited = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return is_awaited;
}

void
hf_turn_free(HfTurn *turn)
{
	if (!turn)
		return;
	if (turn->fd >= 0)
		close(turn->fd);
	g_free(turn->next_path);
	g_free(turn);
}
