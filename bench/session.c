/*
 * session.c: the client's side of SMTP. Replies are awaited one by one; with --pipelining the envelope is written
 * at once and only then its replies are read. A refusal anywhere ends the message, not the session; only a session
 * that fails before its first MAIL, or that the server ends, is given up.
 */
#include "session.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTENT_PIECE = 256 << 10 };

static void say(struct session *s, const char *line)
{
    buf_add(&s->stream.out, span_of(line));
    buf_add(&s->stream.out, SPAN("\r\n"));
}

static void close_session(struct session *s)
{
    struct tally *t = &s->load->tally;
    switch (s->phase) {
    case PHASE_CLOSED: return;
    case PHASE_ENVELOPE: t->refused++; break; /* it was not sent whole, so nobody answers for it */
    case PHASE_DOT: t->unknown++; break;
    case PHASE_IDLE:
        t->closed_by_server++;
        s->load->held--;
        break;
    case PHASE_TLS_FIRST:
    case PHASE_BANNER:
    case PHASE_EHLO:
    case PHASE_STARTTLS:
    case PHASE_TLS:
    case PHASE_EHLO_TLS:
    case PHASE_AUTH:
        t->failed++;
        s->load->arriving--;
        break;
    case PHASE_RESET:
    case PHASE_QUIT: break;
    }
    s->phase = PHASE_CLOSED;
    stream_close(&s->stream);
}

bool session_open(struct session *s, struct load *load)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load->port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *s = (struct session){.load = load, .began = stream_now()};
    if (fd < 0 || inet_pton(AF_INET, load->address, &to.sin_addr) != 1 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
        if (fd >= 0)
            close(fd);
        load->tally.failed++;
        return false;
    }
    if (stream_open(&s->stream, load->epoll, fd, s, NULL) != ERR_NONE) {
        load->tally.failed++;
        return false;
    }
    load->tally.opened++;
    load->arriving++;
    s->phase = load->options->tls == TLS_IMPLICIT ? PHASE_TLS_FIRST : PHASE_BANNER;
    return true;
}

static void count_refusal(struct session *s, unsigned code, struct span line)
{
    struct tally *t = &s->load->tally;
    t->codes[code]++;
    if (!t->first_refusal[0])
        snprintf(t->first_refusal, sizeof t->first_refusal, "%.*s", SPAN_ARG(line));
}

static void quit(struct session *s)
{
    say(s, "QUIT");
    s->phase = PHASE_QUIT;
}

/* The envelope's next command. */
static void say_step(struct session *s)
{
    const struct options *o = s->load->options;
    struct buf *out = &s->stream.out;
    if (s->said == 0)
        buf_addf(out, "MAIL FROM:<%s>\r\n", o->sender);
    else if (s->said <= o->recipients)
        buf_addf(out, "RCPT TO:<r%" PRIu64 "@%s>\r\n", s->said, o->domain);
    else
        buf_add(out, SPAN("DATA\r\n"));
    s->said++;
}

bool session_no_more(const struct load *load)
{
    return load->next == load->options->messages || stream_now() >= load->until;
}

static void next_message(struct session *s)
{
    const struct options *o = s->load->options;
    if (s->messages == 0)
        s->load->arriving--;
    if (o->mode == MODE_IDLE) {
        s->phase = PHASE_IDLE;
        s->load->held++;
        return;
    }
    if (s->messages == o->per_connection || session_no_more(s->load)) {
        quit(s);
        return;
    }
    s->messages++;
    s->number = s->load->next++;
    s->said = s->answered = s->recipients_taken = 0;
    s->refused = false;
    s->phase = PHASE_ENVELOPE;
    do
        say_step(s);
    while (o->pipelining && s->said < o->recipients + 2);
}

static void start_content(struct session *s)
{
    const struct options *o = s->load->options;
    char recipient[300];
    snprintf(recipient, sizeof recipient, "r1@%s", o->domain);
    s->phase = PHASE_DOT;
    message_begin(&s->content, &s->stream.out, o->run, s->number, o->size, span_of(o->sender), span_of(recipient));
}

