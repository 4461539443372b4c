/*
 * sink.c: an SMTP server of the least possible work: it says yes to everything, keeps no content and counts ids.
 * With
 * --forget and --twice it lies, so that the bench can show that it would notice.
 */
#include "ledger.h"
#include "load.h"
#include "message.h"
#include "stream.h"
#include "summary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, READ_MAX = 256 << 10, LINE_MAX_OCTETS = 2048, BACKLOG = 4096 };

enum state { HANDSHAKE, COMMAND, DATA, TLS_DUE, OVER };

struct sink {
    const struct options *options;
    SSL_CTX *tls;
    int epoll, listener, signals;
    bool ended;
    struct ledger received;
    uint64_t connections, messages, recipients, foreign, damaged, bytes;
    uint64_t first, last; /* times of the first and the last message */
};

struct conn {
    struct sink *sink;
    struct stream stream;
    enum state state;
    uint64_t recipients; /* of the message in hand */
    size_t line_len;
    char line[LINE_MAX_OCTETS]; /* the beginning of a command */
    struct message_in message;
};

static void reply(struct conn *c, struct span text)
{
    buf_add(&c->stream.out, text);
}

static void ehlo(struct conn *c)
{
    reply(c, SPAN("250-sink.test\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"));
    if (c->sink->tls && !c->stream.ssl)
        reply(c, SPAN("250-STARTTLS\r\n"));
    reply(c, SPAN("250-AUTH PLAIN\r\n250 ENHANCEDSTATUSCODES\r\n"));
}

static void command(struct conn *c, struct span line)
{
    static const struct {
        struct span verb, reply;
        enum state next;
    } others[] = {
        {SPAN_INIT("DATA"), SPAN_INIT("354 go on\r\n"), DATA},
        {SPAN_INIT("QUIT"), SPAN_INIT("221 2.0.0 bye\r\n"), OVER},
        {SPAN_INIT("AUTH"), SPAN_INIT("235 2.7.0 ok\r\n"), COMMAND},
        {SPAN_INIT("MAIL"), SPAN_INIT("250 2.1.0 ok\r\n"), COMMAND},
        {SPAN_INIT("RCPT"), SPAN_INIT("250 2.1.5 ok\r\n"), COMMAND},
        {SPAN_INIT("RSET"), SPAN_INIT("250 2.0.0 ok\r\n"), COMMAND},
        {SPAN_INIT("NOOP"), SPAN_INIT("250 2.0.0 ok\r\n"), COMMAND},
    };
    if (span_istarts(line, SPAN("EHLO")) || span_istarts(line, SPAN("HELO"))) {
        ehlo(c);
        return;
    }
    if (c->sink->tls && !c->stream.ssl && span_istarts(line, SPAN("STARTTLS"))) {
        reply(c, SPAN("220 2.0.0 go on\r\n"));
        c->state = TLS_DUE;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (span_istarts(line, others[i].verb)) {
            reply(c, others[i].reply);
            c->state = others[i].next;
            c->recipients += i == 4;
            c->recipients = i == 3 ? 0 : c->recipients;
            if (c->state == DATA)
                message_in_reset(&c->message);
            return;
        }
    reply(c, SPAN("500 5.5.2 unknown\r\n"));
}

static void say_once_complete(const struct sink *k, uint64_t before)
{
    if (k->options->expect && before < k->options->expect && k->received.different >= k->options->expect) {
        printf("complete\n");
        fflush(stdout);
    }
}

static void message_arrived(struct conn *c)
{
    struct sink *k = c->sink;
    uint64_t number, before = k->received.different, forget = k->options->forget, twice = k->options->twice;
    k->messages++;
    k->recipients += c->recipients;
    k->bytes += c->message.total;
    k->last = stream_now();
    k->first = k->first ? k->first : k->last;
    reply(c, SPAN("250 2.0.0 taken\r\n"));
    c->state = COMMAND;
    if (forget && k->messages % forget == 0)
        return;
    enum message_state what = message_in_read(&c->message, k->options->run, &number);
    k->foreign += what == MESSAGE_FOREIGN;
    k->damaged += what == MESSAGE_DAMAGED;
    if (what != MESSAGE_WHOLE)
        return;
    unsigned copies = twice && k->messages % twice == 0 ? 2 : 1;
    while (copies--)
        if (ledger_add(&k->received, number, NULL) != ERR_NONE)
            k->foreign++; /* a number that no run of ours has */
    say_once_complete(k, before);
}

/* Takes all of s; what is left of an unfinished command stays in c->line. */
static void input(struct conn *c, struct span s)
{
    while (s.len > 0 && (c->state == COMMAND || c->state == DATA)) {
        if (c->state == DATA) {
            bool whole;
            s = span_from(s, message_in_take(&c->message, s, &whole));
            if (whole)
                message_arrived(c);
            continue;
        }
        size_t lf = span_find(s, '\n'), n = lf == SIZE_MAX ? s.len : lf + 1;
        if (c->line_len + n > sizeof c->line) {
            c->state = OVER;
            return;
        }
        memcpy(c->line + c->line_len, s.ptr, n);
        c->line_len += n;
        s = span_from(s, n);
        if (lf != SIZE_MAX) {
            struct span line = span_make(c->line, c->line_len);
            c->line_len = 0;
            command(c, line);
        }
    }
}

static void close_conn(struct conn *c)
{
    stream_close(&c->stream);
    free(c);
}

static bool start_tls(struct conn *c)
{
    c->state = HANDSHAKE;
    c->line_len = 0;
    return stream_start_tls(&c->stream, c->sink->tls, true, NULL);
}

/* False: the connection is over. */
static bool conn_event(struct conn *c)
{
    static char scratch[READ_MAX];
    bool greet = false;
    if (c->state == HANDSHAKE) {
        enum stream_state state = stream_handshake(&c->stream);
        if (state != STREAM_OK)
            return state == STREAM_AGAIN;
        greet = c->sink->options->tls == TLS_IMPLICIT;
        c->state = COMMAND;
    }
    if (greet)
        reply(c, SPAN("220 sink.test ESMTP\r\n"));
    do {
        size_t n = 0;
        enum stream_state state = stream_read(&c->stream, scratch, sizeof scratch, &n);
        if (state == STREAM_ENDED)
            return false;
        if (state == STREAM_OK)
            input(c, span_make(scratch, n));
    } while (stream_has_more(&c->stream) && (c->state == COMMAND || c->state == DATA));
    if (c->stream.out.len > 0 || c->stream.watching_out) {
        enum stream_state state = stream_flush(&c->stream);
        if (state == STREAM_ENDED || (state == STREAM_OK && c->state == OVER))
            return false;
        if (state == STREAM_OK && c->state == TLS_DUE)
            return start_tls(c);
    }
    return true;
}

static void accept_all(struct sink *k)
{
    for (;;) {
        int on = 1, fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = malloc(sizeof *c); /* not zeroed: the message part is large and has its own reset */
        if (!c) {
            close(fd);
            continue;
        }
        c->sink = k;
        c->state = COMMAND;
        c->line_len = 0;
        c->recipients = 0;
        if (stream_open(&c->stream, k->epoll, fd, c, NULL) != ERR_NONE) {
            free(c);
            continue;
        }
        k->connections++;
        if (k->options->tls != TLS_IMPLICIT)
            reply(c, SPAN("220 sink.test ESMTP\r\n"));
        else if (!start_tls(c))
            close_conn(c);
    }
}

static enum err_code watch(int epoll, int fd, void *mark, struct err *err)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = mark};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? ERR_NONE : err_errno(err, errno, "epoll");
}

