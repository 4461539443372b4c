/*
 * smtp_dane.c: the TLSA records of the host in hand (RFC 7672, 2.2): at the name where its CNAMEs end, else at its
 * own. Records that DNSSEC does not prove count for nothing; records that cannot be found out count as a host that
 * cannot be used, since whoever can suppress an answer must not be able to switch the proof off.
 */
#include "delivery/dane.h"
#include "delivery/smtp_transport.h"

static bool ask(struct smtp_task *s);

/* Whether anything that decides about the hop looks at them. */
static bool wanted(const struct smtp_task *s)
{
    const struct delivery_destination *to = &s->task.job.to;
    struct hop_facts with = s->facts;
    with.dane = HOP_DANE_RECORDS;
    return to->kind == DELIVERY_SMTP && s->task.engine->options.tls && s->task.engine->options.resolver &&
           hop_tls_decide(to, &with).proof == HOP_PROOF_DANE;
}

static void take(struct smtp_task *s, const struct resolver_answer *a)
{
    struct arena *arena = &s->task.arena;
    size_t max = a->record_count < DANE_RECORDS_MAX ? a->record_count : DANE_RECORDS_MAX;
    struct tls_tlsa *records = ARENA_ARRAY(arena, max, struct tls_tlsa);
    size_t n = 0;
    bool memory = records != NULL;
    for (size_t i = 0; memory && i < max; i++) {
        if (!dane_parse(a->records[i].data, &records[n]))
            continue;
        records[n].data = arena_dup(arena, records[n].data);
        memory = records[n++].data.ptr != NULL;
    }
    s->load.tlsa = records;
    s->load.tlsa_count = memory ? n : 0; /* none: nothing matches, and the mail waits */
    s->load.tlsa_base = s->tlsa_base;
    s->load.next_hop_domain = s->task.job.to.mx_domain;
    s->facts.dane = n || !memory ? HOP_DANE_RECORDS : HOP_DANE_UNUSABLE;
}

static void on_tlsa(void *context, const struct resolver_answer *a)
{
    struct smtp_task *s = context;
    s->question = NULL;
    uv_timer_stop(&s->timer);
    if (a->status == RESOLVER_TEMPORARY) {
        struct span subject = arena_printf(&s->task.arena, "the TLSA records of %.*s", SPAN_ARG(s->tlsa_base));
        struct delivery_result r = smtp_route_failure(s, DELIVERY_TEMPORARY, "4.7.5", "DNS", subject, a->text);
        smtp_route_note(s, &r);
        s->address_next = s->address_count; /* no mail to this host */
    } else if (a->status == RESOLVER_OK && a->secure) {
        take(s, a);
    } else if (!span_ieq(s->tlsa_base, s->host.name)) {
        s->tlsa_base = s->host.name;
        if (ask(s))
            return;
    }
    smtp_transport_advance(s);
}

/* False when nobody can be asked: the failure is noted, and the host passed over. */
static bool ask(struct smtp_task *s)
{
    struct span base = s->tlsa_base;
    base.len -= span_ends(base, SPAN("."));
    struct span name = arena_printf(&s->task.arena, "_%u._tcp.%.*s", s->host.port, SPAN_ARG(base));
    if (!resolver_name_valid(name)) /* too long to have any */
        return false;
    struct resolver_question *q =
        resolver_ask_records(s->task.engine->options.resolver, RESOLVER_TLSA, name, on_tlsa, s);
    if (smtp_route_asked(s, q, name))
        return true;
    s->address_next = s->address_count;
    return false;
}

bool smtp_dane_ask(struct smtp_task *s, struct span canonical)
{
    if (!wanted(s))
        return false;
    bool alias = canonical.len && !span_ieq(canonical, s->host.name) && resolver_name_valid(canonical);
    s->tlsa_base = alias ? arena_dup(&s->task.arena, canonical) : s->host.name;
    return ask(s);
}
