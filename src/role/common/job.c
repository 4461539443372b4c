/*
 * job.c: see job.h. The forms, in order:
 *
 * job: u64 message id, u64 received, str sender, u32 count * (str address, str orcpt, u8 notify, u32 index), bool
 *   eight-bit, bool utf8, bool binary, str envid, u8 ret, u64 size, bool first attempt, u8 kind, str mailbox, u32
 *   count * (str host, u16 port), str mx domain, u16 mx port, u8 tls, str tls domain, bool domain secure, u8
 * dane, bool mta-sts, bool require tls, bool tls optional, bool carry require tls, bool force helo, bool auth
 * without tls, u8 remove headers, u32 inactivity, str log name, str helo name, str user, bool exchange server, u32
 * count * str pin, bool password follows, str password. report: u32 count * (u8 outcome, u16 code, str enhanced,
 * str text, str stage, bool connection fault), str host, str ip, str tls version, str tls cipher, u8 verified by,
 * str names of the peer's certificate, str policy failure, bool dsn offered, bool reused.
 *
 * Invariants: counts are checked against what is left of the body before memory is taken. A report of at most
 * JOB_RECIPIENTS_MAX results fits into a frame behind an octet, whatever the other side of the delivery said: a
 * report that could not be sent would be a delivery forgotten.
 */
#include "role/common/job.h"

#include "mail/header_exit.h"

#include "runtime/frame.h"

enum {
    PASSWORD_MAX = 4096,
    RECIPIENT_MIN = 4 + 4 + 1 + 4, /* octets on the wire */
    HOST_MIN = 4 + 2,
    PIN_MIN = 4,
    PIN_MAX = 64,
    NOTIFY_ALL = DELIVERY_NOTIFY_NEVER | DELIVERY_NOTIFY_SUCCESS | DELIVERY_NOTIFY_FAILURE | DELIVERY_NOTIFY_DELAY,
    ENHANCED_MAX = 16,
    STAGE_MAX = 32,
    RESULT_MIN = 1 + 2 + 4 + 4 + 4 + 1,
    RESULT_MAX = RESULT_MIN + ENHANCED_MAX + STAGE_MAX, /* without its text */
    REPORT_MAX = FRAME_BODY_MAX - 1,
    REPORT_REST_MAX = 4 + 6 * (4 + JOB_REPORT_TEXT_MAX) + 3, /* what is not results */
};

_Static_assert(JOB_RECIPIENTS_MAX *(RESULT_MAX + 64) + REPORT_REST_MAX <= REPORT_MAX,
               "each result of the longest report keeps a piece of its text");

/* ---- jobs ---- */

static void put_destination(struct buf *out, const struct delivery_destination *to)
{
    put_u8(out, (uint8_t)to->kind);
    put_bytes(out, to->mailbox);
    put_u32(out, (uint32_t)to->host_count);
    for (size_t i = 0; i < to->host_count; i++) {
        put_bytes(out, to->hosts[i].name);
        put_u16(out, to->hosts[i].port);
    }
    put_bytes(out, to->mx_domain);
    put_u16(out, to->mx_port);
    put_u8(out, (uint8_t)to->tls);
    put_bytes(out, to->tls_domain);
    put_bool(out, to->domain_secure);
    put_u8(out, (uint8_t)to->dane);
    put_bool(out, to->mta_sts);
    put_bool(out, to->require_tls);
    put_bool(out, to->tls_optional);
    put_bool(out, to->carry_require_tls);
    put_bool(out, to->force_helo);
    put_bool(out, to->auth_without_tls);
    put_u8(out, (uint8_t)to->remove_headers);
    put_u32(out, (uint32_t)to->inactivity_ms);
    put_bytes(out, to->log_name);
    put_bytes(out, to->helo_name);
    put_bytes(out, to->user);
    put_bool(out, to->exchange_server);
    put_u32(out, (uint32_t)to->pin_count);
    for (size_t i = 0; i < to->pin_count; i++)
        put_bytes(out, to->pins[i]);
    put_bool(out, to->password != NULL);
    if (to->password)
        put_bytes(out, secret_reveal(to->password));
}

void job_put(struct buf *out, const struct delivery_job *job)
{
    put_u64(out, job->message_id);
    put_u64(out, (uint64_t)job->received_ms);
    put_bytes(out, job->sender);
    put_u32(out, (uint32_t)job->recipient_count);
    for (size_t i = 0; i < job->recipient_count; i++) {
        put_bytes(out, job->recipients[i].address);
        put_bytes(out, job->recipients[i].orcpt);
        put_u8(out, (uint8_t)job->recipients[i].notify);
        put_u32(out, job->recipients[i].index);
    }
    put_bool(out, job->eight_bit);
    put_bool(out, job->utf8);
    put_bool(out, job->binary);
    put_bytes(out, job->envid);
    put_u8(out, (uint8_t)job->ret);
    put_u64(out, job->size);
    put_bool(out, job->first_attempt);
    put_destination(out, &job->to);
}

