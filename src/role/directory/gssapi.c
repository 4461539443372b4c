/*
 * gssapi.c: DIRECTORY_GSSAPI: exchanges of AUTH GSSAPI with the keys of the keytab, each step on the thread pool,
 * and the mailbox that the principal means at the end.
 *
 * Invariants: an exchange belongs to the receive process that began it, and to nobody else; it goes when that
 * process does, when it is cancelled, when it has ended, and after IDLE_MS without a step. What runs on a thread is
 * touched by nobody meanwhile; what is let go of during that time is freed behind it. Whoever steps over a bound is
 * told "unavailable". The Kerberos library reads no file but the replay cache: its configuration is empty, so that
 * what is accepted depends on the keytab alone.
 */
#include "role/directory/internal.h"

#include "directory/directory_check.h"
#include "role/common/messages.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "sasl/gssapi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Exchanges of all clients, and of those of one receive process; steps of one; how long it may wait for the next.
 */
enum { EXCHANGES_MAX = 2048, PEER_MAX = 1024, STEPS_MAX = 8, IDLE_MS = 120000, SWEEP_MS = 15000 };
enum { ANSWER_MAX = 128 * 1024, IDENTITY_ARENA_MAX = 4 << 20 };

struct exchange {
    struct exchange *next; /* of the free ones */
    uint64_t id;           /* 0: free */
    uint32_t peer;         /* index of the receive process */
    unsigned steps;
    int64_t deadline_ms; /* clock_mono_ms */
    bool running;        /* a step, on a thread */
    bool dropped;        /* nobody wants it any more: to be freed when it does not run */
    struct gssapi_exchange *sasl;
    /* the step */
    uv_work_t work;
    struct role_asker asker;
    struct buf token, challenge;
    enum gssapi_status status;
};

static struct {
    struct role *role;
    struct directory *directory;
    struct gssapi_acceptor *acceptor; /* NULL: there are no keys */
    struct exchange *table;           /* EXCHANGES_MAX of them */
    struct exchange *free;
    size_t of_peer[ROLE_RECEIVE_MAX];
    uint64_t serial;
    uv_timer_t sweep;
} gssapi;

/* ---- exchanges ---- */

static struct exchange *find(uint64_t id, uint32_t peer)
{
    struct exchange *x = &gssapi.table[id % EXCHANGES_MAX];
    return id && x->id == id && x->peer == peer && !x->dropped ? x : NULL;
}

static struct exchange *begin(uint32_t peer)
{
    struct exchange *x = gssapi.free;
    struct gssapi_exchange *sasl =
        x && gssapi.acceptor && gssapi.of_peer[peer] < PEER_MAX ? gssapi_exchange_new(gssapi.acceptor) : NULL;
    if (!sasl)
        return NULL;
    gssapi.free = x->next;
    gssapi.of_peer[peer]++;
    *x = (struct exchange){.peer = peer, .sasl = sasl};
    x->id = ++gssapi.serial * EXCHANGES_MAX + (uint64_t)(x - gssapi.table);
    x->work.data = x;
    buf_init(&x->token, MESSAGE_GSSAPI_TOKEN_MAX);
    buf_init(&x->challenge, MESSAGE_GSSAPI_TOKEN_MAX);
    return x;
}

static void drop(struct exchange *x)
{
    x->dropped = true;
    if (x->running)
        return;
    gssapi_exchange_free(x->sasl);
    buf_wipe(&x->token);
    buf_wipe(&x->challenge);
    gssapi.of_peer[x->peer]--;
    x->id = 0;
    x->next = gssapi.free;
    gssapi.free = x;
}

static void on_sweep(uv_timer_t *t)
{
    int64_t now = clock_mono_ms();
    (void)t;
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        if (gssapi.table[i].id && !gssapi.table[i].running && now >= gssapi.table[i].deadline_ms)
            drop(&gssapi.table[i]);
}

void gssapi_peer_gone(uint32_t peer)
{
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        if (gssapi.table[i].id && gssapi.table[i].peer == peer && !gssapi.table[i].dropped)
            drop(&gssapi.table[i]);
}

/* ---- answers ---- */

