/*
 * misplaced.c: TLS where text is due, and text where TLS is due: recognised by the client's first octets, counted,
 * logged with what to change at the client, and answered with what the client can understand.
 *
 * Invariants: nothing of it reaches the SMTP machine or the TLS engine. A line is written once in LOG_EVERY_MS for
 * each address and kind, and LOG_MAX in that time in all, with how many were not written, so that a misconfigured
 * device that tries every second does not fill the log.
 */
#include "role/receive/session_internal.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "smtp/first.h"

#include <string.h>

/* A client that waits for a greeting waits longer than a probe that looks whether the port is open. */
enum { LOG_EVERY_MS = 60000, LOG_MAX = 30, CLIENTS = 64, PATIENT_MS = 5000 };

enum misplaced { TLS_FOR_TEXT, TEXT_FOR_TLS, TEXT_BEHIND_STARTTLS, SILENCE_FOR_TLS, MISPLACED_KINDS };

static const struct {
    const char *event, *remedy;
} kinds[MISPLACED_KINDS] = {
    [TLS_FOR_TEXT] =
        {"tls-where-starttls-is-due",
         "the client begins with TLS, and this port begins in the clear; set the client to STARTTLS, or to "
         "port 465 (a connector with ImplicitTls)"},
    [TEXT_FOR_TLS] =
        {"text-where-tls-is-due",
         "the client speaks in the clear, and this port speaks TLS from the first byte; switch on SSL/TLS "
         "in the client, or use port 587 with STARTTLS"},
    [TEXT_BEHIND_STARTTLS] =
        {"text-where-tls-is-due",
         "the client asked for STARTTLS and went on in the clear; something on the way answers in "
         "its place, or it is broken"},
    [SILENCE_FOR_TLS] =
        {"silence-where-tls-is-due",
         "the client said nothing, as one does that waits for a greeting in the clear; switch on SSL/TLS "
         "in the client, or use port 587 with STARTTLS"},
};

/* Who was logged lately; a client that finds no place of its own takes that of another. */
static struct {
    struct ip_addr remote;
    int64_t at_ms;     /* 0: free */
    int64_t unwritten; /* since then */
    enum misplaced kind;
} clients[CLIENTS];
static int64_t totals[MISPLACED_KINDS], window_ms, window_lines;

/* True when a line is due; *ret_unwritten: how many of this client were not written since the last. */
static bool line_due(struct ip_addr remote, enum misplaced kind, int64_t *ret_unwritten)
{
    int64_t now = clock_mono_ms();
    size_t slot = span_ihash(span_make(remote.bytes, sizeof remote.bytes)) % CLIENTS;
    bool same = clients[slot].at_ms && clients[slot].kind == kind && ip_cmp(clients[slot].remote, remote) == 0;
    if (now - window_ms >= LOG_EVERY_MS) {
        window_ms = now;
        window_lines = 0;
    }
    if ((same && now - clients[slot].at_ms < LOG_EVERY_MS) || window_lines >= LOG_MAX) {
        clients[slot].unwritten += same;
        return false;
    }
    *ret_unwritten = same ? clients[slot].unwritten : 0;
    clients[slot].remote = remote;
    clients[slot].kind = kind;
    clients[slot].at_ms = now;
    clients[slot].unwritten = 0;
    window_lines++;
    return true;
}

static void note(struct session *s, enum misplaced kind)
{
    int64_t unwritten = 0, total = ++totals[kind];
    char local[IP_ENDPOINT_TEXT_MAX];
    session_facts_mistake(s, span_of(kinds[kind].event));
    if (!line_due(s->remote.addr, kind, &unwritten))
        return;
    struct log_line l = log_begin(LOG_NOTICE, kinds[kind].event);
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_str(&l, "local", ip_print_endpoint(s->local, local));
    log_span(&l, "connector", policy_text(s->policy, s->connector->name));
    log_int(&l, "total", total); /* of this process */
    log_int(&l, "unwritten", unwritten);
    log_str(&l, "remedy", kinds[kind].remedy);
    log_end(&l);
}

static void say(struct session *s, struct span reply)
{
    protocol_log_lines(s->protocol, PROTOCOL_ROW_SENT, reply);
    connection_write(s->connection, reply);
    session_end(s);
}

bool session_misplaced_tls(struct session *s, struct span first)
{
    if (!first_is_tls(first))
        return false;
    note(s, TLS_FOR_TEXT);
    protocol_log_row(s->protocol, PROTOCOL_ROW_RECEIVED, SPAN("TLS ClientHello ..."), SPAN(""));
    session_end(s); /* the greeting has gone out already: an alert behind it would not be read as one */
    return true;
}

bool session_misplaced_text(struct session *s, struct span first)
{
    s->heard = true;
    if (!first_is_text(first) || s->ending)
        return false;
    bool implicit = s->profile.tls_active;
    note(s, implicit ? TEXT_FOR_TLS : TEXT_BEHIND_STARTTLS);
    say(s, implicit
               ? SPAN("421 4.7.0 This port speaks TLS from the first byte: switch on SSL/TLS in the client, or use "
                      "port 587 with STARTTLS\r\n")
               : SPAN("421 4.7.0 TLS was expected behind STARTTLS\r\n"));
    return true;
}

void session_misplaced_silence(struct session *s)
{
    note(s, SILENCE_FOR_TLS);
    say(s, SPAN("421 4.7.0 This port speaks TLS from the first byte: switch on SSL/TLS in the client, or use port "
                "587 with "
                "STARTTLS\r\n"));
}

void session_misplaced_left(struct session *s)
{
    if (s->profile.tls_active && !s->heard && clock_mono_ms() - s->began_ms >= PATIENT_MS)
        note(s, SILENCE_FOR_TLS);
}
