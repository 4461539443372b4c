/*
 * sts.c: see sts.h. A `search` is what is under way for one domain, however many ask for it: the record, the
 * addresses of its policy host, the policy.
 *
 * Invariants: of `question` and `get` at most one is set; a search that has answered has neither and is only
 * waiting for its timer to close. An answer comes from the loop, since the DNS's does.
 */
#include "delivery/sts_cache.h"

#include <stdlib.h>
#include <string.h>

struct search;

struct sts_question {
    struct sts_question *next;
    struct search *search;
    sts_done_fn *done;
    void *context;
};

struct search {
    struct search *next;
    struct sts *sts;
    struct resolver_question *question;
    struct https_get *get;
    struct sts_question *waiting;
    uv_timer_t timer;
    char domain[RESOLVER_NAME_MAX + 1], host[RESOLVER_NAME_MAX + 16], id[STS_ID_MAX + 1];
    bool over;
};

struct sts {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct https *https;
    struct sts_cache *cache;
    sts_failed_fn *failed;
    void *context;
    struct search *searches;
    void (*closed)(void *context);
    void *closed_context;
};

/* ---- the end of a search ---- */

static int64_t now_of(const struct sts *s)
{
    return (int64_t)uv_now(s->loop);
}

static void settle(struct sts *s)
{
    if (!s->closed || s->searches)
        return;
    s->closed(s->closed_context);
    free(s);
}

static void on_search_closed(uv_handle_t *handle)
{
    struct search *w = handle->data, **at = &w->sts->searches;
    struct sts *s = w->sts;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
    settle(s);
}

static void break_off(struct search *w)
{
    if (w->question)
        resolver_question_cancel(w->question);
    if (w->get)
        https_get_cancel(w->get);
    w->question = NULL;
    w->get = NULL;
}

/* Answers with what is remembered and still counts. */
static void answer(struct search *w)
{
    const struct sts *s = w->sts;
    break_off(w);
    w->over = true;
    uv_close((uv_handle_t *)&w->timer, on_search_closed);
    while (w->waiting) {
        struct sts_question q = *w->waiting;
        free(w->waiting);
        w->waiting = q.next;
        struct sts_entry *e = sts_cache_find(s->cache, span_of(w->domain));
        bool counts = e && e->text.len && e->expires_ms > now_of(s) && e->policy.mode != HOP_STS_NONE;
        q.done(q.context, counts ? &e->policy : NULL);
    }
}

static void fail(struct search *w, const char *why)
{
    const struct sts *s = w->sts;
    struct sts_entry *e = sts_cache_touch(s->cache, span_of(w->domain));
    if (e)
        e->retry_ms = now_of(s) + STS_RETRY_MS;
    if (s->failed)
        s->failed(s->context, span_of(w->domain), why);
    answer(w);
}

static void on_timeout(uv_timer_t *timer)
{
    struct search *w = timer->data;
    if (w->id[0])
        fail(w, "timed out");
    else
        answer(w); /* the DNS says nothing, so there is nothing to blame the domain for */
}

/* ---- the policy ---- */

static bool is_text(struct span type)
{
    struct span media;
    return span_split(&type, ';', &media) && span_ieq(span_trim(media), SPAN("text/plain"));
}

static void on_policy(void *context, const struct https_result *r)
{
    struct search *w = context;
    struct err err = {0};
    w->get = NULL;
    if (r->code) {
        fail(w, r->text);
        return;
    }
    if (!is_text(r->media_type)) {
        fail(w, "the policy is not text/plain");
        return;
    }
    struct sts_entry *e = sts_cache_touch(w->sts->cache, span_of(w->domain));
    if (!e || sts_cache_store(e, span_of(w->id), r->body, now_of(w->sts), &err))
        fail(w, e ? err.text : "out of memory");
    else
        answer(w);
}

static void on_addresses(void *context, const struct resolver_answer *a)
{
    struct search *w = context;
    w->question = NULL;
    if (a->status != RESOLVER_OK) {
        fail(w, a->text);
        return;
    }
    const struct https_request r = {.host = span_of(w->host),
                                    .addresses = a->addresses,
                                    .address_count = a->address_count,
                                    .path = "/.well-known/mta-sts.txt",
                                    .max = STS_POLICY_MAX,
                                    .timeout_ms = STS_TIMEOUT_MS};
    w->get = https_get_start(w->sts->https, &r, on_policy, w);
    if (!w->get)
        fail(w, "the fetch cannot begin: no memory, or no trusted authorities");
}

