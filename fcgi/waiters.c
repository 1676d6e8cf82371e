#include "config.h"

#include "fcgi/waiters.h"

#include <fcntl.h>
#include <unistd.h>

unsigned
hf_waiters_places(unsigned workers)
{
	return workers < 2 ? 1 : workers / 2;
}

int
hf_waiters_enter(const char *folder, unsigned places)
{
	g_autofree char *path = g_build_filename(folder, "waiting", NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	for (unsigned place = 0; fd >= 0 && place < places; place++) {
		/* Of the open file, so that no other descriptor of ours can let go of it (fcntl(2), F_OFD_SETLK). */
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};

		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}