static void answer(const struct role_asker *asker, const struct gssapi_answer *a)
{
    struct buf b;
    buf_init(&b, ANSWER_MAX);
    message_put_gssapi(&b, a);
    if (b.failed) { /* an identity with more addresses and groups than a frame holds */
        log_text(LOG_ERROR, "identity-too-large", "a user's addresses and groups do not fit into %d bytes",
                 ANSWER_MAX);
        buf_clear(&b);
        message_put_gssapi(&b, &(struct gssapi_answer){.verdict = GSSAPI_ANSWER_UNAVAILABLE});
    }
    role_answer(asker, buf_span(&b), SPAN(""), NULL, 0);
    buf_done(&b);
}

/* principal: authenticated, or empty. why: a sentence without secrets. */
static void log_refusal(enum log_level level, const char *event, struct span principal, const char *why)
{
    struct log_line l = log_begin(level, event);
    if (principal.len)
        log_span(&l, "principal", principal);
    log_str(&l, "why", why);
    log_end(&l);
}

static void refuse(struct gssapi_answer *a, enum gssapi_reason reason, struct span principal, const char *why)
{
    *a = (struct gssapi_answer){.verdict = GSSAPI_ANSWER_REFUSED, .reason = reason, .principal = principal};
    log_refusal(LOG_NOTICE, "gssapi-refused", principal, why);
}

/* Whether the identity that the client asks to act as is the user's own: as a name to log on with, it means the
 * same. */
static enum err_code check_authorization(struct exchange *x, const struct directory_account *account,
                                         struct arena *arena, bool *ret, struct err *err)
{
    struct span wanted = gssapi_exchange_authorization_id(x->sasl);
    struct directory_account other = {0};
    *ret = !wanted.len || span_ieq(wanted, gssapi_exchange_principal(x->sasl));
    if (*ret)
        return ERR_NONE;
    enum err_code code = directory_account(gssapi.directory, wanted, arena, &other, err);
    *ret = code == ERR_NONE && span_ieq(other.guid, account->guid);
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

/* The ticket is good: whose mailbox is it? */
static void identify(struct exchange *x, struct arena *arena, struct gssapi_answer *a)
{
    struct directory *d = gssapi.directory;
    struct span principal = gssapi_exchange_principal(x->sasl);
    struct directory_account account = {0};
    struct err err = {0};
    bool own = false;
    enum err_code code = directory_principal(d, principal, arena, &account, &err);
    bool found = code == ERR_NONE;
    if (found && account.enabled)
        code = check_authorization(x, &account, arena, &own, &err);
    if (code == ERR_NONE && account.enabled && own)
        code = directory_identity(d, account.guid, arena, &a->identity, &err);
    if (code == ERR_NOT_FOUND)
        refuse(a, GSSAPI_REASON_NO_MAILBOX, principal, "no mailbox has this principal");
    else if (code)
        log_refusal(LOG_ERROR, "directory-unavailable", principal, err.text);
    else if (!account.enabled)
        refuse(a, GSSAPI_REASON_DISABLED, principal, "the mailbox of this principal is disabled");
    else if (!own)
        refuse(a, GSSAPI_REASON_OTHER_IDENTITY, principal, "it asks to act as somebody else");
    else
        a->verdict = GSSAPI_ANSWER_ACCEPTED;
}

static void answer_step(struct exchange *x)
{
    static const enum gssapi_reason reasons[] = {[GSSAPI_BAD_TICKET] = GSSAPI_REASON_TICKET,
                                                 [GSSAPI_REPLAY] = GSSAPI_REASON_REPLAY,
                                                 [GSSAPI_BAD_MESSAGE] = GSSAPI_REASON_MESSAGE};
    struct gssapi_answer a = {.verdict = GSSAPI_ANSWER_UNAVAILABLE};
    struct arena arena;
    arena_init(&arena, IDENTITY_ARENA_MAX);
    switch (x->status) {
    case GSSAPI_CONTINUE:
        a = (struct gssapi_answer){
            .verdict = GSSAPI_ANSWER_CONTINUE, .exchange = x->id, .challenge = buf_span(&x->challenge)};
        break;
    case GSSAPI_DONE: identify(x, &arena, &a); break;
    case GSSAPI_REFUSED:
        refuse(&a, reasons[gssapi_exchange_refusal(x->sasl)], SPAN(""), gssapi_exchange_why(x->sasl));
        break;
    case GSSAPI_UNAVAILABLE:
        log_refusal(LOG_ERROR, "gssapi-unavailable", SPAN(""), gssapi_exchange_why(x->sasl));
        break;
    }
    answer(&x->asker, &a);
    arena_clear(&arena);
}

/* ---- steps ---- */

static void on_work(uv_work_t *w)
{
    struct exchange *x = w->data;
    x->status = gssapi_exchange_step(x->sasl, buf_span(&x->token), &x->challenge);
}

static void on_work_done(uv_work_t *w, int status)
{
    struct exchange *x = w->data;
    (void)status; /* work is not cancelled */
    x->running = false;
    x->deadline_ms = clock_mono_ms() + IDLE_MS;
    if (!x->dropped)
        answer_step(x);
    if (x->dropped || x->status != GSSAPI_CONTINUE)
        drop(x);
}

static void unavailable(const struct role_asker *asker)
{
    answer(asker, &(struct gssapi_answer){.verdict = GSSAPI_ANSWER_UNAVAILABLE});
}

static void start_step(struct exchange *x, const struct role_asker *asker, struct span token)
{
    x->asker = *asker;
    buf_clear(&x->token);
    buf_clear(&x->challenge);
    buf_add(&x->token, token);
    if (x->token.failed || x->steps++ == STEPS_MAX) {
        unavailable(asker);
        drop(x);
        return;
    }
    x->running = true;
    uv_queue_work(&gssapi.role->loop, &x->work, on_work, on_work_done);
}

void gssapi_step(struct link *link, uint32_t peer, struct frame *f)
{
    struct role_asker asker = role_asker(link, f);
    uint64_t id = 0;
    struct span token = {0};
    if (!message_get_gssapi_step(f->body, &id, &token)) {
        role_bad_frame(ROLE_RECEIVE, f, "malformed step of GSSAPI");
        unavailable(&asker);
        return;
    }
    struct exchange *x = id ? find(id, peer) : begin(peer);
    if (x && !x->running)
        start_step(x, &asker, token);
    else
        unavailable(&asker);
    explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len);
}

