/*
 * session_message.c: the content of a message: through the intake (header firewall, trace, completion of
 * submissions) into the content store, and with its envelope to the queue. 250 is said when the queue says that it
 * is durable.
 */
#include "role/receive/session_internal.h"

#include "base/cursor.h"
#include "mail/date.h"
#include "mail/received.h"
#include "role/common/metrics.h"
#include "role/common/submission.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <inttypes.h>
#include <sys/random.h>

enum { TRACE_MAX = 4096, TRACE_TEXT_MAX = 255 };

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

static void count_stored(const struct session *s, enum content_outcome outcome)
{
    if (outcome != CONTENT_STORED) {
        metric_add(METRIC_REFUSED + METRIC_REFUSED_STORE, 1);
        return;
    }
    metric_add(METRIC_ACCEPTED, 1);
    metric_add(METRIC_ACCEPTED_BYTES, s->intake_result.bytes_out);
    metric_add(METRIC_ACCEPTED_RECIPIENTS, smtp_server_envelope(s->smtp)->recipient_count);
    metric_observe(METRIC_ACCEPT_TIME, clock_mono_ms() - s->content_end_ms);
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
    count_stored(s, outcome);
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
    struct received r = {.helo = s->is_local ? s->local_name : smtp_server_helo(s->smtp),
                         .local = s->is_local,
                         .uid = s->uid,
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

static bool build_options(struct session *s, struct intake_options *ret)
{
    unsigned char random[16];
    struct buf id, date, stamp;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    buf_init(&id, 512);
    buf_init(&date, 64);
    buf_init(&stamp, 1024);
    message_id_print(&id, span_make(random, sizeof random), s->profile.fqdn);
    date_print(&date, clock_wall_ms());
    s->auth_as = gate_auth_as(&s->gate, s->rights, &smtp_server_envelope(s->smtp)->mail);
    gate_stamp(&stamp, s->auth_as, span_of(s->role->host), gate_partner(&s->gate));
    *ret = gate_intake_options(&s->gate, s->rights);
    ret->local_names[INTAKE_NAMES_MAX - 1] = s->profile.fqdn; /* as the trace has it */
    ret->trace = build_trace(s);
    ret->stamp = arena_dup(&s->transaction, buf_span(&stamp));
    ret->message_id = arena_dup(&s->transaction, buf_span(&id));
    ret->date = arena_dup(&s->transaction, buf_span(&date));
    buf_done(&id);
    buf_done(&date);
    buf_done(&stamp);
    return ret->trace.ptr && ret->stamp.ptr && ret->message_id.ptr && ret->date.ptr;
}

void session_message_begin(struct session *s)
{
    struct intake_options options;
    struct smtp_answer refusal;
    const struct smtp_envelope *e = smtp_server_envelope(s->smtp);
    session_message_abort(s);
    arena_reset(&s->transaction);
    session_protocol_message(s);
    s->rights = gate_rights(session_gate(s), e);
    if (!session_rates_allow(s, &refusal)) {
        session_reply(s, &refusal);
        return;
    }
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
    s->facts.octets += bytes.len;
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

/* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in the clear. */
static struct span tls_text(struct session *s)
{
    if (!smtp_server_tls(s->smtp))
        return SPAN("");
    struct tls_info info = connection_tls(s->connection);
    return arena_printf(&s->transaction, "%s %s", info.version, info.cipher);
}

static void put_envelope(struct buf *b, struct session *s, const struct intake_result *r)
{
    const struct smtp_envelope *e = smtp_server_envelope(s->smtp);
    struct submission_recipient *list =
        ARENA_ARRAY(&s->transaction, e->recipient_count, struct submission_recipient);
    size_t n = 0;
    for (const struct smtp_recipient *p = e->recipients; list && p; p = p->next)
        list[n++] = (struct submission_recipient){gate_recipient_address(s->policy, &p->address, &s->transaction),
                                                  p->orcpt, p->notify};
    char local[IP_TEXT_MAX];
    ip_print(s->local.addr, local);
    struct submission submission = {.message_id = r->message_id,
                                    .subject = r->subject,
                                    .sender = e->mail.address.text,
                                    .envid = e->mail.envid,
                                    .size = r->bytes_out,
                                    .body = e->mail.body,
                                    .ret = e->mail.ret,
                                    .smtp_utf8 = e->mail.smtp_utf8,
                                    .require_tls = e->mail.require_tls,
                                    .tls_optional = r->tls_optional && !e->mail.require_tls,
                                    .eight_bit = r->eight_bit_body || r->eight_bit_header,
                                    .internal = s->auth_as == GATE_INTERNAL,
                                    .connector = policy_text(s->policy, s->connector->name),
                                    .remote_ip = span_of(s->remote_text),
                                    .user = s->user,
                                    .helo = span_head(smtp_server_helo(s->smtp), TRACE_TEXT_MAX),
                                    .local_ip = span_of(local),
                                    .session = arena_printf(&s->transaction, "%016" PRIX64, s->id),
                                    .tls = tls_text(s),
                                    .recipients = list,
                                    .recipient_count = n};
    if (list)
        submission_put(b, &submission);
    else
        b->failed = true;
}

static void store(struct session *s)
{
    struct buf envelope;
    buf_init(&envelope, SUBMISSION_MAX);
    put_envelope(&envelope, s, &s->intake_result);
    if (envelope.failed)
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
    else
        content_store(s->content, buf_span(&envelope));
    buf_done(&envelope);
}

/* Once more for each author whom the directory was asked about. */
static void decide_message(struct session *s)
{
    if (!s->content) /* it was given up while the directory was asked */
        return;
    const struct intake_result *r = &s->intake_result;
    struct span author = r->from_count ? r->from[0] : r->sender;
    struct smtp_limit limit;
    struct gate_verdict v = gate_message(session_gate(s), r);
    if (gate_message_limit(&s->gate, r->problem, &limit))
        v.answer = session_limit(s, v.answer.reply, &limit);
    if (v.ask_send_as.len) {
        session_ask_send_as(s, v.ask_send_as, decide_message);
        return;
    }
    if (v.answer.verdict != SMTP_ANSWER_OK)
        session_deny(s, &v.decision, author, NULL);
    if (v.answer.verdict != SMTP_ANSWER_OK || !session_rates_allow(s, &v.answer))
        session_reply(s, &v.answer);
    else
        store(s);
}

void session_message_end(struct session *s)
{
    s->content_end_ms = clock_mono_ms();
    intake_finish(&s->intake, &s->intake_result);
    decide_message(s);
}
