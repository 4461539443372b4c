/*
 * state.c: the state folder on disk.
 *
 * Invariant: node.conf is written last of all by init, with a rename; a folder without it is not used, and init may
 * be run on it again.
 */
#include "role/common/state.h"

#include "base/buf.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODE_FILE_MAX = 16 * 1024 };

static const struct {
    const char *name;
    mode_t mode;
} folders[] = {{"", 0755},     {"certs", 0700},  {"certs/trusted", 0700}, {"spool", 0700},
               {"mail", 0755}, {"pickup", 0770}, {"replay", 0770},        {"log", 0750}};

enum err_code state_path(const char *state, const char *name, char *out, size_t cap, struct err *err)
{
    int n = snprintf(out, cap, "%s/%s", state, name);
    if (n < 0 || (size_t)n >= cap)
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long (at most %d bytes)",
                       STATE_PATH_MAX);
    return ERR_NONE;
}

static enum err_code read_settings(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND,
                                         "%s does not exist: this is no state folder of Mailreeve; make one with "
                                         "`mailreeve init --state DIR --domain example.com`",
                                         path)
                               : err_errno(err, errno, "cannot read %s", path);
    buf_init(out, NODE_FILE_MAX);
    char *p = buf_reserve(out, NODE_FILE_MAX);
    ssize_t n = 0;
    while (p && out->len < NODE_FILE_MAX && (n = read(fd, p + out->len, NODE_FILE_MAX - out->len)) > 0)
        buf_commit(out, (size_t)n);
    int saved = errno;
    close(fd);
    if (!p || n < 0)
        return err_errno(err, p ? saved : ENOMEM, "cannot read %s", path);
    return ERR_NONE;
}

static bool copy_text(char *to, size_t cap, struct span value)
{
    if (value.len >= cap)
        return false;
    snprintf(to, cap, "%.*s", SPAN_ARG(value));
    return true;
}

static bool apply_setting(struct node_settings *s, struct span key, struct span value)
{
    if (span_eq(key, SPAN("hostname")))
        return value.len && copy_text(s->host, sizeof s->host, value);
    if (span_eq(key, SPAN("domain")))
        return copy_text(s->domain, sizeof s->domain, value);
    if (span_eq(key, SPAN("nameservers")))
        return copy_text(s->nameservers, sizeof s->nameservers, value);
    if (span_eq(key, SPAN("dnssec-anchors")))
        return (value.len == 0 || value.ptr[0] == '/') &&
               copy_text(s->dnssec_anchors, sizeof s->dnssec_anchors, value);
    if (span_eq(key, SPAN("port-offset")))
        return num_parse_u32(value, 64000, &s->port_offset);
    if (span_eq(key, SPAN("receivers")))
        return num_parse_u32(value, 64, &s->receivers);
    if (span_eq(key, SPAN("role"))) {
        s->edge = span_eq(value, SPAN("edge"));
        return s->edge || span_eq(value, SPAN("hub"));
    }
    if (span_eq(key, SPAN("log-level"))) {
        s->debug = span_eq(value, SPAN("debug"));
        return s->debug || span_eq(value, SPAN("info"));
    }
    return false;
}

