/*
 * resolver_unbound.c: the resolver over libunbound's asynchronous calls: its thread does the work, its descriptor
 * becomes readable, and the answers are read on our loop.
 *
 * Invariants: `open` lookups are known to libunbound; the descriptor is watched, and so keeps the loop alive,
 * exactly while there is one. The context is deleted when the watch is closed, never inside one of its callbacks.
 */
#include "delivery/resolver_unbound.h"

#include <stdlib.h>
#include <string.h>
#include <unbound.h>

enum { RECORDS_MAX = 256, ANCHOR_MAX = 2048 };
enum { DNS_A = 1, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52, DNS_IN = 1 };

struct unbound {
    struct resolver port;
    struct ub_ctx *ctx;
    uv_poll_t poll;
    size_t open;
};

struct resolver_lookup {
    struct unbound *unbound;
    enum resolver_type type;
    int id;
    resolver_records_fn *done;
    void *context;
};

static const int dns_type[] = {[RESOLVER_MX] = DNS_MX,
                               [RESOLVER_A] = DNS_A,
                               [RESOLVER_AAAA] = DNS_AAAA,
                               [RESOLVER_TLSA] = DNS_TLSA,
                               [RESOLVER_TXT] = DNS_TXT};

/* ---- answers ---- */

/* A name in wire form without compression to text: at most RESOLVER_NAME_MAX octets. False when it is malformed. */
static bool read_name(struct span wire, char *out, struct span *ret)
{
    size_t len = 0;
    for (;;) {
        size_t label = wire.len ? (unsigned char)wire.ptr[0] : 256;
        wire = span_from(wire, 1);
        if (label == 0)
            break;
        if (label > 63 || label > wire.len || len + label + 1 > RESOLVER_NAME_MAX + 1)
            return false;
        if (len)
            out[len++] = '.';
        memcpy(out + len, wire.ptr, label);
        len += label;
        wire = span_from(wire, label);
    }
    *ret = span_make(out, len);
    return len <= RESOLVER_NAME_MAX;
}

static bool read_record(enum resolver_type type, struct span data, char *name, struct resolver_record *ret)
{
    const unsigned char *d = (const unsigned char *)data.ptr;
    switch (type) {
    case RESOLVER_A:
        if (data.len != 4)
            return false;
        ret->addr = ip_v4(d[0], d[1], d[2], d[3]);
        return true;
    case RESOLVER_AAAA:
        if (data.len != sizeof ret->addr.bytes)
            return false;
        memcpy(ret->addr.bytes, d, sizeof ret->addr.bytes);
        return true;
    case RESOLVER_MX:
        if (data.len < 3)
            return false;
        ret->preference = (uint16_t)(d[0] << 8 | d[1]);
        return read_name(span_from(data, 2), name, &ret->host);
    case RESOLVER_TLSA:
    case RESOLVER_TXT: ret->data = data; return true;
    }
    return false;
}

static enum resolver_status status_of(const struct ub_result *r, const char **ret_text)
{
    enum { NOERROR = 0, NXDOMAIN = 3 };
    if (r->bogus)
        *ret_text = "the DNS answer fails DNSSEC validation";
    else if (r->rcode != NOERROR && r->rcode != NXDOMAIN)
        *ret_text = "the DNS servers cannot answer now";
    else
        return r->havedata ? RESOLVER_OK : r->nxdomain ? RESOLVER_NO_NAME : RESOLVER_NO_DATA;
    return RESOLVER_TEMPORARY;
}