void gssapi_cancel(uint32_t peer, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    uint64_t id = cursor_u64(&c);
    struct exchange *x = cursor_done(&c) ? find(id, peer) : NULL;
    if (x)
        drop(x);
}

/* ---- keys ---- */

void gssapi_take_keytab(const struct frame *f)
{
    char cache[1200];
    struct gssapi_acceptor *fresh = NULL;
    struct err err = {0};
    enum err_code code = ERR_NONE;
    if (f->body.len && !role_state_path(gssapi.role, "replay.cache", cache, sizeof cache))
        code = err_set(&err, ERR_LIMIT, "the path of the state folder is too long");
    else if (f->body.len)
        code = gssapi_acceptor_new(f->body, cache, &fresh, &err);
    explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len);
    if (code)
        log_text(LOG_ERROR, "keytab-unusable", "the keytab %s", err.text);
    gssapi_acceptor_unref(gssapi.acceptor);
    gssapi.acceptor = fresh;
}

enum err_code gssapi_open(struct role *role, struct directory *directory, struct err *err)
{
    uint32_t start = 0;
    gssapi.role = role;
    gssapi.directory = directory;
    gssapi.table = calloc(EXCHANGES_MAX, sizeof *gssapi.table);
    if (!gssapi.table || setenv("KRB5_CONFIG", "/nonexistent", 1) || setenv("GSS_MECH_CONFIG", "/nonexistent", 1))
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = EXCHANGES_MAX; i-- > 0; gssapi.free = &gssapi.table[i])
        gssapi.table[i].next = gssapi.free;
    /* Another process's numbers mean nothing here: a session may still hold one of before this process died. */
    if (getrandom(&start, sizeof start, 0) != (ssize_t)sizeof start)
        start = (uint32_t)clock_wall_ms();
    gssapi.serial = start;
    uv_timer_init(&role->loop, &gssapi.sweep);
    uv_timer_start(&gssapi.sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return ERR_NONE;
}
