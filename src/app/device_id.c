#include "device_id.h"

#include "oxide/base/buf.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096 /* of /sys and /proc */
#define VALUE_MAX 257 /* longer than any identifier may be */
#define MAC_CHARS 17  /* aa:bb:cc:dd:ee:ff */

/* --- reading --- */

/* Sizes of files in /sys and /proc say nothing. */
static size_t read_some(int fd, char *out, size_t max)
{
    size_t len = 0;
    ssize_t got = 1;

    while (len < max && got > 0) {
        got = read(fd, out + len, max - len);
        len += got > 0 ? (size_t)got : 0;
    }
    return len;
}

/* The first line of a file, without blanks around it; "" where there is none. Device trees end
 * their texts with a NUL. */
static void read_line(const char *root, const char *path, char out[VALUE_MAX])
{
    char text[FILE_MAX + 1];
    char full[PATH_MAX];
    const char *at = text;
    size_t len;
    int fd;

    out[0] = '\0';
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    text[read_some(fd, text, FILE_MAX)] = '\0';
    (void)close(fd);
    at += strspn(at, " \t");
    len = strcspn(at, "\r\n");
    while (len > 0 && strchr(" \t", at[len - 1]) != NULL) {
        len--;
    }
    if (len < VALUE_MAX) {
        memcpy(out, at, len);
        out[len] = '\0';
    }
}

/* --- serial numbers --- */

/* What makers leave in place of a number, so that thousands of machines have it. */
static bool is_filler(const char *serial)
{
    static const char *const fillers[] = {
        "default string",
        "to be filled by o.e.m.",
        "system serial number",
        "not specified",
        "not applicable",
        "none",
        "n/a",
        "unknown",
        "0123456789",
        "123456789",
        "oem",
        "chassis serial number",
        "invalid",
        "empty",
    };

    for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
        if (strcasecmp(serial, fillers[i]) == 0) {
            return true;
        }
    }
    return serial[strspn(serial, "0-. xX")] == '\0'; /* nothing but noughts */
}

static void find_serial(const char *root, char out[VALUE_MAX])
{
    static const char *const paths[] = {
        "/proc/device-tree/serial-number",  "/sys/firmware/devicetree/base/serial-number",
        "/sys/class/dmi/id/product_serial", "/sys/class/dmi/id/board_serial",
        "/sys/class/dmi/id/chassis_serial",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        read_line(root, paths[i], out);
        if (!is_filler(out)) {
            return;
        }
    }
    out[0] = '\0';
}

/* --- network interfaces --- */

/* The address of an interface that is a device of its own, with the address it was made with; ""
 * for bridges, tunnels, virtual ones, and what an administrator or chance has named. */