static void give_answer(struct resolver_lookup *l, const struct ub_result *r)
{
    struct resolver_record records[RECORDS_MAX];
    static char names[RECORDS_MAX][RESOLVER_NAME_MAX + 1]; /* one answer at a time, on one thread */
    struct resolver_records answer = {.status = RESOLVER_TEMPORARY, .records = records};
    if (!r) {
        answer.text = "the DNS resolver failed";
    } else {
        answer.status = status_of(r, &answer.text);
        answer.secure = answer.status != RESOLVER_TEMPORARY && r->secure;
        if (answer.status == RESOLVER_OK && r->canonname) {
            answer.canonical = span_of(r->canonname);
            answer.canonical.len -= span_ends(answer.canonical, SPAN("."));
        }
        for (size_t i = 0; answer.status == RESOLVER_OK && r->data[i] && answer.count < RECORDS_MAX; i++)
            answer.count += read_record(l->type, span_make(r->data[i], (size_t)r->len[i]), names[answer.count],
                                        &records[answer.count]);
        if (answer.status == RESOLVER_OK && answer.count == 0)
            answer.status = RESOLVER_NO_DATA;
    }
    l->done(l->context, &answer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct unbound *u = poll->data;
    ub_process(u->ctx); /* an error concerns its thread: then each lookup is ended by its owner's deadline */
}

static void watch(struct unbound *u)
{
    if (uv_is_closing((uv_handle_t *)&u->poll))
        return;
    if (u->open)
        uv_poll_start(&u->poll, UV_READABLE, on_readable);
    else
        uv_poll_stop(&u->poll);
}

static void on_result(void *arg, int error, struct ub_result *result)
{
    struct resolver_lookup *l = arg;
    l->unbound->open--;
    watch(l->unbound);
    give_answer(l, error ? NULL : result);
    ub_resolve_free(result);
    free(l);
}

/* ---- the port ---- */

static struct resolver_lookup *unbound_lookup(struct resolver *r, enum resolver_type type, struct span name,
                                              resolver_records_fn *done, void *context)
{
    struct unbound *u = (struct unbound *)r;
    char cname[RESOLVER_NAME_MAX + 2];
    struct resolver_lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct resolver_lookup){.unbound = u, .type = type, .done = done, .context = context};
    memcpy(cname, name.ptr, name.len);
    cname[name.len] = '\0';
    if (ub_resolve_async(u->ctx, cname, dns_type[type], DNS_IN, l, on_result, &l->id) != 0) {
        free(l);
        return NULL;
    }
    u->open++;
    watch(u);
    return l;
}

static void unbound_cancel(struct resolver *r, struct resolver_lookup *l)
{
    struct unbound *u = (struct unbound *)r;
    ub_cancel(u->ctx, l->id);
    free(l);
    u->open--;
    watch(u);
}

static void on_closed(uv_handle_t *h)
{
    struct unbound *u = h->data;
    ub_ctx_delete(u->ctx);
    free(u);
}

static void unbound_close(struct resolver *r)
{
    struct unbound *u = (struct unbound *)r;
    uv_close((uv_handle_t *)&u->poll, on_closed);
}

/* ---- set-up ---- */

static enum err_code use_forwarders(struct ub_ctx *ctx, const struct resolver_unbound_options *o, struct err *err)
{
    for (size_t i = 0; i < o->forwarder_count; i++) {
        char text[64];
        struct span f = o->forwarders[i];
        if (f.len >= sizeof text)
            return err_set(err, ERR_INVALID, "the DNS server `%.*s` is not of the form ADDRESS or ADDRESS@PORT",
                           SPAN_ARG(f));
        memcpy(text, f.ptr, f.len);
        text[f.len] = '\0';
        if (ub_ctx_set_fwd(ctx, text) != 0)
            return err_set(err, ERR_INVALID, "the DNS server `%s` is not of the form ADDRESS or ADDRESS@PORT",
                           text);
    }
    return ERR_NONE;
}