static void message_refused(struct session *s, bool reset)
{
    s->load->tally.refused++;
    s->phase = PHASE_RESET;
    if (reset)
        say(s, "RSET");
    else
        next_message(s);
}

static void envelope_reply(struct session *s, unsigned code, struct span line)
{
    const struct options *o = s->load->options;
    uint64_t step = s->answered++;
    bool last = step == o->recipients + 1;
    bool good = last ? code == 354 : code / 100 == 2;
    if (!good)
        count_refusal(s, code, line);
    if (step > 0 && !last && good)
        s->recipients_taken++;
    else if (step > 0 && !last)
        s->load->tally.recipients_refused++;
    if (last && good)
        start_content(s);
    else if (last)
        message_refused(s, true);
    else if (!o->pipelining && !good && (step == 0 || (step == o->recipients && s->recipients_taken == 0)))
        message_refused(s, true);
    else if (!o->pipelining)
        say_step(s);
}

static void dot_reply(struct session *s, unsigned code, struct span line)
{
    struct load *load = s->load;
    if (code / 100 != 2) {
        count_refusal(s, code, line);
        message_refused(s, false);
        return;
    }
    histogram_add(&load->dot, stream_now() - s->began);
    load->tally.acknowledged++;
    struct err err;
    if (ledger_add(&load->acknowledged, s->number, &err) != ERR_NONE)
        ASSERT_NEVER("the options bound the number of messages");
    next_message(s);
}

static bool start_tls(struct session *s)
{
    /* A copy: OpenSSL lets a TLS 1.3 ticket be used once. */
    SSL_SESSION *ticket = s->load->ticket ? SSL_SESSION_dup(s->load->ticket) : NULL;
    s->began = stream_now();
    bool started = stream_start_tls(&s->stream, s->load->tls, false, ticket);
    SSL_SESSION_free(ticket);
    return started;
}

static void after_ehlo(struct session *s)
{
    if (!s->load->options->user) {
        next_message(s);
        return;
    }
    buf_add(&s->stream.out, buf_span(&s->load->auth));
    s->phase = PHASE_AUTH;
}

/* One whole reply, of which line is the last line. */
static void reply(struct session *s, unsigned code, struct span line)
{
    const struct options *o = s->load->options;
    if (s->phase == PHASE_DOT && code == 421)
        s->phase = PHASE_ENVELOPE; /* an answer: nobody took it */
    if (s->phase == PHASE_ENVELOPE && code != 421) {
        envelope_reply(s, code, line);
        return;
    }
    if (s->phase == PHASE_DOT) {
        dot_reply(s, code, line);
        return;
    }
    if (code / 100 != 2) { /* the rest of a session expects nothing else */
        count_refusal(s, code, line);
        close_session(s);
        return;
    }
    switch (s->phase) {
    case PHASE_BANNER:
        histogram_add(&s->load->connect, stream_now() - s->began);
        s->phase = PHASE_EHLO;
        say(s, "EHLO bench.test");
        break;
    case PHASE_EHLO:
        if (o->tls == TLS_STARTTLS) {
            s->phase = PHASE_STARTTLS;
            say(s, "STARTTLS");
            break;
        }
        after_ehlo(s);
        break;
    case PHASE_STARTTLS:
        s->phase = PHASE_TLS;
        if (!start_tls(s))
            close_session(s);
        break;
    case PHASE_EHLO_TLS: after_ehlo(s); break;
    case PHASE_AUTH:
    case PHASE_RESET: next_message(s); break;
    case PHASE_QUIT:
    case PHASE_IDLE: close_session(s); break;
    case PHASE_CLOSED:
    case PHASE_TLS_FIRST:
    case PHASE_TLS:
    case PHASE_ENVELOPE:
    case PHASE_DOT: ASSERT_NEVER("no reply is read in these");
    }
}