static struct span get_text(struct cursor *c, size_t max, struct arena *arena)
{
    struct span s = cursor_bytes(c, max);
    struct span copy = c->bad ? s : arena_dup(arena, s);
    if (!copy.ptr)
        c->bad = true;
    return copy;
}

/* A number that a signed 64-bit one can hold. */
static uint64_t get_u63(struct cursor *c)
{
    uint64_t v = cursor_u64(c);
    if (v > INT64_MAX)
        c->bad = true;
    return v;
}

static uint8_t get_enum(struct cursor *c, unsigned last)
{
    uint8_t v = cursor_u8(c);
    if (v > last)
        c->bad = true;
    return v;
}

static const struct delivery_recipient *get_recipients(struct cursor *c, struct arena *arena, size_t *ret_count)
{
    uint32_t count = cursor_u32(c);
    if (count == 0 || count > JOB_RECIPIENTS_MAX || count > c->rest.len / RECIPIENT_MIN)
        c->bad = true;
    struct delivery_recipient *r = c->bad ? NULL : ARENA_ARRAY(arena, count, struct delivery_recipient);
    if (!r) {
        c->bad = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count && !c->bad; i++) {
        r[i].address = get_text(c, SIZE_MAX, arena);
        r[i].orcpt = get_text(c, SIZE_MAX, arena);
        r[i].notify = get_enum(c, NOTIFY_ALL);
        r[i].index = cursor_u32(c);
    }
    *ret_count = count;
    return r;
}

static const struct delivery_host *get_hosts(struct cursor *c, struct arena *arena, size_t *ret_count)
{
    uint32_t count = cursor_u32(c);
    struct delivery_host *h =
        c->bad || count > c->rest.len / HOST_MIN ? NULL : ARENA_ARRAY(arena, count, struct delivery_host);
    if (!h) {
        c->bad = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count && !c->bad; i++) {
        h[i].name = get_text(c, SIZE_MAX, arena);
        h[i].port = cursor_u16(c);
    }
    *ret_count = count;
    return h;
}

static const struct span *get_pins(struct cursor *c, struct arena *arena, size_t *ret_count)
{
    uint32_t count = cursor_u32(c);
    struct span *p = c->bad || count > c->rest.len / PIN_MIN ? NULL : ARENA_ARRAY(arena, count, struct span);
    if (!p) {
        c->bad = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count && !c->bad; i++)
        p[i] = get_text(c, PIN_MAX, arena);
    *ret_count = count;
    return p;
}

static struct delivery_destination get_destination(struct cursor *c, struct arena *arena, struct secret *password)
{
    struct delivery_destination to = {.kind = (enum delivery_kind)get_enum(c, DELIVERY_SMTP)};
    to.mailbox = get_text(c, SIZE_MAX, arena);
    to.hosts = get_hosts(c, arena, &to.host_count);
    to.mx_domain = get_text(c, SIZE_MAX, arena);
    to.mx_port = cursor_u16(c);
    to.tls = (enum delivery_tls)get_enum(c, DELIVERY_TLS_DOMAIN);
    to.tls_domain = get_text(c, SIZE_MAX, arena);
    to.domain_secure = cursor_bool(c);
    to.dane = (enum delivery_dane)get_enum(c, DELIVERY_DANE_MANDATORY);
    to.mta_sts = cursor_bool(c);
    to.require_tls = cursor_bool(c);
    to.tls_optional = cursor_bool(c);
    to.carry_require_tls = cursor_bool(c);
    to.force_helo = cursor_bool(c);
    to.auth_without_tls = cursor_bool(c);
    to.remove_headers = get_enum(c, HEADER_EXIT_ALL);
    to.inactivity_ms = cursor_u32(c);
    to.log_name = get_text(c, SIZE_MAX, arena);
    to.helo_name = get_text(c, SIZE_MAX, arena);
    to.user = get_text(c, SIZE_MAX, arena);
    to.exchange_server = cursor_bool(c);
    to.pins = get_pins(c, arena, &to.pin_count);
    if (cursor_bool(c)) {
        to.password = password;
        struct span bytes = cursor_bytes(c, PASSWORD_MAX);
        if (!c->bad && !secret_set(password, bytes))
            c->bad = true;
    }
    return to;
}

bool job_get(struct span body, bool has_fd, struct arena *arena, struct delivery_job *ret,
             struct secret *ret_password)
{
    struct cursor c = cursor_of(body);
    struct secret password;
    secret_init(&password, PASSWORD_MAX);
    struct delivery_job job = {.message_id = cursor_u64(&c), .body_fd = -1};
    job.received_ms = (int64_t)get_u63(&c);
    job.sender = get_text(&c, SIZE_MAX, arena);
    job.recipients = get_recipients(&c, arena, &job.recipient_count);
    job.eight_bit = cursor_bool(&c);
    job.utf8 = cursor_bool(&c);
    job.binary = cursor_bool(&c);
    job.envid = get_text(&c, SIZE_MAX, arena);
    job.ret = (enum delivery_ret)get_enum(&c, DELIVERY_RET_HDRS);
    job.size = get_u63(&c);
    job.first_attempt = cursor_bool(&c);
    job.to = get_destination(&c, arena, &password);
    job.body = c.rest;
    bool body_fits = has_fd ? c.rest.len == 0 : c.rest.len == job.size;
    if (!cursor_ok(&c) || !body_fits || body.len - c.rest.len > JOB_HEAD_MAX) {
        secret_done(&password);
        return false;
    }
    if (job.to.password)
        job.to.password = ret_password;
    *ret_password = password;
    *ret = job;
    return true;
}

