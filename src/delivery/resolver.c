/*
 * resolver.c: what RFC 5321, 5.1 and RFC 7505 make of record sets, over any adapter.
 *
 * A question is one or two lookups. Invariants: an open lookup's pointer is in `open`; the question is freed just
 * before its answer is given, so a callback may ask again and cannot cancel what is over.
 */
#include "delivery/resolver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum family { FAMILY_V6, FAMILY_V4, FAMILIES };

struct resolver_question {
    struct resolver *resolver;
    resolver_answer_fn *done;
    void *context;
    struct resolver_lookup *open[FAMILIES]; /* an MX question uses the first */
    size_t unanswered;
    enum resolver_status status[FAMILIES];
    char text[200]; /* of the last temporary failure */
    struct ip_addr addresses[FAMILIES][RESOLVER_ADDRESSES_MAX];
    size_t address_count[FAMILIES];
    bool insecure; /* some family's addresses are not proved */
    size_t canonical_len;
    char canonical[RESOLVER_NAME_MAX + 1];
    size_t name_len;
    char name[RESOLVER_NAME_MAX + 1];
};

void resolver_close(struct resolver *r)
{
    if (r)
        r->close(r);
}

bool resolver_name_valid(struct span name)
{
    struct span label;
    if (span_ends(name, SPAN(".")))
        name.len--;
    if (name.len == 0 || name.len > RESOLVER_NAME_MAX)
        return false;
    while (span_split(&name, '.', &label)) {
        if (label.len == 0 || label.len > 63)
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] != '_')
                return false;
    }
    return true;
}

size_t resolver_literal(struct span host, struct ip_addr ret[static 2])
{
    if (span_ieq(host, SPAN("localhost")) || span_ieq(host, SPAN("localhost."))) {
        ret[0] = ip_v4(127, 0, 0, 1);
        ret[1] = (struct ip_addr){{[15] = 1}};
        return 2;
    }
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = span_from(span_head(host, host.len - 1), 1);
        if (span_istarts(host, SPAN("IPv6:")))
            host = span_from(host, 5);
    }
    return ip_parse(host, &ret[0]);
}

static struct resolver_question *question_new(struct resolver *r, struct span name, resolver_answer_fn *done,
                                              void *context)
{
    ASSERT(resolver_name_valid(name));
    struct resolver_question *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->resolver = r;
    q->done = done;
    q->context = context;
    q->name_len = name.len - span_ends(name, SPAN("."));
    memcpy(q->name, name.ptr, q->name_len);
    return q;
}

void resolver_question_cancel(struct resolver_question *q)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (q->open[i])
            q->resolver->cancel(q->resolver, q->open[i]);
    free(q);
}

static void answer(struct resolver_question *q, const struct resolver_answer *a)
{
    resolver_answer_fn *done = q->done;
    void *context = q->context;
    struct resolver_answer copy = *a;
    char text[sizeof q->text];
    memcpy(text, q->text, sizeof text);
    if (copy.status == RESOLVER_TEMPORARY)
        copy.text = text[0] ? text : "the DNS gave no answer";
    free(q);
    done(context, &copy);
}

static void keep_text(struct resolver_question *q, const char *text)
{
    size_t n = text ? strnlen(text, sizeof q->text - 1) : 0;
    if (n) {
        memcpy(q->text, text, n);
        q->text[n] = '\0';
    }
}

/* ---- mail exchangers ---- */

/* A number below n; the randomness only spreads load. */
static size_t draw(size_t n)
{
    uint32_t r = 0;
    return getrandom(&r, sizeof r, GRND_NONBLOCK) == (ssize_t)sizeof r ? r % n : 0;
}

static int cmp_preference(const void *a, const void *b)
{
    const struct resolver_host *x = a, *y = b;
    return (x->preference > y->preference) - (x->preference < y->preference);
}

/* By preference, equal ones in random order: since they are shuffled before. */
static void sort_hosts(struct resolver_host *hosts, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = draw(i);
        struct resolver_host h = hosts[i - 1];
        hosts[i - 1] = hosts[j];
        hosts[j] = h;
    }
    qsort(hosts, count, sizeof *hosts, cmp_preference);
}

static void answer_hosts(struct resolver_question *q, const struct resolver_records *r)
{
    enum { READ_MAX = 256 };
    struct resolver_host hosts[READ_MAX];
    size_t count = 0;
    bool null_mx = false;
    for (size_t i = 0; i < r->count && count < READ_MAX; i++) {
        struct span host = r->records[i].host;
        null_mx |= host.len == 0;
        if (resolver_name_valid(host)) /* an exchanger with another name cannot be looked up */
            hosts[count++] = (struct resolver_host){host, r->records[i].preference};
    }
    struct resolver_answer a = {.status = RESOLVER_OK, .secure = r->secure};
    if (count == 0) {
        a.status = null_mx ? RESOLVER_NULL_MX : RESOLVER_NO_DATA;
        a.text = null_mx ? "the domain accepts no mail (null MX)" : "the domain's MX records name no host";
    } else {
        sort_hosts(hosts, count);
        a.hosts = hosts;
        a.host_count = count < RESOLVER_HOSTS_MAX ? count : RESOLVER_HOSTS_MAX;
    }
    answer(q, &a);
}

