/*
 * smtp_transport.c: a job for SMTP or LMTP: which connection to use, and which host and address to try next.
 *
 * Order: a resting connection to the same destination; else the hosts in order, of each its addresses in order,
 * until one of them takes the envelope. Whatever is refused before MAIL (DNS, connect, greeting, EHLO, TLS, AUTH)
 * leads to the next; whatever is said about the envelope or the content is final for this attempt. When all failed,
 * a temporary failure outweighs a permanent one, since that host may take the mail later.
 *
 * Invariants: at most one of `question`, `sts_question` and `connection` is set, and neither once the task has
 * ended; a resting connection that turns out to be dead costs a fresh start and decides nobody.
 */
#include "delivery/smtp_transport.h"

#include <stdlib.h>

enum { KEY_MAX = 16384 };

_Static_assert(SMTP_CLIENT_NOTIFY_NEVER == (int)DELIVERY_NOTIFY_NEVER &&
                   SMTP_CLIENT_NOTIFY_SUCCESS == (int)DELIVERY_NOTIFY_SUCCESS &&
                   SMTP_CLIENT_NOTIFY_FAILURE == (int)DELIVERY_NOTIFY_FAILURE &&
                   SMTP_CLIENT_NOTIFY_DELAY == (int)DELIVERY_NOTIFY_DELAY,
               "the bits of both are the same");
_Static_assert(SMTP_CLIENT_RET_FULL == (int)DELIVERY_RET_FULL && SMTP_CLIENT_RET_HDRS == (int)DELIVERY_RET_HDRS &&
                   SMTP_CLIENT_TEMPORARY == (int)DELIVERY_TEMPORARY &&
                   SMTP_CLIENT_PERMANENT == (int)DELIVERY_PERMANENT,
               "and so are these enums");

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *h)
{
    struct smtp_task *s = h->data;
    delivery_task_finish(&s->task);
}