static enum err_code parse_settings(const char *path, struct span text, struct node_settings *ret, struct err *err)
{
    struct node_settings s = {0};
    struct span rest = text, line;
    for (int number = 1; span_split(&rest, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        size_t eq = span_find(line, '=');
        if (eq == SIZE_MAX ||
            !apply_setting(&s, span_trim(span_head(line, eq)), span_trim(span_from(line, eq + 1))))
            return err_set(err, ERR_INVALID,
                           "%s line %d is not understood: `%.*s`; known are hostname, domain, role (hub, edge), "
                           "port-offset (0..64000), receivers (0..64), log-level (info, debug), nameservers, "
                           "dnssec-anchors (the path of a file)",
                           path, number, SPAN_ARG(line));
    }
    if (!s.host[0])
        return err_set(err, ERR_INVALID, "%s names no hostname; add a line such as hostname = mail.example.com",
                       path);
    *ret = s;
    return ERR_NONE;
}

enum err_code state_load(const char *state, struct node_settings *ret, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    struct buf text = {0};
    enum err_code code = state_path(state, "node.conf", path, sizeof path, err);
    if (!code)
        code = read_settings(path, &text, err);
    if (!code)
        code = parse_settings(path, buf_span(&text), ret, err);
    buf_done(&text);
    return code;
}

static enum err_code make_folder(const char *path, mode_t mode, struct err *err)
{
    int rc = mkdir(path, mode);
    if (rc == 0 && (mode & S_IWGRP)) /* which a usual umask takes away */
        rc = chmod(path, mode);
    if (rc < 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make the folder %s", path);
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "%s exists and is not a folder", path);
    return ERR_NONE;
}

static enum err_code make_parents(const char *path, struct err *err)
{
    char part[STATE_PATH_MAX + 64];
    for (size_t i = 1; path[i]; i++)
        if (path[i] == '/' && i < sizeof part) {
            memcpy(part, path, i);
            part[i] = '\0';
            enum err_code code = make_folder(part, 0755, err);
            if (code)
                return code;
        }
    return ERR_NONE;
}

/* What an init that was broken off may have left behind. */
static bool is_ours(const char *name)
{
    static const char *const starts[] = {"policy.db", "directory.db", "queue.db",
                                         "node.conf", "lock",         "lost+found"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (strcmp(name, folders[i].name) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (span_starts(span_of(name), span_of(starts[i])))
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The state is given to its user: somebody's home, or /, must not become one by mistake. */
static enum err_code check_free(const char *state, struct err *err)
{
    enum err_code code = ERR_NONE;
    DIR *d = opendir(state);
    for (struct dirent *e; d && !code && (e = readdir(d));)
        if (!is_ours(e->d_name))
            code =
                err_set(err, ERR_CONFLICT,
                        "%s holds other things already (%s) and is no state folder of Mailreeve; give a new or an "
                        "empty folder",
                        state, e->d_name);
    if (d)
        closedir(d);
    return code;
}

enum err_code state_make_folders(const char *state, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    if (strlen(state) > STATE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "the path of the state folder is longer than %d bytes", STATE_PATH_MAX);
    enum err_code code = check_free(state, err);
    if (!code)
        code = make_parents(state, err);
    for (size_t i = 0; !code && i < ARRAY_LEN(folders); i++) {
        code = state_path(state, folders[i].name, path, sizeof path, err);
        if (!code)
            code = make_folder(path, folders[i].mode, err);
    }
    return code;
}

static enum err_code write_flushed(const char *path, struct span text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", path);
    ssize_t n = write(fd, text.ptr, text.len);
    bool ok = n >= 0 && (size_t)n == text.len && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    return ok ? ERR_NONE : err_errno(err, saved, "cannot write %s", path);
}

enum err_code state_seal(const char *state, const struct node_settings *s, struct err *err)
{
    char path[STATE_PATH_MAX + 64], fresh[STATE_PATH_MAX + 64];
    struct buf b;
    enum err_code code;
    if ((code = state_path(state, "node.conf", path, sizeof path, err)) ||
        (code = state_path(state, "node.conf.new", fresh, sizeof fresh, err)))
        return code;
    buf_init(&b, NODE_FILE_MAX);
    buf_addf(
        &b,
        "# This node's own settings; the policy is in policy.db (mailreeve shell). Read at start and on SIGHUP.\n"
        "hostname = %s\ndomain = %s\nrole = %s\nport-offset = %u\n",
        s->host, s->domain, s->edge ? "edge" : "hub", s->port_offset);
    buf_addf(&b, "# receivers = 0          receive processes, 0: one per core\n# log-level = info       or debug\n"
                 "# nameservers = ADDRESS  for MX look-ups, instead of the system's\n"
                 "# dnssec-anchors = FILE   such as /usr/share/dns/root.key: validates the DNS (for DANE); read at "
                 "start\n");
    code = b.failed ? err_set(err, ERR_NO_MEMORY, "out of memory") : write_flushed(fresh, buf_span(&b), err);
    buf_done(&b);
    if (!code && rename(fresh, path) < 0)
        code = err_errno(err, errno, "cannot rename %s", fresh);
    int dir = code ? -1 : open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        if (fsync(dir) < 0)
            code = err_errno(err, errno, "cannot flush the folder %s", state);
        close(dir);
    }
    return code;
}

static enum err_code give(const char *path, const struct sandbox_user *user, struct err *err)
{
    if (lchown(path, user->uid, user->gid) < 0 && errno != ENOENT)
        return err_errno(err, errno, "cannot give %s to user %s", path, user->name);
    return ERR_NONE;
}

enum err_code state_give(const char *state, const struct sandbox_user *user, struct err *err)
{
    static const char *const names[] = {
        "",          "spool",         "mail",          "pickup",       "replay",           "log",
        "policy.db", "policy.db-wal", "policy.db-shm", "directory.db", "directory.db-wal", "directory.db-shm",
        "queue.db",  "queue.db-wal",  "queue.db-shm"};
    char path[STATE_PATH_MAX + 64];
    enum err_code code = ERR_NONE;
    for (size_t i = 0; user->change && !code && i < ARRAY_LEN(names); i++) {
        code = state_path(state, names[i], path, sizeof path, err);
        if (!code)
            code = give(path, user, err);
    }
    return code;
}

enum err_code state_make_pickup(const char *state, const struct sandbox_user *user, struct err *err)
{
    static const char *const names[] = {"pickup", "replay"};
    char path[STATE_PATH_MAX + 64];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        enum err_code code = state_path(state, names[i], path, sizeof path, err);
        struct stat st;
        if (code)
            return code;
        if (lstat(path, &st) == 0)
            continue;
        if ((code = make_folder(path, 0770, err)) || (user->change && (code = give(path, user, err))))
            return code;
    }
    return ERR_NONE;
}

enum err_code state_check_reachable(const char *state, const struct sandbox_user *user, struct err *err)
{
    char part[STATE_PATH_MAX + 64];
    size_t n = strlen(state);
    for (size_t i = 0; i <= n && i < sizeof part; i++) {
        if (state[i] != '/' && state[i] != '\0')
            continue;
        memcpy(part, state, i);
        part[i] = '\0';
        struct stat st;
        if (i == 0 || stat(part, &st) < 0)
            continue;
        bool may = st.st_uid == user->uid   ? st.st_mode & S_IXUSR
                   : st.st_gid == user->gid ? st.st_mode & S_IXGRP
                                            : st.st_mode & S_IXOTH;
        if (!may)
            return err_set(
                err, ERR_DENIED,
                "user %s cannot reach the state folder %s: %s is not searchable for it; put the state elsewhere "
                "(--state /var/lib/mailreeve) or allow it with `chmod o+x %s`",
                user->name, state, part, part);
    }
    return ERR_NONE;
}

enum err_code state_check_complete(const char *state, struct err *err)
{
    static const struct {
        const char *name, *holds;
    } parts[] = {{"policy.db", "the policy"},
                 {"directory.db", "the mailboxes and their passwords"},
                 {"queue.db", "the mail that was accepted and is not delivered yet"}};
    char path[STATE_PATH_MAX + 64];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct stat st;
        enum err_code code = state_path(state, parts[i].name, path, sizeof path, err);
        if (code)
            return code;
        if (stat(path, &st) == 0)
            continue;
        if (errno != ENOENT)
            return err_errno(err, errno, "cannot look at %s", path);
        return err_set(err, ERR_NOT_FOUND,
                       "%s is missing, which holds %s: the state folder is incomplete; restore the file from a "
                       "backup before starting",
                       path, parts[i].holds);
    }
    return ERR_NONE;
}

enum err_code state_lock(const char *state, int *ret_fd, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    enum err_code code = state_path(state, "lock", path, sizeof path, err);
    if (code)
        return code;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int saved = errno;
        close(fd);
        return saved == EWOULDBLOCK ? err_set(err, ERR_CONFLICT, "another mailreeve works on %s", state)
                                    : err_errno(err, saved, "cannot lock %s", path);
    }
    *ret_fd = fd;
    return ERR_NONE;
}
