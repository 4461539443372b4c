/*
 * session.c: a connection and its SMTP machine, joined.
 *
 * Invariants: the machine's callbacks note what is to be done and return; session_settle does it afterwards, in one
 * place. A session lives until its connection is gone and every question it asked was answered; `closed` says that
 * the connection is gone, after which nothing is written or fed; from `ending` on the machine is not called.
 */
#include "role/receive/session.h"

#include "policy/select.h"
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

/* The timer is the machine's, until the session ends; then it bounds the end. */
static void set_timer(struct session *s)
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
        set_timer(s);
    session_unref(s);
}

/* ---- the machine's callbacks ---- */

static void on_write(void *context, struct span bytes)
{
    struct session *s = context;
    protocol_log_lines(s->protocol, PROTOCOL_ROW_SENT, bytes);
    if (!s->closed)
        connection_write(s->connection, bytes);
}

static void on_start_tls(void *context)
{
    struct session *s = context;
    size_t dropped = s->closed ? 0 : connection_start_tls(s->connection, s->tls);
    if (dropped) {
        struct log_line l = log_begin(LOG_WARNING, "plaintext-discarded");
        log_id(&l, "session", s->id);
        log_int(&l, "bytes", (int64_t)dropped);
        log_end(&l);
    }
}

static void on_ask(void *context, const struct smtp_ask *ask)
{
    struct session *s = context;
    session_facts_ask(s, ask);
    switch (ask->kind) {
    case SMTP_ASK_AUTH_START: session_auth_start(s, ask); break;
    case SMTP_ASK_AUTH_STEP: session_auth_step(s, ask->auth_step); break;
    case SMTP_ASK_AUTH_CANCEL: session_auth_end(s); break;
    case SMTP_ASK_MAIL: session_mail(s, ask->mail); break;
    case SMTP_ASK_RCPT: session_rcpt(s, ask->rcpt); break;
    case SMTP_ASK_VRFY: session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_OK}); break;
    case SMTP_ASK_MESSAGE_BEGIN: session_message_begin(s); break;
    case SMTP_ASK_MESSAGE_END: session_message_end(s); break;
    case SMTP_ASK_MESSAGE_ABORT: session_message_abort(s); break;
    case SMTP_ASK_KINDS: break;
    }
}

static void on_body(void *context, struct span bytes)
{
    session_message_body(context, bytes);
}

void session_end(struct session *s)
{
    if (s->closed || s->ending)
        return;
    s->ending = true;
    uv_timer_start(&s->timer, on_timer, CLOSE_WAIT_MS, 0);
    connection_close(s->connection);
}

static void on_close(void *context)
{
    session_end(context);
}

static void on_event(void *context, enum smtp_event event, struct span detail)
{
    static const char *const names[SMTP_EVENT_KINDS] = {
        [SMTP_EVENT_BAD_COMMAND] = "bad-command",
        [SMTP_EVENT_BAD_LINE] = "bad-line",
        [SMTP_EVENT_BAD_CONTENT] = "bad-content",
        [SMTP_EVENT_DISCARDED] = "plaintext-discarded",
        [SMTP_EVENT_AUTH_FAILED] = "auth-failed",
        [SMTP_EVENT_AUTH_REFUSED] = "auth-refused",
        [SMTP_EVENT_LIMIT] = "limit",
        [SMTP_EVENT_TOO_MANY_ERRORS] = "too-many-errors",
        [SMTP_EVENT_TOO_MANY_FAILURES] = "too-many-logon-failures",
        [SMTP_EVENT_TIMEOUT] = "timeout",
        [SMTP_EVENT_TARPIT] = "tarpit",
        [SMTP_EVENT_NO_MEMORY] = "no-memory",
        [SMTP_EVENT_BAD_ANSWER] = "bad-answer",
    };
    struct session *s = context;
    bool usual = event == SMTP_EVENT_BAD_COMMAND || event == SMTP_EVENT_TIMEOUT;
    struct log_line l = log_begin(event == SMTP_EVENT_TARPIT ? LOG_DEBUG
                                  : usual                    ? LOG_INFO
                                                             : LOG_NOTICE,
                                  names[event]);
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_span(&l, "detail", detail);
    log_end(&l);
    session_denial_event(s, event, detail);
    session_protocol_event(s, event, detail);
    session_facts_event(s, event);
}