/* One DS or DNSKEY record a line, comments begin with ';'. */
static enum err_code use_anchors(struct ub_ctx *ctx, struct span anchors, struct err *err)
{
    struct span rest = anchors, line;
    size_t count = 0;
    while (span_split(&rest, '\n', &line)) {
        char text[ANCHOR_MAX];
        line = span_trim(span_head(line, span_find(line, ';') == SIZE_MAX ? line.len : span_find(line, ';')));
        if (line.len == 0)
            continue;
        if (line.len >= sizeof text)
            return err_set(err, ERR_INVALID, "a DNSSEC trust anchor is longer than %d characters", ANCHOR_MAX - 1);
        memcpy(text, line.ptr, line.len);
        text[line.len] = '\0';
        if (memchr(text, '\0', line.len) || ub_ctx_add_ta(ctx, text) != 0)
            return err_set(err, ERR_INVALID, "`%.*s` is no DNSSEC trust anchor: a DS or DNSKEY record is expected",
                           SPAN_ARG(line));
        count++;
    }
    return count || !anchors.len ? ERR_NONE : err_set(err, ERR_INVALID, "there is no DNSSEC trust anchor");
}

static enum err_code configure(struct ub_ctx *ctx, const struct resolver_unbound_options *o, struct err *err)
{
    static const char *const options[][2] = {
        {"do-not-query-localhost:", "no"}, /* a resolver on this host is the usual case */
        /* What libunbound answers itself by default, although a site's own servers may know better. */
        {"local-zone:", "test. transparent"},
        {"local-zone:", "home.arpa. transparent"},
        {"unblock-lan-zones:", "yes"},
    };
    ub_ctx_debugout(ctx, NULL);
    if (ub_ctx_set_option(ctx, "module-config:", o->anchors.len ? "validator iterator" : "iterator") != 0)
        return err_set(err, ERR_INTERNAL, "libunbound cannot validate");
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (ub_ctx_set_option(ctx, options[i][0], options[i][1]) != 0)
            return err_set(err, ERR_INTERNAL, "libunbound does not know the option %s %s", options[i][0],
                           options[i][1]);
    if (ub_ctx_async(ctx, 1) != 0)
        return err_set(err, ERR_INTERNAL, "libunbound cannot work with a thread");
    enum err_code code = use_anchors(ctx, o->anchors, err);
    if (!code && o->forwarder_count)
        code = use_forwarders(ctx, o, err);
    if (code)
        return code;
    if (!o->forwarder_count) {
        /* A missing file is no error: without resolv.conf the root servers are asked. */
        ub_ctx_resolvconf(ctx, NULL);
        ub_ctx_hosts(ctx, NULL);
    }
    /* The settings are read with the first call that needs them: now, since afterwards every question would fail.
     */
    if (ub_ctx_zone_remove(ctx, "invalid.") != 0)
        return o->anchors.len
                   ? err_set(err, ERR_INVALID,
                             "libunbound does not understand the DNSSEC trust anchors: DS or DNSKEY records "
                             "are expected, one a line")
                   : err_set(err, ERR_INTERNAL, "libunbound cannot be set up");
    return ERR_NONE;
}

enum err_code resolver_unbound_new(const struct resolver_unbound_options *options, struct resolver **ret,
                                   struct err *err)
{
    struct unbound *u = calloc(1, sizeof *u);
    struct ub_ctx *ctx = u ? ub_ctx_create() : NULL;
    if (!ctx) {
        free(u);
        return err_set(err, ERR_NO_MEMORY, "no memory for the DNS resolver");
    }
    enum err_code code = configure(ctx, options, err);
    int rc = code ? 0 : uv_poll_init(options->loop, &u->poll, ub_fd(ctx));
    if (rc < 0)
        code = err_set(err, ERR_IO, "the DNS resolver cannot be watched: %s", uv_strerror(rc));
    if (code) {
        ub_ctx_delete(ctx);
        free(u);
        return code;
    }
    u->port = (struct resolver){.lookup = unbound_lookup, .cancel = unbound_cancel, .close = unbound_close};
    u->ctx = ctx;
    u->poll.data = u;
    *ret = &u->port;
    return ERR_NONE;
}
