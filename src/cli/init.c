/*
 * init.c: `mailreeve init`: a state folder with all that a server needs to begin. node.conf is written last, so an
 * init that was broken off can be run again.
 */
#include "base/num.h"
#include "cli/cli.h"
#include "cmdlet/bootstrap.h"
#include "directory/embedded.h"
#include "mail/domain.h"
#include "role/common/admin.h"
#include "role/common/state.h"
#include "runtime/clock.h"
#include "store/queue_sqlite.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CERTIFICATE_DAYS = 825, PEM_MAX = 64 * 1024, OFFSET_MAX = 64000 };

static enum err_code write_pem(const char *path, struct span pem, mode_t mode, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", path);
    bool ok = write(fd, pem.ptr, pem.len) == (ssize_t)pem.len && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    return ok ? ERR_NONE : err_errno(err, saved, "cannot write %s", path);
}

/* A self-signed certificate for the host, unless there is one of that name. */
static enum err_code make_certificate(const char *state, const char *host, struct err *err)
{
    char crt[STATE_PATH_MAX + 600], key[STATE_PATH_MAX + 600];
    struct buf chain, secret;
    snprintf(crt, sizeof crt, "%s/certs/%s.crt", state, host);
    snprintf(key, sizeof key, "%s/certs/%s.key", state, host);
    if (access(crt, F_OK) == 0)
        return ERR_NONE;
    struct span name = span_of(host);
    buf_init(&chain, PEM_MAX);
    buf_init(&secret, PEM_MAX);
    enum err_code code = tls_make_self_signed(&name, 1, clock_wall_ms(), CERTIFICATE_DAYS, &chain, &secret, err);
    if (!code)
        code = write_pem(key, buf_span(&secret), 0600, err);
    if (!code)
        code = write_pem(crt, buf_span(&chain), 0644, err);
    buf_done(&chain);
    buf_wipe(&secret);
    return code;
}

static enum err_code make_policy(const char *state, const struct node_settings *node, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    struct admin a = {0};
    struct object_store *store = NULL;
    enum err_code code = state_path(state, "policy.db", path, sizeof path, err);
    if (!code)
        code = object_store_sqlite_open(path, &store, err);
    if (!code)
        code = admin_init(&a, err);
    if (!code) {
        a.context.policy = store;
        a.context.edge = node->edge;
        a.context.host = span_of(node->host);
        a.context.port_offset = node->port_offset;
        code = object_store_begin(store, err);
    }
    if (!code)
        code = cmdlet_init_state(&a.context, span_of(node->domain), err);
    if (!code)
        code = object_store_commit(store, err);
    object_store_close(store);
    admin_done(&a);
    return code;
}

/* Makes the empty databases, so that they exist with their owner before a role opens them. */
static enum err_code make_databases(const char *state, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    struct directory *d = NULL;
    struct queue *q = NULL;
    enum err_code code = state_path(state, "directory.db", path, sizeof path, err);
    if (!code)
        code = directory_embedded_open(path, &d, err);
    directory_close(d);
    if (!code)
        code = state_path(state, "queue.db", path, sizeof path, err);
    if (!code)
        code = queue_sqlite_open(path, &q, err);
    queue_close(q);
    if (!code)
        code = state_path(state, "queue.db-lock", path, sizeof path, err);
    if (!code)
        unlink(path); /* root's; the role queue makes its own */
    return code;
}

static enum err_code make_state(const char *state, const struct node_settings *node, struct err *err)
{
    static const char *const partial[] = {"policy.db", "policy.db-wal", "policy.db-shm"};
    struct sandbox_user user;
    bool fallback;
    enum err_code code = state_make_folders(state, err);
    for (size_t i = 0; !code && i < ARRAY_LEN(partial); i++) { /* of an init that was broken off */
        char path[STATE_PATH_MAX + 64];
        code = state_path(state, partial[i], path, sizeof path, err);
        if (!code)
            unlink(path);
    }
    if (code || (code = make_certificate(state, node->host, err)) || (code = make_policy(state, node, err)) ||
        (code = make_databases(state, err)) || (code = sandbox_find_user(&user, &fallback, err)))
        return code;
    if (fallback)
        fprintf(stderr, "mailreeve init: warning: the system user `mailreeve` is missing; the state is given to "
                        "`nobody`. Create the user and run "
                        "chown: adduser --system --group --no-create-home mailreeve\n");
    code = state_give(state, &user, err);
    return code ? code : state_seal(state, node, err);
}

static bool read_settings(const char *domain, const char *host, const char *role, const char *offset,
                          struct node_settings *ret)
{
    if (!domain || !domain_valid(span_of(domain), 0)) {
        fprintf(stderr, "mailreeve init: --domain %s: the first accepted domain is expected, such as example.com\n",
                domain ? domain : "must be given");
        return false;
    }
    snprintf(ret->domain, sizeof ret->domain, "%s", domain);
    if (host && !domain_valid(span_of(host), 0)) {
        fprintf(stderr, "mailreeve init: --hostname %s: a full host name is expected, such as mail.example.com\n",
                host);
        return false;
    }
    if (host)
        snprintf(ret->host, sizeof ret->host, "%s", host);
    else if (strlen(domain) + 5 < sizeof ret->host)
        snprintf(ret->host, sizeof ret->host, "mail.%.249s", domain);
    ret->edge = role && strcmp(role, "edge") == 0;
    if (role && !ret->edge && strcmp(role, "hub") != 0) {
        fprintf(stderr, "mailreeve init: --role %s: hub or edge is expected\n", role);
        return false;
    }
    if (offset && !num_parse_u32(span_of(offset), OFFSET_MAX, &ret->port_offset)) {
        fprintf(stderr, "mailreeve init: --port-offset %s: a number from 0 to %d is expected\n", offset,
                OFFSET_MAX);
        return false;
    }
    return true;
}

int cli_init(int argc, char **argv)
{
    const char *state = NULL, *domain = NULL, *host = NULL, *role = NULL, *offset = NULL;
    const struct cli_option options[] = {{"state", &state, NULL},
                                         {"domain", &domain, NULL},
                                         {"hostname", &host, NULL},
                                         {"role", &role, NULL},
                                         {"port-offset", &offset, NULL}};
    struct node_settings node = {0}, present;
    struct err err = {0};
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    if (left > 0)
        fprintf(stderr, "mailreeve init: `%s` is too much; all is given by options\n", argv[1]);
    if (left || !read_settings(domain, host, role, offset, &node))
        return CLI_USAGE;
    state = cli_state(state);
    enum err_code code = state_load(state, &present, &err);
    if (code == ERR_NONE) {
        printf("%s is initialised already (%s, domain %s); nothing was changed\n", state, present.host,
               present.domain);
        return CLI_OK;
    }
    if (code != ERR_NOT_FOUND || make_state(state, &node, &err)) {
        fprintf(stderr, "mailreeve init: %s\n", err.text);
        return CLI_FAILED;
    }
    printf("%s is ready: %s, domain %s, %s\nNext: mailreeve serve --state %s\n", state, node.host, node.domain,
           node.edge ? "edge" : "hub", state);
    return CLI_OK;
}