static void on_mx(void *context, const struct resolver_records *r)
{
    struct resolver_question *q = context;
    q->open[0] = NULL;
    if (r->status == RESOLVER_OK) {
        answer_hosts(q, r);
        return;
    }
    struct resolver_answer a = {.status = r->status, .text = "the domain does not exist"};
    char name[sizeof q->name];
    memcpy(name, q->name, sizeof name); /* q is gone when the answer is read */
    struct resolver_host self = {.name = span_make(name, q->name_len)};
    if (r->status == RESOLVER_NO_DATA) {
        a = (struct resolver_answer){
            .status = RESOLVER_OK, .hosts = &self, .host_count = 1, .implicit = true, .secure = r->secure};
    }
    keep_text(q, r->text);
    answer(q, &a);
}

struct resolver_question *resolver_ask_mx(struct resolver *r, struct span domain, resolver_answer_fn *done,
                                          void *context)
{
    struct resolver_question *q = question_new(r, domain, done, context);
    if (!q)
        return NULL;
    q->open[0] = r->lookup(r, RESOLVER_MX, span_make(q->name, q->name_len), on_mx, q);
    if (!q->open[0]) {
        free(q);
        return NULL;
    }
    return q;
}

/* ---- addresses ---- */

static void answer_addresses(struct resolver_question *q)
{
    struct ip_addr all[RESOLVER_ADDRESSES_MAX];
    char canonical[sizeof q->canonical];
    memcpy(canonical, q->canonical, sizeof canonical); /* q is gone when the answer is read */
    struct resolver_answer a = {.status = RESOLVER_OK,
                                .addresses = all,
                                .secure = !q->insecure,
                                .canonical = span_make(canonical, q->canonical_len)};
    for (size_t i = 0; i < RESOLVER_ADDRESSES_MAX; i++)
        for (size_t f = 0; f < FAMILIES; f++)
            if (i < q->address_count[f] && a.address_count < RESOLVER_ADDRESSES_MAX)
                all[a.address_count++] = q->addresses[f][i];
    if (a.address_count == 0) {
        a.secure = false;
        bool temporary = q->status[0] == RESOLVER_TEMPORARY || q->status[1] == RESOLVER_TEMPORARY;
        bool no_name = q->status[0] == RESOLVER_NO_NAME || q->status[1] == RESOLVER_NO_NAME;
        a.status = temporary ? RESOLVER_TEMPORARY : no_name ? RESOLVER_NO_NAME : RESOLVER_NO_DATA;
        a.text = no_name ? "the host does not exist" : "the host has no address";
    }
    answer(q, &a);
}

static void on_addresses(struct resolver_question *q, enum family family, const struct resolver_records *r)
{
    q->open[family] = NULL;
    q->status[family] = r->status;
    keep_text(q, r->text);
    if (r->status == RESOLVER_OK) {
        /* A family without an answer takes nothing away: else whoever can spoil one could switch DANE off. */
        q->insecure |= !r->secure;
        q->canonical_len = r->canonical.len < sizeof q->canonical ? r->canonical.len : 0;
        if (q->canonical_len)
            memcpy(q->canonical, r->canonical.ptr, q->canonical_len);
        for (size_t i = 0; i < r->count && i < RESOLVER_ADDRESSES_MAX; i++)
            q->addresses[family][q->address_count[family]++] = r->records[i].addr;
    }
    if (--q->unanswered == 0)
        answer_addresses(q);
}

static void on_v6(void *context, const struct resolver_records *r)
{
    on_addresses(context, FAMILY_V6, r);
}

static void on_v4(void *context, const struct resolver_records *r)
{
    on_addresses(context, FAMILY_V4, r);
}

struct resolver_question *resolver_ask_addresses(struct resolver *r, struct span host, resolver_answer_fn *done,
                                                 void *context)
{
    struct resolver_question *q = question_new(r, host, done, context);
    if (!q)
        return NULL;
    struct span name = span_make(q->name, q->name_len);
    q->unanswered = FAMILIES;
    q->open[FAMILY_V6] = r->lookup(r, RESOLVER_AAAA, name, on_v6, q);
    q->open[FAMILY_V4] = q->open[FAMILY_V6] ? r->lookup(r, RESOLVER_A, name, on_v4, q) : NULL;
    if (!q->open[FAMILY_V4]) {
        resolver_question_cancel(q);
        return NULL;
    }
    return q;
}

/* ---- records as they are ---- */

static void on_records(void *context, const struct resolver_records *r)
{
    static const char *const texts[] = {
        [RESOLVER_OK] = "",
        [RESOLVER_NO_NAME] = "the name does not exist",
        [RESOLVER_NO_DATA] = "the name has no such record",
        [RESOLVER_NULL_MX] = "",
        [RESOLVER_TEMPORARY] = "the DNS gave no answer",
    };
    struct resolver_question *q = context;
    q->open[0] = NULL;
    keep_text(q, r->text);
    answer(q, &(struct resolver_answer){.status = r->status,
                                        .records = r->records,
                                        .record_count = r->count,
                                        .secure = r->secure,
                                        .text = texts[r->status]});
}

struct resolver_question *resolver_ask_records(struct resolver *r, enum resolver_type type, struct span name,
                                               resolver_answer_fn *done, void *context)
{
    struct resolver_question *q = question_new(r, name, done, context);
    if (!q)
        return NULL;
    q->open[0] = r->lookup(r, type, span_make(q->name, q->name_len), on_records, q);
    if (!q->open[0]) {
        free(q);
        return NULL;
    }
    return q;
}

bool resolver_txt(struct span data, struct buf *out)
{
    while (data.len) {
        size_t n = (unsigned char)data.ptr[0];
        data = span_from(data, 1);
        if (n > data.len)
            return false;
        buf_add(out, span_head(data, n));
        data = span_from(data, n);
    }
    return !out->failed;
}
