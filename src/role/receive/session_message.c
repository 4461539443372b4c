/*
 * session_message.c: the content of a message: through the intake (header firewall, trace, completion of
 * submissions) into the content store, and with its envelope to the queue. 250 is said when the queue says that it
 * is durable.
 */
#include "role/receive/session_internal.h"

#include "base/cursor.h"
#include "mail/date.h"
#include "mail/received.h"
#include "role/common/submission.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <inttypes.h>
#include <sys/random.h>

enum { TRACE_MAX = 4096 };

static void on_content_ready(void *context)
{
    session_settle(context);
}

/* Joins the session to the message, whose lines in the queue's log have its number. */
static void log_stored(const struct session *s, enum content_outcome outcome, uint64_t internal_id)
{
    static const char *const outcomes[] = {
        [CONTENT_STORED] = "stored", [CONTENT_REFUSED] = "refused", [CONTENT_UNKNOWN] = "unknown"};
    struct log_line l = log_begin(outcome == CONTENT_STORED ? LOG_INFO : LOG_WARNING, "message");
    log_id(&l, "session", s->id);
    log_str(&l, "outcome", outcomes[outcome]);
    log_int(&l, "message", (int64_t)internal_id);
    log_span(&l, "message-id", s->intake_result.message_id);
    log_end(&l);
}

/* Replies as the reference has them: 250 2.6.0 <message-id> [InternalId=n] Queued mail for delivery. */
static void on_content_stored(void *context, enum content_outcome outcome, uint64_t internal_id, struct span text)
{
    struct session *s = context;
    struct smtp_answer a = {.verdict = SMTP_ANSWER_OK};
    if (outcome == CONTENT_STORED)
        a.reply = (struct smtp_reply){250, SPAN("2.6.0"),
                                      arena_printf(&s->transaction,
                                                   "%.*s [InternalId=%" PRIu64 "] Queued mail for delivery",
                                                   SPAN_ARG(s->intake_result.message_id), internal_id)};
    else if (outcome == CONTENT_REFUSED)
        a = (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE,
                                 .reply = {452, SPAN("4.3.1"), arena_dup(&s->transaction, text)}};
    else
        a = (struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE};
    log_stored(s, outcome, internal_id);
    session_message_abort(s);
    session_reply(s, &a);
    session_settle(s);
}

static const struct content_owner content_owner = {on_content_ready, on_content_stored};

static void on_intake_out(void *context, struct span bytes)
{
    struct session *s = context;
    content_add(s->content, bytes);
}

bool session_message_paused(const struct session *s)
{
    return s->content && content_paused(s->content);
}

static struct span build_trace(struct session *s)
{
    const struct smtp_envelope *e = smtp_server_envelope(s->smtp);
    struct buf b, tls;
    buf_init(&b, TRACE_MAX);
    buf_init(&tls, 256);
    if (smtp_server_tls(s->smtp)) {
        struct tls_info info = connection_tls(s->connection);
        buf_addf(&tls, "%s with cipher %s", info.version, info.cipher);
    }
    struct received r = {.helo = smtp_server_helo(s->smtp),
                         .client_ip = span_of(s->remote_text),
                         .host = s->profile.fqdn,
                         .id = arena_printf(&s->transaction, "%016" PRIx64, s->id),
                         .recipient = e->recipient_count == 1 ? e->recipients->address.text : SPAN(""),
                         .tls = buf_span(&tls),
                         .esmtp = smtp_server_esmtp(s->smtp),
                         .secured = smtp_server_tls(s->smtp),
                         .authenticated = smtp_server_authenticated(s->smtp),
                         .utf8 = e->mail.smtp_utf8,
                         .now_ms = clock_wall_ms()};
    received_print(&b, &r);
    struct span trace = b.failed ? (struct span){NULL, 0} : arena_dup(&s->transaction, buf_span(&b));
    buf_done(&b);
    buf_done(&tls);
    return trace;
}

/*
 * What is submitted is completed (RFC 6409, 8): what users send, and what comes from printers and web applications,
 * which do not log on but may send to anybody. Externally secured servers relay.
 */
static bool is_submission(const struct session *s)
{
    return token_is_user(&s->token) ||
           (token_is_anonymous(&s->token) && (s->rights & RIGHT_BIT(RIGHT_ACCEPT_ANY_RECIPIENT)));
}

static bool build_options(struct session *s, struct intake_options *ret)
{
    unsigned char random[16];
    struct buf id, date;
    bool submission = is_submission(s);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    buf_init(&id, 512);
    buf_init(&date, 64);
    message_id_print(&id, span_make(random, sizeof random), s->profile.fqdn);
    date_print(&date, clock_wall_ms());
    *ret = (struct intake_options){
        .trace = build_trace(s),
        .remove_routing = !(s->rights & RIGHT_BIT(RIGHT_ACCEPT_HEADERS_ROUTING)),
        .remove_organization = !(s->rights & RIGHT_BIT(RIGHT_ACCEPT_HEADERS_ORGANIZATION)),
        .remove_forest = !(s->rights & RIGHT_BIT(RIGHT_ACCEPT_HEADERS_FOREST)),
        .remove_bcc = submission,
        .add_message_id = true, /* the reply, the log and reports name it, so the message must bear it */
        .add_date = submission,
        .message_id = arena_dup(&s->transaction, buf_span(&id)),
        .date = arena_dup(&s->transaction, buf_span(&date)),
        .max_header = s->connector->max_header_size,
        .max_hops = s->connector->max_hops,
    };
    buf_done(&id);
    buf_done(&date);
    return ret->trace.ptr && ret->message_id.ptr && ret->date.ptr;
}