static void on_line(void *context, struct span shown)
{
    struct session *s = context;
    protocol_log_row(s->protocol, PROTOCOL_ROW_RECEIVED, shown, SPAN(""));
}

static struct span on_refused(void *context, const struct smtp_reply *reply)
{
    return session_refused(context, reply);
}

static const struct smtp_server_output output = {on_write, on_start_tls, on_ask,  on_body,
                                                 on_close, on_event,     on_line, on_refused};

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
        set_timer(s);
    session_unref(s);
    return taken;
}

/* Nobody has logged on: at the start, and again behind STARTTLS, when all that was said before is forgotten (RFC
 * 3207 4.2). */
static void forget_user(struct session *s)
{
    session_gate_begin(s);
    s->user = (struct span){0};
}

static void log_start(const struct session *s)
{
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX];
    struct log_line l = log_begin(LOG_INFO, "session-start");
    log_id(&l, "session", s->id);
    log_str(&l, "remote", ip_print_endpoint(s->remote, remote));
    log_str(&l, "local", ip_print_endpoint(s->local, local));
    if (s->proxy_peer.port)
        log_str(&l, "proxy", ip_print_endpoint(s->proxy_peer, remote));
    if (s->published.port)
        log_str(&l, "published", ip_print_endpoint(s->published, remote));
    log_span(&l, "connector", policy_text(s->policy, s->connector->name));
    log_int(&l, "policy", (int64_t)policy_ref_version(s->policy_ref));
    log_end(&l);
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
    session_protocol_secured(s);
    if (!s->profile.tls_active)
        forget_user(s);
    session_peer_secured(s);
    session_facts_secured(s);
    if (s->profile.tls_active) {
        smtp_server_start(s->smtp, clock_mono_ms(), clock_wall_ms());
    } else {
        session_protocol_permissions(s);
        smtp_server_tls_started(s->smtp, clock_mono_ms());
    }
    set_timer(s);
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

/* ---- beginning ---- */

/* True when the connection has a connector that serves it. */
static bool choose_connector(struct session *s)
{
    if (!s->policy_ref)
        s->policy_ref = policy_ref_current();
    s->policy = policy_ref_policy(s->policy_ref);
    s->connector = policy_select(s->policy, s->local, s->remote.addr);
    ip_print(s->remote.addr, s->remote_text);
    if (!s->connector) {
        log_text(LOG_NOTICE, "no-connector", "no receive connector serves %s on port %u", s->remote_text,
                 s->local.port);
        return false;
    }
    return true;
}

/* Counts the connection and makes ready what the connector offers; true when it can be offered. */
static bool prepare(struct session *s)
{
    if (!session_admit(s))
        return false;
    session_profile(s, clock_wall_ms());
    if (!gate_can_greet(s->connector, s->tls)) {
        log_text(LOG_ERROR, "no-certificate", "implicit TLS without a certificate: the connection of %s is closed",
                 s->remote_text);
        return false;
    }
    return true;
}

static void begin(struct session *s)
{
    forget_user(s);
    s->began_ms = clock_mono_ms();
    s->smtp = smtp_server_new(&s->profile, &output, s, clock_mono_ms());
    if (!s->smtp) {
        session_end(s);
        return;
    }
    log_start(s);
    session_protocol_begin(s);
    session_facts_begin(s);
    connection_begin(s->connection, s->profile.tls_active ? s->tls : NULL);
    if (!s->profile.tls_active)
        smtp_server_start(s->smtp, clock_mono_ms(), clock_wall_ms());
    set_timer(s);
}

void session_open(struct session *s)
{
    if (!choose_connector(s))
        session_end(s);
    else if (session_proxy_begin(s))
        return;
    else if (!prepare(s))
        session_end(s);
    else
        begin(s);
}

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
