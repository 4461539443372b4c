/*
 * session.c: a connection and its SMTP machine, joined.
 *
 * Invariants: the machine's callbacks note what is to be done and return; session_settle does it afterwards, in one
 * place. A session lives until its connection is gone and every question it asked was answered; `closed` says that
 * the connection is gone, after which nothing is written or fed; from `ending` on the machine is not called.
 */
#include "role/receive/session.h"

#include "role/common/metrics.h"
#include "role/receive/receive.h"
#include "role/receive/session_internal.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <sys/random.h>

/* How long a client may take to read the last reply; without a bound it could hold its descriptor for ever. */
enum { CLOSE_WAIT_MS = 10000 };

static struct session *all;

static void on_timer(uv_timer_t *t);

static void on_timer_closed(uv_handle_t *h)
{
    struct session *s = h->data;
    smtp_server_free(s->smtp);
    session_proxy_free(s);
    session_denial_free(s);
    policy_ref_drop(s->policy_ref);
    tls_context_free(s->tls);
    arena_clear(&s->arena);
    arena_clear(&s->transaction);
    free(s->marks);
    receive_session_closed(s->role);
    free(s);
}

void session_ref(struct session *s)
{
    s->references++;
}

void session_unref(struct session *s)
{
    if (--s->references > 0)
        return;
    if (s->next)
        s->next->previous = s->previous;
    if (s->previous)
        s->previous->next = s->next;
    else
        all = s->next;
    session_auth_end(s);
    session_message_abort(s);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

void session_reply(struct session *s, const struct smtp_answer *answer)
{
    s->answer = *answer;
    s->answer_ready = true;
}

void session_set_timer(struct session *s)
{
    if (s->ending)
        return;
    int64_t at = smtp_server_deadline(s->smtp), now = clock_mono_ms();
    if (at == INT64_MAX)
        uv_timer_stop(&s->timer);
    else
        uv_timer_start(&s->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

/* Answering may make the machine ask again, and be answered at once. */
static void give_answers(struct session *s)
{
    while (s->answer_ready && !s->closed) {
        struct smtp_answer answer = s->answer;
        s->answer_ready = false;
        session_facts_answer(s, &answer);
        smtp_server_answer(s->smtp, &answer, clock_mono_ms());
    }
}

void session_end(struct session *s)
{
    if (s->closed || s->ending)
        return;
    s->ending = true;
    uv_timer_start(&s->timer, on_timer, CLOSE_WAIT_MS, 0);
    connection_close(s->connection);
}

/*
 * A machine that wants input has said all that it can say. One that does not waits for an answer or for the end of
 * a tarpit; both have their own limit of time.
 */
static void end_unless_reply_due(struct session *s)
{
    if (s->input_ended && !s->closed && smtp_server_wants_input(s->smtp))
        session_end(s);
}

void session_settle(struct session *s)
{
    session_ref(s);
    give_answers(s);
    if (!s->closed && smtp_server_wants_input(s->smtp) && !session_message_paused(s))
        connection_resume(s->connection);
    end_unless_reply_due(s);
    if (!s->closed)
        session_set_timer(s);
    session_unref(s);
}

/* ---- the connection's callbacks ---- */

static size_t on_input(void *context, struct span bytes)
{
    struct session *s = context;
    size_t taken = 0;
    if (s->proxy)
        return session_proxy_input(s, bytes);
    bool first = !s->heard;
    if (session_proxy_uninvited(s, bytes) || (first && session_misplaced_tls(s, bytes)))
        return bytes.len;
    session_ref(s);
    while (taken < bytes.len && !s->closed && smtp_server_wants_input(s->smtp) && !session_message_paused(s)) {
        size_t n = smtp_server_feed(s->smtp, span_from(bytes, taken), clock_mono_ms());
        taken += n;
        give_answers(s);
        if (n == 0)
            break;
    }
    if (!s->closed)
        session_set_timer(s);
    session_unref(s);
    return taken;
}

static void on_secured(void *context)
{
    struct session *s = context;
    struct tls_info info = connection_tls(s->connection);
    struct log_line l = log_begin(LOG_INFO, "tls");
    log_id(&l, "session", s->id);
    log_str(&l, "version", info.version);
    log_str(&l, "cipher", info.cipher);
    log_str(&l, "resumed", info.resumed ? "yes" : "no");
    log_end(&l);
    metric_add(METRIC_SESSION_TLS + metric_tls_of(span_of(info.version)), 1);
    session_protocol_secured(s);
    if (!s->profile.tls_active)
        session_gate_begin(s);
    session_peer_secured(s);
    session_facts_secured(s);
    if (s->profile.tls_active) {
        smtp_server_start(s->smtp, clock_mono_ms(), clock_wall_ms());
    } else {
        session_protocol_permissions(s);
        smtp_server_tls_started(s->smtp, clock_mono_ms());
    }
    session_set_timer(s);
}

static void on_input_ended(void *context)
{
    struct session *s = context;
    s->input_ended = true;
    if (s->proxy) {
        session_proxy_input_ended(s);
        return;
    }
    end_unless_reply_due(s);
}

static void log_session_end(const struct session *s, const char *reason)
{
    struct log_line l = log_begin(LOG_INFO, "session-end");
    log_id(&l, "session", s->id);
    log_str(&l, "reason", reason ? reason : "closed");
    log_end(&l);
}

static void on_connection_closed(void *context, const char *reason)
{
    struct session *s = context;
    if (!s->turned_away) /* that has its own line, and a flood must not get one for each */
        log_session_end(s, reason);
    session_protocol_end(s, reason);
    session_misplaced_left(s);
    session_facts_end(s);
    admission_leave(&s->admission);
    s->closed = true;
    s->connection = NULL;
    uv_timer_stop(&s->timer);
    session_unref(s);
}

static bool on_no_handshake(void *context, struct span first)
{
    struct session *s = context;
    return session_proxy_uninvited(s, first) || session_misplaced_text(s, first);
}

static const struct connection_owner owner = {.input = on_input,
                                              .no_handshake = on_no_handshake,
                                              .secured = on_secured,
                                              .input_ended = on_input_ended,
                                              .closed = on_connection_closed};

static void on_timer(uv_timer_t *t)
{
    struct session *s = t->data;
    if (s->ending) {
        connection_abort(s->connection, "the client does not read the last reply");
        return;
    }
    if (s->profile.tls_active && !s->heard) {
        session_misplaced_silence(s);
        return;
    }
    session_ref(s);
    smtp_server_tick(s->smtp, clock_mono_ms());
    session_settle(s);
    session_unref(s);
}

/* ---- all of them ---- */

void session_accept(struct role *role, uv_stream_t *listener)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return;
    s->connection = connection_accept(listener, &owner, s, &s->local, &s->remote);
    if (!s->connection) {
        free(s);
        return;
    }
    s->role = role;
    s->is_local = connection_local_user(s->connection, &s->uid);
    s->references = 1;
    if (getrandom(&s->id, sizeof s->id, 0) != (ssize_t)sizeof s->id)
        s->id = (uint64_t)clock_mono_ms();
    arena_init(&s->arena, SESSION_ARENA_MAX);
    arena_init(&s->transaction, SESSION_ARENA_MAX);
    uv_timer_init(&role->loop, &s->timer);
    s->timer.data = s;
    s->next = all;
    if (all)
        all->previous = s;
    all = s;
    receive_session_opened();
    session_open(s);
}

void sessions_drain(void)
{
    for (struct session *s = all, *next; s; s = next) {
        next = s->next;
        if ((!s->smtp && !s->proxy) || s->closed || s->ending)
            continue;
        if (s->proxy || connection_handshaking(s->connection)) {
            /* Nothing was begun that could be finished, and a 421 in the clear would be noise. */
            connection_abort(s->connection, "the server is stopping");
        } else {
            session_ref(s);
            smtp_server_shutdown(s->smtp, clock_mono_ms());
            session_settle(s);
            session_unref(s);
        }
    }
}