static void read_mac(const char *root, const char *name, char out[VALUE_MAX])
{
    char path[512];
    char kind[VALUE_MAX];
    struct stat st;

    out[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/sys/class/net/%.255s/device", root, name);
    if (stat(path, &st) != 0) {
        return;
    }
    (void)snprintf(path, sizeof(path), "/sys/class/net/%.255s/addr_assign_type", name);
    read_line(root, path, kind);
    if (strcmp(kind, "0") != 0) {
        return;
    }
    (void)snprintf(path, sizeof(path), "/sys/class/net/%.255s/address", name);
    read_line(root, path, out);
    if (strlen(out) != MAC_CHARS || strspn(out, "0123456789abcdefABCDEF:") != MAC_CHARS ||
        out[strspn(out, "0:")] == '\0') {
        out[0] = '\0';
    }
}

static bool is_wired(const char *name)
{
    return name[0] == 'e';
}

/* Does the interface come before the one found so far? Wired ones first, then by name: a stick that
 * is plugged in later does not push it aside. */
static bool comes_before(const char *name, const char *found)
{
    return found[0] == '\0' || (is_wired(name) && !is_wired(found)) ||
           (is_wired(name) == is_wired(found) && strcmp(name, found) < 0);
}

static void find_mac(const char *root, char out[VALUE_MAX])
{
    char path[512];
    char found[256] = "";
    char mac[VALUE_MAX];
    struct dirent *entry;
    size_t at = 0;
    DIR *dir;

    out[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/sys/class/net", root);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        read_mac(root, entry->d_name, mac);
        if (entry->d_name[0] != '.' && mac[0] != '\0' && comes_before(entry->d_name, found)) {
            (void)snprintf(found, sizeof(found), "%s", entry->d_name);
            memcpy(out, mac, sizeof(mac));
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    for (size_t i = 0; out[i] != '\0'; i++) { /* aabbccddeeff */
        if (out[i] != ':') {
            out[at++] = out[i] >= 'A' && out[i] <= 'F' ? (char)(out[i] - 'A' + 'a') : out[i];
        }
    }
    out[at] = '\0';
}

/* --- names --- */

static void find_hostname(const char *root, char out[VALUE_MAX])
{
    if (root[0] != '\0') {
        read_line(root, "/proc/sys/kernel/hostname", out);
    } else if (gethostname(out, VALUE_MAX) != 0) {
        out[0] = '\0';
    }
    out[VALUE_MAX - 1] = '\0';
    if (strcasecmp(out, "localhost") == 0 || strncasecmp(out, "localhost.", 10) == 0 ||
        strcmp(out, "(none)") == 0) {
        out[0] = '\0';
    }
}

static void find_machine_id(const char *root, char out[VALUE_MAX])
{
    read_line(root, "/etc/machine-id", out);
    if (out[0] == '\0' || strcmp(out, "uninitialized") == 0) {
        read_line(root, "/var/lib/dbus/machine-id", out);
    }
}

/* --- templates --- */

/* To add a name: a row here, and in docs/agent.md. */
static const struct name {
    const char *word;
    void (*find)(const char *root, char out[VALUE_MAX]); /* "" where there is none */
    const char *missing;
} names[] = {
    {"serial", find_serial,
     "this machine has no serial number of its own in its device tree or DMI (which root alone may "
     "read): take another name, or start the agent as root"},
    {"hostname", find_hostname,
     "this machine has no name of its own: set one with 'hostnamectl hostname NAME'"},
    {"mac", find_mac, "this machine has no network interface with a hardware address"},
    {"machine_id", find_machine_id,
     "/etc/machine-id is empty: make it with 'systemd-machine-id-setup'"},
};

static const struct name *find_name(const char *at, size_t len)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i].word) == len && memcmp(names[i].word, at, len) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

/* What an identifier cannot hold becomes "-", and a dot that would be the second one. */
static void sanitise(char *value)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";

    for (size_t i = 0; value[i] != '\0'; i++) {
        if (strchr(allowed, value[i]) == NULL ||
            (value[i] == '.' && (i == 0 || value[i - 1] == '.'))) {
            value[i] = '-';
        }
    }
}

static enum ox_code put_value(struct ox_buf *id, const char *at, size_t len, const char *root,
                              struct ox_err *err)
{
    const struct name *name = find_name(at, len);
    char value[VALUE_MAX];

    if (name == NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "{%.*s} is not known: it is {serial}, {hostname}, {mac} or {machine_id}",
                          len > 40 ? 40 : (int)len, at);
    }
    name->find(root, value);
    if (value[0] == '\0') {
        return ox_err_set(err, OX_ENOTFOUND, "{%s}: %s", name->word, name->missing);
    }
    sanitise(value);
    return ox_buf_append(id, value, strlen(value), err);
}

enum ox_code ox_device_id_resolve(const char *template, const char *root, char out[OX_ID_MAX + 1],
                                  struct ox_err *err)
{
    struct ox_buf id = OX_BUF_INIT;
    enum ox_code code = OX_OK;

    for (const char *at = template; code == OX_OK && *at != '\0';) {
        size_t len = strcspn(at, "{}");

        code = ox_buf_append(&id, at, len, err);
        at += len;
        if (code != OX_OK || *at == '\0') {
            break;
        }
        len = strcspn(at + 1, "{}");
        if (*at == '}' || at[1 + len] != '}') {
            code = ox_err_set(err, OX_EINVAL,
                              "\"%.80s\" has a brace that stands alone: names are written as "
                              "{serial}",
                              template);
            break;
        }
        code = put_value(&id, at + 1, len, root, err);
        at += len + 2;
    }
    if (code == OX_OK) {
        code = ox_buf_append(&id, "", 1, err);
    }
    if (code == OX_OK && (code = ox_id_check("device id", (const char *)id.data, err)) == OX_OK) {
        memcpy(out, id.data, id.len_bytes);
    }
    ox_buf_clear(&id);
    return code;
}
