#include "serve_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 511

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof(v6));
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    uint16_t port = 0;

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, &address, sizeof(v4));
        port = v4.sin_port;
    } else {
        struct sockaddr_in6 v6;

        memcpy(&v6, &address, sizeof(v6));
        port = v6.sin6_port;
    }
    return ntohs(port);
}

static enum ox_code bind_error(int problem, const char *host, uint16_t port, struct ox_err *err)
{
    switch (problem) {
    case EADDRINUSE:
        return ox_err_set(err, OX_EBUSY,
                          "port %u on %s is in use: end what listens there, or choose another with "
                          "--listen",
                          (unsigned)port, host);
    case EACCES:
        return ox_err_set(err, OX_EPERM,
                          "port %u is for the system: choose one over 1023 with --listen",
                          (unsigned)port);
    case EADDRNOTAVAIL:
        return ox_err_set(err, OX_EINVAL, "%s is no address of this machine: look at --listen",
                          host);
    default:
        return ox_err_sys(err, problem, "listening on %s port %u", host, (unsigned)port);
    }
}

static enum ox_code open_socket(const struct addrinfo *info, const char *host, uint16_t port,
                                int *out_fd, struct ox_err *err)
{
    const int yes = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return bind_error(errno, host, port, err);
    }
    /* Connections of a server that ended a moment ago do not keep its port. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int problem = errno;

        (void)close(fd);
        return bind_error(problem, host, port, err);
    }
    *out_fd = fd;
    return OX_OK;
}

enum ox_code ox_serve_listen(const char *host, uint16_t *port, bool insecure, int *out_fd,
                             struct ox_err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    int problem;
    enum ox_code code;

    (void)snprintf(service, sizeof(service), "%u", (unsigned)*port);
    problem = getaddrinfo(host, service, &hints, &list);
    if (problem != 0) {
        return ox_err_set(err, OX_EINVAL,
                          "cannot listen on '%.255s': %s: name an address or a host", host,
                          gai_strerror(problem));
    }
    if (!insecure && !is_loopback(list->ai_addr)) {
        code = ox_err_set(err, OX_EPERM,
                          "%.255s is not loopback, and there is no authentication yet: whoever "
                          "reaches the port could replace every model. Listen on 127.0.0.1, or say "
                          "--insecure if the network is yours alone",
                          host);
    } else {
        code = open_socket(list, host, *port, out_fd, err);
    }
    if (code == OX_OK) {
        *port = port_of(*out_fd);
    }
    freeaddrinfo(list);
    return code;
}