static bool in_handshake(const struct session *s)
{
    return s->phase == PHASE_TLS || s->phase == PHASE_TLS_FIRST;
}

/* All whole replies in s->in. */
static void replies(struct session *s)
{
    size_t at = 0;
    while (s->phase != PHASE_CLOSED && !in_handshake(s)) {
        struct span rest = span_make(s->in + at, s->in_len - at);
        size_t lf = span_find(rest, '\n');
        uint32_t code;
        if (lf == SIZE_MAX)
            break;
        struct span line = span_trim(span_head(rest, lf));
        at += lf + 1;
        if (line.len < 3 || !num_parse_u32(span_head(line, 3), REPLY_CODES - 1, &code)) {
            count_refusal(s, 0, line);
            close_session(s);
        } else if (line.len == 3 || line.ptr[3] != '-') {
            reply(s, code, line);
        }
    }
    memmove(s->in, s->in + at, s->in_len - at);
    s->in_len -= at;
}

static void handshake(struct session *s)
{
    enum stream_state state = stream_handshake(&s->stream);
    if (state == STREAM_ENDED)
        close_session(s);
    if (state != STREAM_OK)
        return;
    histogram_add(&s->load->handshake, stream_now() - s->began);
    s->load->tally.resumed += SSL_session_reused(s->stream.ssl) == 1;
    s->in_len = 0;
    if (s->phase == PHASE_TLS_FIRST) {
        s->began = stream_now();
        s->phase = PHASE_BANNER;
        return;
    }
    s->phase = PHASE_EHLO_TLS;
    say(s, "EHLO bench.test");
}

/* Writes what is due, and the content piece by piece; the dot's time begins when its last byte is written. */
static void write_out(struct session *s)
{
    for (;;) {
        bool content = s->phase == PHASE_DOT && s->content.trailer_due;
        if (content && s->stream.out.len < CONTENT_PIECE)
            message_more(&s->content, &s->stream.out, CONTENT_PIECE);
        if (s->stream.out.len == 0 && !s->stream.watching_out)
            return;
        enum stream_state state = stream_flush(&s->stream);
        if (state == STREAM_ENDED)
            close_session(s);
        if (state != STREAM_OK)
            return;
        if (s->phase == PHASE_DOT)
            s->began = stream_now();
        if (!content)
            break;
    }
    if (s->phase == PHASE_QUIT && s->load->options->leave)
        close_session(s);
}

static bool read_some(struct session *s)
{
    size_t n = 0;
    if (s->in_len == sizeof s->in) { /* no reply line is as long */
        close_session(s);
        return false;
    }
    enum stream_state state = stream_read(&s->stream, s->in + s->in_len, sizeof s->in - s->in_len, &n);
    if (state == STREAM_ENDED)
        close_session(s);
    if (state != STREAM_OK)
        return false;
    s->in_len += n;
    return true;
}

void session_event(struct session *s)
{
    do {
        if (s->phase == PHASE_TLS_FIRST && !s->stream.ssl && !start_tls(s)) {
            close_session(s);
            return;
        }
        if (in_handshake(s))
            handshake(s);
        else if (s->phase != PHASE_CLOSED && read_some(s))
            replies(s);
        if (s->phase == PHASE_TLS)
            handshake(s);
        if (s->phase != PHASE_CLOSED)
            write_out(s);
    } while (s->phase != PHASE_CLOSED && !in_handshake(s) && stream_has_more(&s->stream));
}

void session_give_up(struct session *s)
{
    struct load *load = s->load;
    bool held = s->phase == PHASE_IDLE, unneeded = s->phase < PHASE_ENVELOPE && load && session_no_more(load);
    uint64_t failed = load ? load->tally.failed : 0;
    close_session(s);
    if (held)
        load->tally.closed_by_server--;
    if (unneeded)
        load->tally.failed = failed;
}
