/*
 * sandboxed UNIT FOLDER PROGRAM...: run a program under the restrictions of a unit of systemd, as
 * systemd would, but in the place of this process: for tests on machines where systemd is not the
 * first process. FOLDER is the state directory, all that can be written. Needs root.
 *
 * To know another directive: a row in `directives`; one that is not known ends it, so that the
 * tests cannot pass without what the unit demands.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "sandboxed: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void must(int result, const char *what)
{
    if (result < 0) {
        die(what);
    }
}

/* --- what the unit says --- */

struct unit {
    bool user_namespace, mounts, ipc, uts;
    bool system_read_only, home, tmp, devices, proc_invisible, proc_subset, hostname;
    bool no_namespaces, no_realtime, no_suid, no_wx, no_personality, no_new_privileges;
    bool no_capabilities, native_only;
    bool families[64]; /* of addresses that may be used; [0]: said */
    char *filters[16]; /* of system calls, in order */
    size_t filter_count;
    int filter_errno;
    mode_t umask;
};

static bool is_yes(const char *value)
{
    return strcmp(value, "yes") == 0;
}

static bool set_families(struct unit *unit, const char *value)
{
    static const struct {
        const char *word;
        int family;
    } rows[] = {{"AF_UNIX", 1}, {"AF_INET", 2}, {"AF_INET6", 10}};
    char text[256];
    char *rest = text;
    char *word;

    (void)snprintf(text, sizeof(text), "%s", value);
    unit->families[0] = true;
    while ((word = strsep(&rest, " ")) != NULL) {
        bool known = *word == '\0';

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (strcmp(rows[i].word, word) == 0) {
                unit->families[rows[i].family] = known = true;
            }
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

#define FLAG(directive, member)                                                                    \
    static bool set_##member(struct unit *unit, const char *value)                                 \
    {                                                                                              \
        unit->member = is_yes(value);                                                              \
        return unit->member || strcmp(value, "no") == 0;                                           \
    }
FLAG(PrivateUsers, user_namespace)
FLAG(PrivateMounts, mounts)
FLAG(PrivateIPC, ipc)
FLAG(ProtectHostname, hostname)
FLAG(ProtectHome, home)
FLAG(PrivateTmp, tmp)
FLAG(PrivateDevices, devices)
FLAG(RestrictNamespaces, no_namespaces)
FLAG(RestrictRealtime, no_realtime)
FLAG(RestrictSUIDSGID, no_suid)
FLAG(MemoryDenyWriteExecute, no_wx)
FLAG(LockPersonality, no_personality)
FLAG(NoNewPrivileges, no_new_privileges)

static bool set_system(struct unit *unit, const char *value)
{
    return unit->system_read_only = strcmp(value, "strict") == 0;
}

static bool set_proc(struct unit *unit, const char *value)
{
    return unit->proc_invisible = strcmp(value, "invisible") == 0;
}

static bool set_subset(struct unit *unit, const char *value)
{
    return unit->proc_subset = strcmp(value, "pid") == 0;
}

static bool set_capabilities(struct unit *unit, const char *value)
{
    return unit->no_capabilities = *value == '\0';
}

static bool set_native(struct unit *unit, const char *value)
{
    return unit->native_only = strcmp(value, "native") == 0;
}

static bool set_filter(struct unit *unit, const char *value)
{
    if (unit->filter_count == sizeof(unit->filters) / sizeof(unit->filters[0])) {
        return false;
    }
    return (unit->filters[unit->filter_count++] = strdup(value)) != NULL;
}

static bool set_errno(struct unit *unit, const char *value)
{
    unit->filter_errno = EPERM;
    return strcmp(value, "EPERM") == 0;
}

static bool set_umask(struct unit *unit, const char *value)
{
    unit->umask = (mode_t)strtoul(value, NULL, 8);
    return true;
}

/* What follows from others here, or has nothing to do with what a program may do. */
static bool pass(struct unit *unit, const char *value)
{
    (void)unit;
    (void)value;
    return true;
}

static const struct {
    const char *name;
    bool (*set)(struct unit *unit, const char *value);
} directives[] = {
    {"PrivateUsers", set_user_namespace},
    {"PrivateMounts", set_mounts},
    {"PrivateIPC", set_ipc},
    {"ProtectHostname", set_hostname},
    {"ProtectHome", set_home},
    {"PrivateTmp", set_tmp},
    {"PrivateDevices", set_devices},
    {"RestrictNamespaces", set_no_namespaces},
    {"RestrictRealtime", set_no_realtime},
    {"RestrictSUIDSGID", set_no_suid},
    {"MemoryDenyWriteExecute", set_no_wx},
    {"LockPersonality", set_no_personality},
    {"NoNewPrivileges", set_no_new_privileges},
    {"ProtectSystem", set_system},
    {"ProtectProc", set_proc},
    {"ProcSubset", set_subset},
    {"CapabilityBoundingSet", set_capabilities},
    {"AmbientCapabilities", pass}, /* none, without a bounding set */
    {"SystemCallArchitectures", set_native},
    {"SystemCallFilter", set_filter},
    {"SystemCallErrorNumber", set_errno},
    {"RestrictAddressFamilies", set_families},
    {"UMask", set_umask},
    {"ProtectClock", pass}, /* without capabilities nobody sets it; no devices */
    {"ProtectKernelTunables", pass}, /* all is read-only */
    {"ProtectKernelModules", pass},
    {"ProtectKernelLogs", pass},
    {"ProtectControlGroups", pass},
    {"DevicePolicy", pass},
    {"RemoveIPC", pass},
    {"KeyringMode", pass},
    {"Type", pass},
    {"ExecStart", pass},
    {"ExecReload", pass},
    {"Restart", pass},
    {"RestartSec", pass},
    {"WatchdogSec", pass},
    {"TimeoutStopSec", pass},
    {"User", pass},
    {"Group", pass},
    {"StateDirectory", pass},
    {"StateDirectoryMode", pass},
    {"WorkingDirectory", pass},
    {"CPUWeight", pass},
    {"LoadCredential", pass},
    {"MemoryHigh", pass},
    {"TasksMax", pass},
    {"LimitNOFILE", pass},
};

static void read_directive(struct unit *unit, char *line)
{
    char *value = strchr(line, '=');
    size_t i = 0;

    if (value == NULL) {
        errno = EINVAL;
        die(line);
    }
    *value++ = '\0';
    while (i < sizeof(directives) / sizeof(directives[0]) &&
           strcmp(directives[i].name, line) != 0) {
        i++;
    }
    if (i == sizeof(directives) / sizeof(directives[0]) || !directives[i].set(unit, value)) {
        value[-1] = '=';
        errno = ENOTSUP;
        die(line);
    }
}

static void read_unit(struct unit *unit, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024];
    bool service = false;

    if (file == NULL) {
        die(path);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '[') {
            service = strcmp(line, "[Service]") == 0;
        } else if (service && line[0] != '\0' && line[0] != '#') {
            read_directive(unit, line);
        }
    }
    (void)fclose(file);
}

