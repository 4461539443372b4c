/*
 * publish.c: see publish.h.
 *
 * Invariants: what is sent was checked with policy_open, as its receivers do. Nothing is sent twice over a link
 * without need: a snapshot when it is new or the link is, the bindings and limits when they have changed.
 */
#include "role/manage/publish.h"

#include "base/cursor.h"
#include "cmdlet/policy_block.h"
#include "role/manage/snapshot.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <unistd.h>

void publish_init(struct publish *p, struct role *role, struct object_store *policy)
{
    *p = (struct publish){.role = role, .policy = policy, .fd = -1};
}

void publish_done(struct publish *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    buf_done(&p->bindings);
    buf_done(&p->limits);
}

void publish_send(struct publish *p, enum role_kind peer, struct link *link)
{
    struct buf body;
    if (!link || p->fd < 0)
        return;
    buf_init(&body, 64);
    put_u64(&body, p->version);
    enum err_code code = link_send(link, POLICY_SNAPSHOT, 0, buf_span(&body), &p->fd, 1);
    if (code && code != ERR_UNAVAILABLE) /* a peer that is gone gets it when it is back */
        log_text(LOG_ERROR, "policy-not-sent", "%s did not get the policy: %s", role_name(peer),
                 err_code_name(code));
    buf_done(&body);
}

static void send_to_all(struct publish *p)
{
    for (uint32_t i = 0; i < ROLE_RECEIVE_MAX; i++)
        publish_send(p, ROLE_RECEIVE, role_link(p->role, ROLE_RECEIVE, i));
    publish_send(p, ROLE_QUEUE, role_link(p->role, ROLE_QUEUE, 0));
    publish_send(p, ROLE_PICKUP, role_link(p->role, ROLE_PICKUP, 0));
}

/* To the supervisor. Takes over the body; frees it where *last, what the supervisor has, is the same. */
static void send_control(struct publish *p, uint16_t type, struct buf *last, struct buf *body, const char *what)
{
    bool same = last->len && span_eq(buf_span(last), buf_span(body));
    enum err_code code = same ? ERR_NONE : link_send(p->role->control, type, 0, buf_span(body), NULL, 0);
    if (code)
        log_text(LOG_ERROR, "control-not-sent", "the supervisor did not get %s: %s", what, err_code_name(code));
    if (same || code) {
        buf_done(body);
        return;
    }
    buf_done(last);
    *last = *body;
}

/* What the supervisor must know of a block, and, unless ret_fd is NULL, a sealed memory file with it. */
static enum err_code seal(const struct buf *block, struct buf *bindings, struct buf *limits, int *ret_fd,
                          struct err *err)
{
    struct policy *policy;
    enum err_code code = policy_open(buf_span(block), &policy, err);
    if (code)
        return code;
    code = snapshot_bindings(policy, bindings, err);
    pressure_put_limits(limits, &policy_settings(policy)->pressure);
    policy_close(policy);
    return code || !ret_fd ? code : memory_file_make("mailreeve-policy", buf_span(block), ret_fd, err);
}

static enum err_code make(struct publish *p, struct buf *bindings, struct buf *limits, int *ret_fd, struct err *err)
{
    struct buf block;
    buf_init(&block, POLICY_BLOCK_MAX);
    enum err_code code = cmdlet_policy_block(p->policy, p->generation, &block, err);
    if (!code)
        code = seal(&block, bindings, limits, ret_fd, err);
    buf_wipe(&block); /* it holds the passwords of smart hosts */
    return code;
}

void publish_update(struct publish *p)
{
    uint64_t generation = object_store_generation(p->policy);
    struct err err = {0};
    struct buf bindings, limits;
    int fd;
    if (p->tried && generation == p->generation)
        return;
    p->tried = true;
    p->generation = generation;
    buf_init(&bindings, FRAME_BODY_MAX);
    buf_init(&limits, FRAME_BODY_MAX);
    p->sound = make(p, &bindings, &limits, &fd, &err) == ERR_NONE;
    struct log_line l = log_begin(p->sound ? LOG_NOTICE : LOG_ERROR, p->sound ? "policy" : "policy-refused");
    log_int(&l, "version", (int64_t)generation);
    if (!p->sound)
        log_err(&l, &err);
    log_end(&l);
    if (!p->sound) {
        buf_done(&bindings);
        buf_done(&limits);
        return;
    }
    if (p->fd >= 0)
        close(p->fd);
    p->fd = fd;
    p->version = generation;
    send_to_all(p);
    send_control(p, CONTROL_LIMITS, &p->limits, &limits, "the limits of the resources");
    send_control(p, CONTROL_BINDINGS, &p->bindings, &bindings, "the addresses to listen on");
}

enum err_code publish_check(void *publish, struct err *err)
{
    struct publish *p = publish;
    struct buf bindings, limits;
    if (!p->sound)
        return ERR_NONE;
    buf_init(&bindings, FRAME_BODY_MAX);
    buf_init(&limits, FRAME_BODY_MAX);
    enum err_code code = make(p, &bindings, &limits, NULL, err);
    buf_done(&bindings);
    buf_done(&limits);
    return code;
}
