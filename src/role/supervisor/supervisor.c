/*
 * supervisor.c: from start to end: lock the state, read keys, start the roles, open the sockets that the policy
 * asks for when every role is up (before that a client could only be told to come back later), say "ready", pass
 * signals on, and stop in order: receive processes drain first, so that whatever they accepted is stored; then the
 * rest.
 *
 * It also watches what the server may run short of (pressure.c).
 *
 * SIGTERM, SIGINT: stop. SIGHUP: read node.conf and certificates again and tell the roles to reload; certificates
 * that change on disk are taken up without it (watch.c).
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "role/common/state.h"
#include "runtime/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static void announce(const struct supervisor *s)
{
    bool all = s->listener_count == s->wanted_count;
    char addresses[64];
    if (all)
        snprintf(addresses, sizeof addresses, "%zu listening addresses", s->listener_count);
    else
        snprintf(addresses, sizeof addresses, "%zu of %zu listening addresses", s->listener_count, s->wanted_count);
    sd_notify(0, "READY=1");
    log_text(all ? LOG_NOTICE : LOG_WARNING, "ready", "%s, %u receive processes", addresses, s->receivers);
    /* Behind the log where both go to one file; that fails on terminals and pipes, where it is not needed. */
    IGNORE_RESULT(lseek(STDOUT_FILENO, 0, SEEK_END));
    printf("ready%s%s\n", all ? "" : ": ", all ? "" : addresses);
    fflush(stdout);
}

void supervisor_check_ready(struct supervisor *s)
{
    if (s->serving || s->stopping || !s->bindings_known || !children_all_ready(s))
        return;
    s->serving = true;
    submit_open(s);
    listeners_open_missing(s);
    if (s->wanted_count && s->listener_count == 0) {
        log_text(LOG_ERROR, "listen-failed",
                 "none of the %zu addresses that the receive connectors name can be listened on", s->wanted_count);
        s->exit_status = EXIT_FAILURE;
        raise(SIGTERM);
        return;
    }
    announce(s);
}

void supervisor_on_bindings(struct supervisor *s, struct span body)
{
    static struct ip_endpoint endpoints[SUPERVISOR_LISTENERS_MAX];
    struct cursor c = cursor_of(body);
    uint32_t count = cursor_u32(&c);
    for (uint32_t i = 0; i < count && cursor_ok(&c); i++) {
        struct span text = cursor_bytes(&c, IP_ENDPOINT_TEXT_MAX);
        if (i >= SUPERVISOR_LISTENERS_MAX || !ip_parse_endpoint(text, &endpoints[i]))
            c.bad = true;
    }
    if (!cursor_done(&c)) {
        log_text(LOG_ERROR, "bad-frame", "manage sent a malformed list of bindings");
        return;
    }
    if (s->stopping)
        return;
    listeners_set(s, endpoints, count);
    s->bindings_known = true;
    supervisor_check_ready(s);
}

void supervisor_children_gone(struct supervisor *s)
{
    uv_stop(&s->loop);
}

static void stop(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    sd_notify(0, "STOPPING=1");
    log_text(LOG_NOTICE, "stopping", "no new sessions; those under way are finished");
    submit_close(s);
    listeners_close(s);
    children_stop(s);
}

void supervisor_put_node(const struct supervisor *s, struct buf *out)
{
    put_bytes(out, span_of(s->node.host));
    put_bool(out, s->node.debug);
    put_bytes(out, span_of(s->node.nameservers));
    put_bytes(out, span_of(s->node.dnssec_anchors));
}