/* ---- the record ---- */

static void fetch(struct search *w)
{
    snprintf(w->host, sizeof w->host, "mta-sts.%s", w->domain);
    struct span host = span_of(w->host);
    w->question =
        resolver_name_valid(host) ? resolver_ask_addresses(w->sts->resolver, host, on_addresses, w) : NULL;
    if (!w->question)
        fail(w, "the addresses of the policy's host cannot be asked for");
}

/* The id of the one valid record; false: there is none, or more than one claims to be it. */
static bool find_id(const struct resolver_answer *a, char out[static STS_ID_MAX + 1])
{
    size_t claims = 0;
    bool valid = false;
    for (size_t i = 0; i < a->record_count; i++) {
        struct buf text;
        struct span id;
        buf_init(&text, 4096);
        bool readable = resolver_txt(a->records[i].data, &text);
        if (readable && sts_record_claims(buf_span(&text)))
            claims++;
        if (readable && sts_record_id(buf_span(&text), &id)) {
            memcpy(out, id.ptr, id.len);
            out[id.len] = '\0';
            valid = true;
        }
        buf_done(&text);
    }
    return valid && claims == 1;
}

static void on_record(void *context, const struct resolver_answer *a)
{
    struct search *w = context;
    char id[STS_ID_MAX + 1];
    w->question = NULL;
    const struct sts_entry *e = sts_cache_find(w->sts->cache, span_of(w->domain));
    int64_t now = now_of(w->sts);
    bool found = a->status == RESOLVER_OK && find_id(a, id);
    bool known = found && e && e->text.len && e->expires_ms > now && strcmp(e->id, id) == 0;
    if (!found || known || (e && e->retry_ms > now)) {
        answer(w);
        return;
    }
    memcpy(w->id, id, sizeof id);
    fetch(w);
}

/* ---- questions ---- */

static struct search *search_begin(struct sts *s, struct span domain)
{
    char name[RESOLVER_NAME_MAX + 16];
    struct search *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    domain.len -= span_ends(domain, SPAN("."));
    for (size_t i = 0; i < domain.len; i++)
        w->domain[i] = ascii_lower(domain.ptr[i]);
    w->sts = s;
    snprintf(name, sizeof name, "_mta-sts.%s", w->domain);
    w->question = resolver_name_valid(span_of(name))
                      ? resolver_ask_records(s->resolver, RESOLVER_TXT, span_of(name), on_record, w)
                      : NULL;
    uv_timer_init(s->loop, &w->timer);
    w->timer.data = w;
    uv_timer_start(&w->timer, on_timeout, w->question ? STS_TIMEOUT_MS : 0, 0);
    w->next = s->searches;
    s->searches = w;
    return w;
}

struct sts_question *sts_ask(struct sts *s, struct span domain, sts_done_fn *done, void *context)
{
    struct search *w = s->searches;
    struct span plain = domain;
    plain.len -= span_ends(plain, SPAN("."));
    ASSERT(!s->closed && plain.len <= RESOLVER_NAME_MAX);
    while (w && (w->over || !span_ieq(span_of(w->domain), plain)))
        w = w->next;
    struct sts_question *q = calloc(1, sizeof *q);
    if (!q || (!w && !(w = search_begin(s, plain)))) {
        free(q);
        return NULL;
    }
    *q = (struct sts_question){.next = w->waiting, .search = w, .done = done, .context = context};
    w->waiting = q;
    return q;
}

void sts_question_cancel(struct sts_question *q)
{
    struct sts_question **at = &q->search->waiting;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    free(q);
}

/* ---- its life ---- */

struct sts *sts_new(uv_loop_t *loop, struct resolver *resolver, struct https *https, struct sts_cache *cache,
                    sts_failed_fn *failed, void *context)
{
    struct sts *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct sts){
        .loop = loop, .resolver = resolver, .https = https, .cache = cache, .failed = failed, .context = context};
    return s;
}

void sts_close(struct sts *s, void (*closed)(void *context), void *context)
{
    s->closed = closed;
    s->closed_context = context;
    for (struct search *w = s->searches; w; w = w->next) {
        ASSERT(!w->waiting);
        if (!w->over) {
            break_off(w);
            w->over = true;
            uv_close((uv_handle_t *)&w->timer, on_search_closed);
        }
    }
    settle(s);
}