static void end(struct smtp_task *s)
{
    ASSERT(!s->ended && !s->question && !s->sts_question && !s->connection);
    s->ended = true;
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

static void give_up(struct smtp_task *s, const struct delivery_result *r)
{
    delivery_task_decide_rest(&s->task, r);
    end(s);
}

/* ---- a connection's calls ---- */

static void fresh(struct smtp_task *s);

/* What the DNS, the socket and the session cannot be blamed for when a resting connection was used: its age. */
static bool shows_age(const struct smtp_client_result *r)
{
    return r->stage == SMTP_CLIENT_MAIL &&
           (r->code == 421 || (r->cause != SMTP_CLIENT_REPLY && r->cause != SMTP_CLIENT_LOCAL));
}

static void on_result(void *owner, size_t recipient, const struct smtp_client_result *r)
{
    struct smtp_task *s = owner;
    if (s->reused && shows_age(r)) {
        s->stale = true;
        return;
    }
    struct delivery_result result = {
        .outcome = (enum delivery_outcome)r->outcome,
        .code = r->code,
        .enhanced = r->enhanced,
        .text = r->text,
        .stage = smtp_client_stage_name(r->stage),
    };
    delivery_task_decide(&s->task, recipient, &result);
}

static void on_done(void *owner)
{
    struct smtp_task *s = owner;
    smtp_connection_describe(s->connection, &s->task.arena, &s->task.report);
    s->connection = NULL;
    if (s->stale)
        fresh(s);
    else
        end(s);
}

/* What this message alone asks of the host says nothing about the others that wait for it. */
static bool concerns_message(const struct smtp_task *s, const struct delivery_result *r)
{
    static const enum smtp_client_stage stages[] = {SMTP_CLIENT_HELLO, SMTP_CLIENT_STARTTLS};
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        if (s->hop.require_tls && r->code == 0 && r->stage == smtp_client_stage_name(stages[i]))
            return true;
    return false;
}

static void on_failed(void *owner, const struct delivery_result *r, bool tls_broke)
{
    struct smtp_task *s = owner;
    smtp_connection_describe(s->connection, &s->task.arena, &s->task.report);
    s->connection = NULL;
    if (s->reused) {
        fresh(s);
        return;
    }
    if (r->code == 0 && span_eq(r->enhanced, SPAN("5.4.6"))) { /* the host is we: those behind it are no better */
        s->address_next = s->address_count;
        s->host_next = s->host_count;
    }
    if (tls_broke && s->hop.level == HOP_ENCRYPT && !s->without_tls) {
        s->without_tls = true;
        s->address_next--;
    } else {
        struct delivery_result noted = *r;
        noted.connection_fault &= !concerns_message(s, r);
        s->without_tls = false;
        smtp_route_note(s, &noted);
    }
    smtp_transport_advance(s);
}

static const struct smtp_owner calls = {.result = on_result, .done = on_done, .failed = on_failed};

/* ---- one address after the other ---- */

/* The host in hand gets nothing: with REQUIRETLS the sender is told at once (RFC 8689, 5), else the mail waits. */
static void pass_over(struct smtp_task *s)
{
    struct buf text;
    buf_init(&text, 1024);
    hop_tls_explain(&s->hop, &text);
    buf_addf(&text, ": %s", s->hop.refusal);
    struct delivery_result r = smtp_route_failure(
        s, s->hop.require_tls ? DELIVERY_PERMANENT : DELIVERY_TEMPORARY, s->hop.require_tls ? "5.7.30" : "4.7.5",
        "STARTTLS", s->host.name, text.failed ? s->hop.refusal : arena_dup(&s->task.arena, buf_span(&text)).ptr);
    buf_done(&text);
    r.connection_fault = !s->hop.require_tls;
    smtp_route_note(s, &r);
    s->address_next = s->address_count;
}

/* True when the connection is under way. */
static bool try_address(struct smtp_task *s)
{
    const struct delivery_destination *to = &s->task.job.to;
    struct delivery_engine *e = s->task.engine;
    struct delivery_result r;
    s->hop = hop_tls_decide(to, &s->facts);
    if (s->hop.refusal) {
        pass_over(s);
        return false;
    }
    if (s->hop.level == HOP_ENCRYPT && (s->without_tls || !e->options.tls))
        s->hop.level = HOP_CLEAR;
    struct smtp_target target = {
        .key = s->key,
        .host = s->host.name,
        .local = s->local,
        .endpoint = {.addr = s->addresses[s->address_next++], .port = s->host.port},
        .lmtp = to->kind == DELIVERY_LMTP,
        .force_helo = to->force_helo,
        .auth_without_tls = to->auth_without_tls,
        .hop = s->hop,
        .helo_name = to->helo_name.len ? to->helo_name : e->options.hostname,
        .own_name = to->host_count ? SPAN("") : e->options.hostname,
        .user = to->user,
        .password = to->password,
        .inactivity_ms = to->inactivity_ms,
        .log_name = to->log_name,
    };
    s->connection = smtp_connection_open(e, &target, &s->load, &calls, s, &r);
    if (!s->connection)
        smtp_route_note(s, &r);
    return s->connection != NULL;
}

void smtp_transport_advance(struct smtp_task *s)
{
    for (;;) {
        if (s->address_next < s->address_count) {
            if (try_address(s))
                return;
        } else if (s->host_next < s->host_count) {
            if (!smtp_route_next_host(s))
                return;
        } else {
            ASSERT(s->failure.stage);
            give_up(s, &s->failure);
            return;
        }
    }
}

/* ---- the beginning ---- */

/* From the first host on, with a new connection. */
static void fresh(struct smtp_task *s)
{
    const struct delivery_destination *to = &s->task.job.to;
    s->reused = s->stale = false;
    s->hosts = to->hosts;
    s->host_count = to->host_count;
    if (to->host_count)
        smtp_transport_advance(s);
    else
        smtp_route_ask_domain(s);
}

static void add_key(struct buf *key, struct span s)
{
    buf_addf(key, "%zu:", s.len); /* so that no two lists run together */
    buf_add(key, s);
}

/* What makes one connection serve two jobs: all that the session was made with. */
static struct span make_key(struct smtp_task *s)
{
    const struct delivery_destination *to = &s->task.job.to;
    struct buf key;
    buf_init(&key, KEY_MAX);
    buf_addf(&key, "%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%u,", to->kind, to->tls, to->domain_secure, to->exchange_server,
             to->dane, to->mta_sts, to->require_tls, to->tls_optional, to->force_helo, to->auth_without_tls,
             to->mx_port);
    buf_addf(&key, "%lld,", (long long)to->inactivity_ms);
    add_key(&key, to->tls_domain);
    add_key(&key, to->helo_name);
    add_key(&key, to->user);
    add_key(&key, to->log_name);
    for (size_t i = 0; i < to->host_count; i++) {
        add_key(&key, to->hosts[i].name);
        buf_addf(&key, "%u,", to->hosts[i].port);
    }
    for (size_t i = 0; i < to->pin_count; i++) /* a connection is proved by those it was made with */
        add_key(&key, to->pins[i]);
    if (to->host_count == 0)
        add_key(&key, to->mx_domain);
    struct span copy = key.failed ? SPAN("") : arena_dup(&s->task.arena, buf_span(&key));
    buf_done(&key);
    return copy;
}

static bool prepare(struct smtp_task *s)
{
    const struct delivery_job *job = &s->task.job;
    struct smtp_client_recipient *to =
        ARENA_ARRAY(&s->task.arena, job->recipient_count, struct smtp_client_recipient);
    if (!to)
        return false;
    for (size_t i = 0; i < job->recipient_count; i++) {
        const struct delivery_recipient *r = &job->recipients[i];
        to[i] = (struct smtp_client_recipient){.address = r->address, .orcpt = r->orcpt, .notify = r->notify};
    }
    s->load = (struct smtp_load){
        .id = job->message_id,
        .message = {.sender = job->sender,
                    .recipients = to,
                    .recipient_count = job->recipient_count,
                    .size = job->front.len + (job->body_fd < 0 ? job->body.len : job->size) - job->body_from,
                    .envid = job->envid,
                    .ret = (enum smtp_client_ret)job->ret,
                    .eight_bit = job->eight_bit,
                    .utf8 = job->utf8,
                    .binary = job->binary,
                    .require_tls = job->to.carry_require_tls},
        .front = job->front,
        .body_from = job->body_from,
        .body = job->body,
        .body_fd = job->body_fd,
        .size = job->size,
        .pins = job->to.pins,
        .pin_count = job->to.pin_count,
    };
    s->key = make_key(s);
    return true;
}

static void smtp_start(struct delivery_task *t)
{
    struct smtp_task *s = (struct smtp_task *)t;
    uv_timer_init(t->engine->options.loop, &s->timer);
    s->timer.data = s;
    if (!prepare(s)) {
        struct delivery_result r = smtp_route_failure(s, DELIVERY_TEMPORARY, "4.3.0", "connect", SPAN("delivery"),
                                                      "there is no memory for it");
        give_up(s, &r);
    } else if (!t->engine->options.tls && hop_tls_decide(&t->job.to, &s->facts).level == HOP_MUST) {
        struct delivery_result r = smtp_route_failure(s, DELIVERY_TEMPORARY, "4.7.4", "STARTTLS", SPAN("TLS"),
                                                      "it is required, but not set up here");
        give_up(s, &r);
    } else if (s->key.len && (s->connection = smtp_connection_take(t->engine, s->key))) {
        s->reused = true;
        smtp_connection_send(s->connection, &s->load, &calls, s);
    } else {
        fresh(s);
    }
}

static void smtp_cancel(struct delivery_task *t)
{
    struct smtp_task *s = (struct smtp_task *)t;
    if (s->ended)
        return;
    if (s->question)
        resolver_question_cancel(s->question);
    if (s->sts_question)
        sts_question_cancel(s->sts_question);
    if (s->connection) {
        smtp_connection_describe(s->connection, &t->arena, &t->report);
        smtp_connection_abandon(s->connection);
    }
    s->question = NULL;
    s->sts_question = NULL;
    s->connection = NULL;
    give_up(s, &delivery_cancelled);
}

struct delivery_task *smtp_transport_new(void)
{
    static const struct delivery_task_kind kind = {.start = smtp_start, .cancel = smtp_cancel};
    struct smtp_task *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->task.kind = &kind;
    return &s->task;
}
