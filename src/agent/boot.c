#include "boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void ox_boot_id(char out[OX_BOOT_ID_MAX])
{
    /* files of /proc have no size before they are read */
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, out, OX_BOOT_ID_MAX - 1);

    out[got > 0 ? got : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
}