/* --- mounts --- */

static void bind_at(int fd, const char *path, bool writable)
{
    struct mount_attr attr = {.attr_clr = writable ? MOUNT_ATTR_RDONLY : 0,
                              .attr_set = writable ? 0 : MOUNT_ATTR_RDONLY};
    char from[64];

    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    must(mount(from, path, NULL, MS_BIND | MS_REC, NULL), path);
    must(mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)), path);
}

/* Every folder on the way to path. */
static void make_folders(const char *path)
{
    char text[4096];

    (void)snprintf(text, sizeof(text), "%s", path);
    for (char *at = text + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(text, 0755);
        *at = '/';
    }
    (void)mkdir(text, 0755);
}

static int open_folder(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    must(fd, path);
    return fd;
}

static void private_devices(void)
{
    static const struct {
        const char *name;
        unsigned major, minor;
    } nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}};
    char path[64];

    must(mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755"), "/dev");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        (void)snprintf(path, sizeof(path), "/dev/%s", nodes[i].name);
        must(mknod(path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), path);
        must(chmod(path, 0666), path);
    }
}

/* All of it read-only but `folder`; `program` stays in sight. */
static void set_mounts_up(const struct unit *unit, const char *folder, const char *program)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    char tree[4096]; /* where the program is: files of tests may lie beside it */
    int folder_fd;
    int tree_fd;

    (void)snprintf(tree, sizeof(tree), "%s", program);
    *strrchr(tree, '/') = '\0';
    must(unshare(CLONE_NEWNS), "unsharing mounts");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    folder_fd = open_folder(folder);
    tree_fd = open_folder(tree);
    if (unit->tmp) {
        must(mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), "/tmp");
    }
    if (unit->home) {
        must(mount("tmpfs", "/home", "tmpfs", MS_NOSUID | MS_NODEV, "mode=000"), "/home");
        if (strncmp(tree, "/root", 5) != 0 && strncmp(folder, "/root", 5) != 0) {
            must(mount("tmpfs", "/root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=000"), "/root");
        }
    }
    if (unit->devices) {
        private_devices();
    }
    if (unit->proc_invisible) {
        must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   unit->proc_subset ? "hidepid=invisible,subset=pid" : "hidepid=invisible"),
             "/proc");
    }
    make_folders(folder);
    make_folders(tree);
    if (unit->system_read_only) {
        must(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)),
             "read-only mounts");
        read_only = (struct mount_attr){.attr_clr = MOUNT_ATTR_RDONLY};
        must(mount_setattr(AT_FDCWD, "/proc", 0, &read_only, sizeof(read_only)), "/proc");
        must(mount_setattr(AT_FDCWD, "/dev", 0, &read_only, sizeof(read_only)), "/dev");
    }
    bind_at(tree_fd, tree, false);
    bind_at(folder_fd, folder, true);
    must(chdir(folder), folder);
}

