#include "request.h"

/* linux/tcp.h rather than netinet/tcp.h, whose struct tcp_info ends before tcpi_bytes_acked. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool tcp_info(int fd, struct tcp_info *out)
{
    socklen_t len = sizeof(*out);

    memset(out, 0, sizeof(*out));
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, out, &len) == 0;
}

uint64_t ox_wire_acked(int fd)
{
    struct tcp_info info;

    return tcp_info(fd, &info) ? info.tcpi_bytes_acked : 0;
}

uint64_t ox_wire_received(int fd)
{
    struct tcp_info info;

    return tcp_info(fd, &info) ? info.tcpi_bytes_received : 0;
}
