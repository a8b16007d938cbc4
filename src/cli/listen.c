#include "listen.h"

#include <stdlib.h>
#include <string.h>

static enum ox_code refuse(const char *text, struct ox_err *err)
{
    return ox_err_set(
        err, OX_EINVAL,
        "--listen cannot be '%s': write HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or "
        "127.0.0.1:0 for a free port",
        text);
}

enum ox_code ox_listen_parse(const char *text, char host[OX_HOST_MAX], uint16_t *port,
                             struct ox_err *err)
{
    const char *host_at = text;
    const char *host_end;
    const char *port_at;
    unsigned long number = *port;

    if (text[0] == '[') { /* an IPv6 address, whose colons are its own */
        host_at = text + 1;
        host_end = strchr(text, ']');
        if (host_end == NULL || host_end == host_at) {
            return refuse(text, err);
        }
        port_at = host_end + 1;
    } else {
        host_end = text + strcspn(text, ":");
        port_at = host_end;
    }
    if (text[0] == '\0' || (*port_at != '\0' && *port_at != ':') ||
        (size_t)(host_end - host_at) >= OX_HOST_MAX) {
        return refuse(text, err);
    }
    if (*port_at == ':') {
        size_t digits = strspn(port_at + 1, "0123456789");

        number = strtoul(port_at + 1, NULL, 10);
        if (digits == 0 || digits > 5 || port_at[1 + digits] != '\0' || number > UINT16_MAX) {
            return refuse(text, err);
        }
    }
    if (host_end > host_at) {
        memcpy(host, host_at, (size_t)(host_end - host_at));
        host[host_end - host_at] = '\0';
    }
    *port = (uint16_t)number;
    return OX_OK;
}