/* All or nothing: what cannot be read or used leaves everything as it was. */
static void reload(struct supervisor *s)
{
    struct node_settings node;
    struct err err = {0};
    watch_note(s);
    if (keytab_load(s))
        keytab_hand_over_all(s);
    if (state_load(s->state, &node, &err) || keys_load(s, &err) || keys_make_tickets(s, &err)) {
        log_text(LOG_ERROR, "reload-failed", "%s", err.text);
        return;
    }
    s->node = node;
    log_set_threshold(node.debug ? LOG_DEBUG : LOG_INFO);
    struct buf b;
    buf_init(&b, FRAME_BODY_MAX);
    supervisor_put_node(s, &b);
    ASSERT(!b.failed);
    keys_hand_over_all(s);
    children_tell(s, ROLE_KINDS, CONTROL_RELOAD, buf_span(&b));
    buf_done(&b);
    log_text(LOG_NOTICE, "reloaded", "%zu certificates; receivers and ports of node.conf apply at the next start",
             s->identity_count);
}

static void on_signal(uv_signal_t *h, int number)
{
    struct supervisor *s = h->data;
    if (number == SIGHUP)
        reload(s);
    else
        stop(s);
}

/*
 * A connection is a descriptor, and the usual soft limit (1024) is meant for programs that use select(). The roles
 * inherit ours.
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_text(LOG_WARNING, "descriptor-limit", "it stays %llu a process: %s", (unsigned long long)before,
                 strerror(errno));
}

static enum err_code start(struct supervisor *s, struct err *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    bool fallback;
    enum err_code code;
    raise_descriptor_limit();
    watch_note(s);
    keytab_load(s);
    if ((code = sandbox_find_user(&s->user, &fallback, err)) || (code = keys_load(s, err)) ||
        (code = keys_make_tickets(s, err)) || (code = keys_make_tickets(s, err)) ||
        (code = counting_make(s, err)) || (code = metering_make(s, err)))
        return code;
    if (fallback)
        log_text(LOG_WARNING, "no-user",
                 "the system user `mailreeve` is missing: the roles run as `nobody`, which other services "
                 "may share; create it: adduser --system --group --no-create-home mailreeve");
    if (s->user.change && (code = state_check_reachable(s->state, &s->user, err)))
        return code;
    if ((code = state_make_pickup(s->state, &s->user, err)))
        return code;
    if (uv_loop_init(&s->loop) < 0)
        return err_set(err, ERR_NO_MEMORY, "cannot make an event loop");
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&s->loop, &s->drain);
    uv_timer_init(&s->loop, &s->retry);
    s->drain.data = s->retry.data = s;
    watch_start(s);
    code = pressure_start(s, err);
    return code ? code : children_start(s, err);
}

static unsigned count_receivers(unsigned wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = wanted ? wanted : cores > 0 ? (unsigned)cores : 1;
    return n > ROLE_RECEIVE_MAX ? ROLE_RECEIVE_MAX : n;
}

int supervisor_serve(const struct supervisor_options *options)
{
    static struct supervisor s;
    struct err err = {0};
    int lock = -1;
    s.options = options;
    log_init("supervisor");
    signal(SIGPIPE, SIG_IGN);
    char *path = realpath(options->state, NULL);
    if (!path || strlen(path) > STATE_PATH_MAX) {
        fprintf(stderr, "mailreeve serve: cannot use the state folder %s: %s\n", options->state,
                path ? "its path is too long" : strerror(errno));
        free(path);
        return EXIT_FAILURE;
    }
    snprintf(s.state, sizeof s.state, "%s", path);
    free(path);
    if (state_load(s.state, &s.node, &err) || state_lock(s.state, &lock, &err) ||
        state_check_complete(s.state, &err)) {
        fprintf(stderr, "mailreeve serve: %s\n", err.text);
        return EXIT_FAILURE;
    }
    log_set_threshold(s.node.debug ? LOG_DEBUG : LOG_INFO);
    s.receivers = count_receivers(options->receivers ? options->receivers : s.node.receivers);
    if (start(&s, &err)) {
        fprintf(stderr, "mailreeve serve: %s\n", err.text);
        return EXIT_FAILURE;
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    keys_wipe(&s);
    resources_done(&s.resources);
    keytab_file_done(&s.keytab);
    close(lock);
    log_text(s.killed ? LOG_WARNING : LOG_NOTICE, "stopped", "%s",
             s.killed ? "after processes that did not end were killed" : "orderly");
    return s.exit_status;
}
