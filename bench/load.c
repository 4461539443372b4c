/*
 * load.c: the generator's loop. A slot for each session at a time; a session that ended makes room for the next
 * while there are messages left. Everything ends at the deadline, or when so many sessions fail that a server
 * cannot be there.
 */
#include "load.h"

#include "base/base64.h"
#include "session.h"
#include "summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 256, FAILED_MAX = 1000, RETRY_MS = 10, AUTH_MAX = 2048 };

struct loop {
    struct load load;
    struct session *slots;
    size_t count, alive;
    uint64_t deadline;
    bool released; /* idle: standard input has ended */
};

static int keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct load *load = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(load->ticket);
    load->ticket = ticket;
    return 1; /* ours now */
}

/* "AUTH PLAIN " and the base64 of NUL user NUL password, RFC 4616. */
static void make_auth(struct load *load)
{
    struct buf plain;
    buf_init(&plain, AUTH_MAX);
    buf_init(&load->auth, AUTH_MAX * 2);
    buf_add_char(&plain, 0);
    buf_add(&plain, span_of(load->options->user));
    buf_add_char(&plain, 0);
    buf_add(&plain, span_of(load->options->password));
    buf_add(&load->auth, SPAN("AUTH PLAIN "));
    base64_encode(&load->auth, buf_span(&plain));
    buf_add(&load->auth, SPAN("\r\n"));
    buf_wipe(&plain);
}

static enum err_code prepare(struct loop *l, const struct options *o, struct err *err)
{
    struct load *load = &l->load;
    load->options = o;
    l->count = o->sessions;
    if (o->mode == MODE_LOAD && o->messages < l->count)
        l->count = o->messages;
    l->slots = calloc(l->count, sizeof *l->slots);
    if (!l->slots)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu sessions", l->count);
    if (!options_split_address(o->connect, load->address, &load->port))
        ASSERT_NEVER("the options were checked");
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll < 0)
        return err_errno(err, errno, "epoll");
    if (o->user)
        make_auth(load);
    if (o->tls == TLS_NONE)
        return ERR_NONE;
    enum err_code code = stream_client_context(o->resume, &load->tls, err);
    if (code == ERR_NONE) {
        SSL_CTX_set_app_data(load->tls, load);
        SSL_CTX_sess_set_new_cb(load->tls, keep_ticket);
    }
    return code;
}

static void done(struct loop *l)
{
    struct load *load = &l->load;
    SSL_SESSION_free(load->ticket);
    SSL_CTX_free(load->tls);
    buf_wipe(&load->auth);
    ledger_done(&load->acknowledged);
    if (load->epoll >= 0)
        close(load->epoll);
    free(l->slots);
}

static bool wants_more(const struct loop *l)
{
    const struct load *load = &l->load;
    if (load->tally.failed >= FAILED_MAX)
        return false;
    if (load->options->mode == MODE_LOAD)
        return load->next + load->arriving < load->options->messages && /* each of those takes one */
               !session_no_more(load);
    return l->alive < l->count && load->arriving < load->options->opening && !load->tally.closed_by_server;
}

static void fill_slots(struct loop *l)
{
    if (l->alive == l->count)
        return;
    for (size_t i = 0; i < l->count && wants_more(l); i++)
        if (l->slots[i].phase == PHASE_CLOSED && session_open(&l->slots[i], &l->load))
            l->alive++;
}

/* Nothing is in hand and nothing is to be begun: sessions that still say good-bye, or hello, do not matter. */
static bool all_answered(const struct load *load)
{
    const struct tally *t = &load->tally;
    return load->options->mode == MODE_LOAD && session_no_more(load) &&
           t->acknowledged + t->refused + t->unknown == load->next;
}

static void event(struct loop *l, void *owner)
{
    if (!owner) { /* standard input */
        char byte;
        l->released = read(STDIN_FILENO, &byte, 1) <= 0;
        return;
    }
    struct session *s = owner;
    if (s->phase == PHASE_CLOSED) /* ended by an earlier event of the same round */
        return;
    session_event(s);
    if (s->phase != PHASE_CLOSED)
        return;
    l->alive--;
    if (wants_more(l) && session_open(s, &l->load))
        l->alive++;
}

static void round_of_events(struct loop *l, bool all_up)
{
    struct epoll_event events[EVENTS];
    uint64_t now = stream_now();
    uint64_t end = now < l->load.until && l->load.until < l->deadline ? l->load.until : l->deadline;
    int64_t left = now < end ? (int64_t)((end - now) / 1000000) + 1 : 0;
    bool retry = l->alive < l->count && wants_more(l) && !all_up;
    int n = epoll_wait(l->load.epoll, events, EVENTS, retry ? RETRY_MS : (int)left);
    for (int i = 0; i < n; i++)
        event(l, events[i].data.ptr);
}

/* idle: all are up; says so and holds them. */
static void hold(struct loop *l)
{
    struct epoll_event end = {.events = EPOLLIN};
    bool watched = epoll_ctl(l->load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &end) == 0;
    printf("holding %zu\n", l->load.held);
    fflush(stdout);
    while (!l->released && l->alive > 0 && stream_now() < l->deadline)
        round_of_events(l, true);
    if (watched)
        epoll_ctl(l->load.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

static void raise_descriptor_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

enum err_code load_run(const struct options *o, struct buf *out, bool *ret_complete, struct err *err)
{
    static struct loop l; /* large: the histograms */
    raise_descriptor_limit();
    enum err_code code = prepare(&l, o, err);
    if (code != ERR_NONE) {
        done(&l);
        return code;
    }
    uint64_t start = stream_now();
    bool up = false;
    l.deadline = start + o->deadline * 1000000000U;
    l.load.until = o->seconds ? start + o->seconds * 1000000000U : UINT64_MAX;
    for (;;) {
        fill_slots(&l);
        up = o->mode == MODE_IDLE && l.load.held == l.count;
        if (up || all_answered(&l.load) || (l.alive == 0 && !wants_more(&l)) || stream_now() >= l.deadline)
            break;
        round_of_events(&l, false);
    }
    if (up)
        hold(&l);
    uint64_t end = stream_now();
    bool held = up && l.load.held == l.count;
    for (size_t i = 0; i < l.count; i++)
        session_give_up(&l.slots[i]);
    struct tally *t = &l.load.tally;
    *ret_complete =
        o->mode == MODE_IDLE ? held : session_no_more(&l.load) && t->acknowledged + t->refused == l.load.next;
    summary_load(out, &l.load, start, end, *ret_complete);
    if (o->acknowledged)
        code = ledger_write(&l.load.acknowledged, o->acknowledged, err);
    done(&l);
    return code;
}