/* --- privileges --- */

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        die(path);
    }
    (void)close(fd);
}

static void drop_privileges(const struct unit *unit)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    if (unit->user_namespace) {
        must(unshare(CLONE_NEWUSER), "unsharing users");
        write_text("/proc/self/setgroups", "deny");
        write_text("/proc/self/uid_map", "0 0 1");
        write_text("/proc/self/gid_map", "0 0 1");
    }
    for (int cap = 0; unit->no_capabilities && cap <= CAP_LAST_CAP; cap++) {
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* one that this kernel does not know */
    }
    if (unit->no_capabilities) {
        must((int)syscall(SYS_capset, &header, none), "dropping capabilities");
    }
    if (unit->no_new_privileges) {
        must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
    }
}

/* --- system calls --- */

/* Names of sets, as systemd knows them: "@set\n    # what\n    name\n ...". */
static char *sets;

static void read_sets(void)
{
    FILE *pipe = popen("systemd-analyze syscall-filter --no-pager 2> /dev/null", "re");
    size_t len = 0;

    sets = calloc(1, 1 << 20);
    if (pipe == NULL || sets == NULL) {
        die("systemd-analyze");
    }
    len = fread(sets, 1, (1 << 20) - 1, pipe);
    if (pclose(pipe) != 0 || len == 0) {
        die("systemd-analyze syscall-filter");
    }
}

struct names {
    char *list[1024];
    size_t count;
};

static void change(struct names *names, const char *name, bool add)
{
    size_t i = 0;

    while (i < names->count && strcmp(names->list[i], name) != 0) {
        i++;
    }
    if (add && i == names->count && i < sizeof(names->list) / sizeof(names->list[0])) {
        names->list[names->count++] = strdup(name);
    } else if (!add && i < names->count) {
        names->list[i] = names->list[--names->count];
    }
}

static void change_by(struct names *names, const char *word, bool add, int depth)
{
    char head[128];
    const char *at;

    if (word[0] != '@') {
        change(names, word, add);
        return;
    }
    (void)snprintf(head, sizeof(head), "\n%s\n", word);
    at = strncmp(sets, head + 1, strlen(head) - 1) == 0 ? sets : strstr(sets, head);
    if (at == NULL || depth > 8) {
        errno = EINVAL;
        die(word);
    }
    at = strchr(at + 1, '\n') + 1;
    while (strncmp(at, "    ", 4) == 0) {
        char name[128];
        size_t len;

        at += 4;
        len = strcspn(at, "\n");
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, at);
        at += len + (at[len] == '\n');
        if (name[0] != '#') {
            change_by(names, name, add, depth + 1);
        }
    }
}