/* ---- reports ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* One line of at most max octets: cut at a character's end, what would break the line becomes '?'. */
static void put_line(struct buf *out, struct span s, size_t max)
{
    size_t n = s.len;
    if (n > max)
        for (n = max; n > 0 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80;)
            n--;
    put_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, is_control(s.ptr[i]) ? '?' : s.ptr[i]);
}

/* How long the results' texts may be for the report to fit into a frame. */
static size_t text_limit(const struct delivery_report *report)
{
    ASSERT(report->count <= JOB_RECIPIENTS_MAX);
    size_t room = REPORT_MAX - REPORT_REST_MAX - report->count * RESULT_MAX, wanted = 0;
    for (size_t i = 0; i < report->count; i++)
        wanted += span_head(report->results[i].text, JOB_REPORT_TEXT_MAX).len;
    return wanted <= room ? JOB_REPORT_TEXT_MAX : room / report->count;
}

void job_put_report(struct buf *out, const struct delivery_report *report)
{
    size_t limit = text_limit(report);
    put_u32(out, (uint32_t)report->count);
    for (size_t i = 0; i < report->count; i++) {
        const struct delivery_result *r = &report->results[i];
        put_u8(out, (uint8_t)r->outcome);
        put_u16(out, r->code);
        put_line(out, r->enhanced, ENHANCED_MAX);
        put_line(out, r->text, limit);
        put_line(out, span_of(r->stage), STAGE_MAX);
        put_bool(out, r->connection_fault);
    }
    put_line(out, report->remote_host, JOB_REPORT_TEXT_MAX);
    put_line(out, report->remote_ip, JOB_REPORT_TEXT_MAX);
    put_line(out, report->tls.version, JOB_REPORT_TEXT_MAX);
    put_line(out, report->tls.cipher, JOB_REPORT_TEXT_MAX);
    put_u8(out, (uint8_t)report->tls.verified);
    put_line(out, report->tls.peer, JOB_REPORT_TEXT_MAX);
    put_line(out, report->tls.policy_failure, JOB_REPORT_TEXT_MAX);
    put_bool(out, report->dsn_offered);
    put_bool(out, report->reused);
}

static struct span get_line(struct cursor *c, size_t max, struct arena *arena)
{
    struct span s = get_text(c, max, arena);
    for (size_t i = 0; i < s.len; i++)
        if (is_control(s.ptr[i]))
            c->bad = true;
    return s;
}

static const struct delivery_result *get_results(struct cursor *c, size_t count, struct arena *arena)
{
    if (cursor_u32(c) != count || count > JOB_RECIPIENTS_MAX || count > c->rest.len / RESULT_MIN)
        c->bad = true;
    struct delivery_result *r = c->bad ? NULL : ARENA_ARRAY(arena, count, struct delivery_result);
    if (!r) {
        c->bad = true;
        return NULL;
    }
    for (size_t i = 0; i < count && !c->bad; i++) {
        r[i].outcome = (enum delivery_outcome)get_enum(c, DELIVERY_PERMANENT);
        r[i].code = cursor_u16(c);
        r[i].enhanced = get_line(c, ENHANCED_MAX, arena);
        r[i].text = get_line(c, JOB_REPORT_TEXT_MAX, arena);
        r[i].stage = get_line(c, STAGE_MAX, arena).ptr; /* a NUL stands behind an arena's copy, none is within */
        r[i].connection_fault = cursor_bool(c);
    }
    return r;
}

bool job_get_report(struct span body, size_t count, struct arena *arena, struct delivery_report *ret)
{
    struct cursor c = cursor_of(body);
    struct delivery_report report = {.count = count};
    report.results = get_results(&c, count, arena);
    report.remote_host = get_line(&c, JOB_REPORT_TEXT_MAX, arena);
    report.remote_ip = get_line(&c, JOB_REPORT_TEXT_MAX, arena);
    report.tls.version = get_line(&c, JOB_REPORT_TEXT_MAX, arena);
    report.tls.cipher = get_line(&c, JOB_REPORT_TEXT_MAX, arena);
    report.tls.verified = (enum tls_verified)get_enum(&c, TLS_VERIFIED_COUNT - 1);
    report.tls.peer = get_line(&c, JOB_REPORT_TEXT_MAX, arena);
    report.tls.policy_failure = get_line(&c, JOB_REPORT_TEXT_MAX, arena);
    report.dsn_offered = cursor_bool(&c);
    report.reused = cursor_bool(&c);
    if (!cursor_done(&c))
        return false;
    *ret = report;
    return true;
}