void session_message_begin(struct session *s)
{
    struct intake_options options;
    const struct smtp_envelope *e = smtp_server_envelope(s->smtp);
    session_message_abort(s);
    arena_reset(&s->transaction);
    s->rights = decide_rights(s->policy, s->connector, &s->token);
    s->content = content_new(s->role, e->mail.size, &content_owner, s);
    if (!s->content || !build_options(s, &options)) {
        session_message_abort(s);
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE,
                                               .reply = SMTP_REPLY(452, "4.3.1", "Insufficient system resources")});
        return;
    }
    intake_init(&s->intake, &options, &s->transaction, on_intake_out, s);
    s->intake_open = true;
    session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_OK});
}

void session_message_body(struct session *s, struct span bytes)
{
    if (s->intake_open)
        intake_feed(&s->intake, bytes);
}

void session_message_abort(struct session *s)
{
    if (s->intake_open)
        intake_done(&s->intake);
    s->intake_open = false;
    content_free(s->content);
    s->content = NULL;
}

static struct smtp_reply problem_reply(enum intake_problem p)
{
    switch (p) {
    case INTAKE_TOO_MANY_HOPS: return SMTP_REPLY(554, "5.4.6", "Hop count exceeded - possible mail loop");
    case INTAKE_HEADER_TOO_LARGE: return SMTP_REPLY(552, "5.3.4", "Header size exceeds fixed maximum size");
    case INTAKE_BAD_LINE_END:
        return SMTP_REPLY(550, "5.6.0", "Message refused: its header has a bare CR, a bare LF or a NUL");
    case INTAKE_OK:
    case INTAKE_NO_MEMORY:
    case INTAKE_PROBLEM_MAX: break;
    }
    return SMTP_REPLY(452, "4.3.1", "Insufficient system resources");
}

/* Who From and Sender name must be somebody that this session may send as. */
static bool check_authors(struct session *s, const struct intake_result *r, struct smtp_answer *ret)
{
    struct owned_addresses owned = {.addresses = s->identity.addresses, .count = s->identity.address_count};
    bool anyone = (s->rights & RIGHT_BIT(RIGHT_ACCEPT_ANY_SENDER)) &&
                  (s->rights & RIGHT_BIT(RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER));
    if (!anyone && !r->authors_complete) { /* a header that cannot be read to the end may hide an author */
        ret->reply = SMTP_REPLY(550, "5.7.1", "Client does not have permissions to send as this sender");
        return false;
    }
    for (size_t i = 0; i <= r->from_count; i++) {
        struct span author = i < r->from_count ? r->from[i] : r->sender;
        if (!author.len)
            continue;
        struct decision d = decide_header_sender(s->policy, s->connector, &s->token, author, owned);
        if (d.verdict != VERDICT_ALLOW) {
            *ret = session_refusal(&d);
            return false;
        }
    }
    return true;
}

static void put_envelope(struct buf *b, struct session *s, const struct intake_result *r)
{
    const struct smtp_envelope *e = smtp_server_envelope(s->smtp);
    struct submission_recipient *list =
        ARENA_ARRAY(&s->transaction, e->recipient_count, struct submission_recipient);
    size_t n = 0;
    for (const struct smtp_recipient *p = e->recipients; list && p; p = p->next)
        list[n++] = (struct submission_recipient){session_recipient_address(s, p), p->orcpt, p->notify};
    struct submission submission = {.message_id = r->message_id,
                                    .subject = r->subject,
                                    .sender = e->mail.address.text,
                                    .envid = e->mail.envid,
                                    .size = r->bytes_out,
                                    .body = e->mail.body,
                                    .ret = e->mail.ret,
                                    .smtp_utf8 = e->mail.smtp_utf8,
                                    .eight_bit = r->eight_bit_body || r->eight_bit_header,
                                    .internal = token_is_user(&s->token),
                                    .connector = policy_text(s->policy, s->connector->name),
                                    .remote_ip = span_of(s->remote_text),
                                    .user = s->identity.primary,
                                    .recipients = list,
                                    .recipient_count = n};
    if (list)
        submission_put(b, &submission);
    else
        b->failed = true;
}

void session_message_end(struct session *s)
{
    const struct intake_result *r = &s->intake_result;
    struct smtp_answer refusal = {.verdict = SMTP_ANSWER_REFUSE};
    struct buf envelope;
    intake_finish(&s->intake, &s->intake_result);
    if (r->problem) {
        refusal.reply = problem_reply(r->problem);
        session_reply(s, &refusal);
        return;
    }
    if (!check_authors(s, r, &refusal)) {
        session_reply(s, &refusal);
        return;
    }
    buf_init(&envelope, SUBMISSION_MAX);
    put_envelope(&envelope, s, r);
    if (envelope.failed)
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
    else
        content_store(s->content, buf_span(&envelope));
    buf_done(&envelope);
}