static enum err_code listen_on(struct sink *k, struct err *err)
{
    char address[16];
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    uint16_t port;
    int on = 1;
    if (!options_split_address(k->options->listen, address, &port))
        ASSERT_NEVER("the options were checked");
    at.sin_port = htons(port);
    k->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->listener < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
        setsockopt(k->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(k->listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(k->listener, BACKLOG) < 0 ||
        getsockname(k->listener, (struct sockaddr *)&at, &len) < 0)
        return err_errno(err, errno, "listening on %s", k->options->listen);
    printf("listening %u\n", ntohs(at.sin_port));
    fflush(stdout);
    return ERR_NONE;
}

static enum err_code prepare(struct sink *k, struct err *err)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    k->signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (k->epoll < 0 || k->signals < 0)
        return err_errno(err, errno, "preparing the sink");
    enum err_code code = ERR_NONE;
    if (k->options->certificate)
        code = stream_server_context(k->options->certificate, k->options->key, &k->tls, err);
    if (code == ERR_NONE)
        code = listen_on(k, err);
    if (code == ERR_NONE)
        code = watch(k->epoll, k->listener, &k->listener, err);
    return code == ERR_NONE ? watch(k->epoll, k->signals, &k->signals, err) : code;
}

static void loop(struct sink *k)
{
    struct epoll_event events[EVENTS];
    while (!k->ended) {
        int n = epoll_wait(k->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            void *mark = events[i].data.ptr;
            if (mark == &k->listener)
                accept_all(k);
            else if (mark == &k->signals)
                k->ended = true;
            else if (!conn_event(mark))
                close_conn(mark);
        }
    }
}

enum err_code sink_run(const struct options *o, struct buf *out, struct err *err)
{
    struct sink k = {.options = o, .epoll = -1, .listener = -1, .signals = -1};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    enum err_code code = prepare(&k, err);
    if (code == ERR_NONE) {
        loop(&k);
        buf_addf(out,
                 "{\"messages\":%" PRIu64 ",\"different\":%" PRIu64 ",\"duplicates\":%" PRIu64
                 ",\"foreign\":%" PRIu64 ",\"damaged\":%" PRIu64 ",\"recipients\":%" PRIu64
                 ",\"connections\":%" PRIu64 ",\"bytes\":%" PRIu64
                 ",\"first\":%.6f,\"last\":%.6f,\"cpu_seconds\":%.3f}\n",
                 k.messages, k.received.different, k.received.all - k.received.different, k.foreign, k.damaged,
                 k.recipients, k.connections, k.bytes, (double)k.first / 1e9, (double)k.last / 1e9, summary_cpu());
        if (o->received)
            code = ledger_write(&k.received, o->received, err);
    }
    ledger_done(&k.received);
    SSL_CTX_free(k.tls);
    return code;
}