static void allow_by_sets(const struct unit *unit, scmp_filter_ctx filter)
{
    static struct names names;

    change_by(&names, "@default", true, 0);
    for (size_t i = 0; i < unit->filter_count; i++) {
        char *rest = unit->filters[i];
        bool add = *rest != '~';
        char *word;

        rest += !add;
        while ((word = strsep(&rest, " ")) != NULL) {
            if (*word != '\0') {
                change_by(&names, word, add, 0);
            }
        }
    }
    for (size_t i = 0; i < names.count; i++) {
        int number = seccomp_syscall_resolve_name(names.list[i]);

        if (number >= 0) { /* else of another processor */
            must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), names.list[i]);
        }
    }
}

static void load(scmp_filter_ctx filter)
{
    must(seccomp_load(filter), "loading a filter of system calls");
    seccomp_release(filter);
}

static scmp_filter_ctx new_filter(uint32_t otherwise)
{
    scmp_filter_ctx filter = seccomp_init(otherwise);

    if (filter == NULL) {
        die("a filter of system calls");
    }
    return filter;
}

#define DENY SCMP_ACT_ERRNO(EPERM)

/* What systemd forbids by the arguments of calls. */
static void load_denials(const struct unit *unit)
{
    static const uint64_t namespaces[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                                          CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
    scmp_filter_ctx filter = new_filter(SCMP_ACT_ALLOW);

    for (size_t i = 0; unit->no_namespaces && i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(unshare), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i])),
             "unshare");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i])),
             "clone");
    }
    if (unit->no_namespaces) {
        must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(setns), 0), "setns");
    }
    for (int family = 1; unit->families[0] && family < 64; family++) {
        if (!unit->families[family]) {
            must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (uint64_t)family)),
                 "socket");
        }
    }
    if (unit->no_realtime) {
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(sched_setscheduler), 1,
                              SCMP_A1(SCMP_CMP_EQ, SCHED_FIFO)),
             "sched_setscheduler");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(sched_setscheduler), 1,
                              SCMP_A1(SCMP_CMP_EQ, SCHED_RR)),
             "sched_setscheduler");
    }
    for (int i = 0; unit->no_suid && i < 2; i++) {
        uint64_t bit = i == 0 ? S_ISUID : S_ISGID;

        must(seccomp_rule_add(filter, DENY, SCMP_SYS(chmod), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit)),
             "chmod");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(fchmod), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit)),
             "fchmod");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(fchmodat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit)),
             "fchmodat");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(mkdirat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit)),
             "mkdirat");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(openat), 2,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT),
                              SCMP_A3(SCMP_CMP_MASKED_EQ, bit, bit)),
             "openat");
    }
    if (unit->no_wx) {
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC,
                                      PROT_WRITE | PROT_EXEC)),
             "mmap");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)),
             "mprotect");
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(pkey_mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)),
             "pkey_mprotect");
    }
    if (unit->no_personality) {
        must(seccomp_rule_add(filter, DENY, SCMP_SYS(personality), 1,
                              SCMP_A0(SCMP_CMP_NE, 0xffffffffUL)),
             "personality");
    }
    load(filter);
}

int main(int argc, char **argv)
{
    struct unit unit = {.umask = 022};
    scmp_filter_ctx filter;

    if (argc < 4 || argv[3][0] != '/') {
        (void)fputs("usage: sandboxed UNIT FOLDER /PROGRAM [ARGUMENT...]\n", stderr);
        return 125;
    }
    read_unit(&unit, argv[1]);
    if (unit.filter_count > 0) {
        read_sets();
    }
    (void)umask(unit.umask);
    if (unit.ipc) {
        must(unshare(CLONE_NEWIPC), "unsharing IPC");
    }
    if (unit.hostname) {
        must(unshare(CLONE_NEWUTS), "unsharing the host's name");
    }
    if (unit.mounts) {
        set_mounts_up(&unit, argv[2], argv[3]);
    }
    drop_privileges(&unit);
    load_denials(&unit);
    if (unit.filter_count > 0) {
        filter = new_filter(unit.filter_errno == 0 ? SCMP_ACT_KILL_PROCESS
                                                   : SCMP_ACT_ERRNO((uint32_t)unit.filter_errno));
        allow_by_sets(&unit, filter);
        load(filter);
    }
    (void)execv(argv[3], argv + 3);
    die(argv[3]);
}
