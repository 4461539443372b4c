/*
 * smtp_route.c: where a job can go: the exchangers of its domain or its configured hosts, and the addresses of
 * each, asked for one host at a time, since the first nearly always takes the mail.
 *
 * What a missing name means depends on who wrote it. A domain that does not exist, or has neither exchangers nor
 * addresses, is the sender's mistake and permanent (5.1.2); so is one whose exchangers lead nowhere (5.4.4). A
 * smart host is an administrator's entry: mail waits until it is corrected (4.4.4).
 */
#include "delivery/smtp_transport.h"

#include <string.h>

enum { SMTP_PORT = 25, LMTP_PORT = 24 };

void smtp_route_note(struct smtp_task *s, const struct delivery_result *r)
{
    struct arena *a = &s->task.arena;
    /* That a host cannot be reached tells least: what another one said, or lacked, is what can be mended. */
    bool unreachable = span_eq(r->enhanced, SPAN("4.4.1"));
    if (s->failure.stage && s->failure.outcome == DELIVERY_TEMPORARY &&
        (r->outcome != DELIVERY_TEMPORARY || unreachable))
        return;
    s->failure = *r;
    s->failure.enhanced = arena_dup(a, r->enhanced);
    s->failure.text = arena_dup(a, r->text);
}

struct delivery_result smtp_route_failure(struct smtp_task *s, enum delivery_outcome outcome, const char *enhanced,
                                          const char *stage, struct span subject, const char *text)
{
    return (struct delivery_result){
        .outcome = outcome,
        .enhanced = span_of(enhanced),
        .text = arena_printf(&s->task.arena, "%.*s: %s", SPAN_ARG(subject), text),
        .stage = stage,
        .connection_fault = true,
    };
}

/* ---- hosts and addresses ---- */

static void on_resolve_timeout(uv_timer_t *timer)
{
    struct smtp_task *s = timer->data;
    struct span subject = s->host_next ? s->host.name : s->task.job.to.mx_domain;
    resolver_question_cancel(s->question);
    s->question = NULL;
    struct delivery_result r =
        smtp_route_failure(s, DELIVERY_TEMPORARY, "4.4.3", "DNS", subject, "the DNS did not answer in time");
    smtp_route_note(s, &r);
    s->address_next = s->address_count; /* of TLSA records: a host of which they are not known gets no mail */
    smtp_transport_advance(s);
}

bool smtp_route_asked(struct smtp_task *s, struct resolver_question *q, struct span subject)
{
    s->question = q;
    if (q) {
        uv_timer_start(&s->timer, on_resolve_timeout, (uint64_t)s->task.engine->options.timeouts.resolve, 0);
        return true;
    }
    struct delivery_result r =
        smtp_route_failure(s, DELIVERY_TEMPORARY, "4.4.3", "DNS", subject, "the DNS cannot be asked now");
    smtp_route_note(s, &r);
    return false;
}

static void on_addresses(void *context, const struct resolver_answer *a)
{
    struct smtp_task *s = context;
    bool smart = s->task.job.to.host_count > 0; /* a name somebody configured: mail waits for its correction */
    s->question = NULL;
    uv_timer_stop(&s->timer);
    if (a->status == RESOLVER_OK) {
        s->address_count = a->address_count;
        memcpy(s->addresses, a->addresses, a->address_count * sizeof s->addresses[0]);
        if (a->secure && s->facts.named_securely && smtp_dane_ask(s, a->canonical))
            return;
    } else {
        bool later = smart || a->status == RESOLVER_TEMPORARY;
        bool implicit = !smart && span_ieq(s->host.name, s->task.job.to.mx_domain);
        const char *enhanced = a->status == RESOLVER_TEMPORARY ? "4.4.3"
                               : smart                         ? "4.4.4"
                               : implicit                      ? "5.1.2"
                                                               : "5.4.4";
        struct delivery_result r = smtp_route_failure(s, later ? DELIVERY_TEMPORARY : DELIVERY_PERMANENT, enhanced,
                                                      "DNS", s->host.name, a->text);
        smtp_route_note(s, &r);
    }
    smtp_transport_advance(s);
}

bool smtp_route_next_host(struct smtp_task *s)
{
    struct resolver *resolver = s->task.engine->options.resolver;
    bool lmtp = s->task.job.to.kind == DELIVERY_LMTP;
    s->host = s->hosts[s->host_next++];
    if (s->host.port == 0)
        s->host.port = lmtp ? LMTP_PORT : SMTP_PORT;
    s->address_next = s->address_count = 0;
    s->load.tlsa_count = 0;
    s->facts = (struct hop_facts){.host = s->host.name,
                                  .sts = s->policy ? s->policy->mode : HOP_STS_NONE,
                                  .sts_listed = s->policy && sts_policy_lists(s->policy, s->host.name),
                                  .named_securely = s->task.job.to.host_count > 0 || s->mx_secure};
    s->local = lmtp && s->host.name.len && s->host.name.ptr[0] == '/';
    s->address_count = s->local ? 1 : resolver_literal(s->host.name, s->addresses);
    if (s->address_count)
        return true;
    if (!resolver_name_valid(s->host.name)) {
        bool smart = s->task.job.to.host_count > 0;
        struct delivery_result r =
            smtp_route_failure(s, smart ? DELIVERY_TEMPORARY : DELIVERY_PERMANENT, smart ? "4.4.4" : "5.4.4", "DNS",
                               s->host.name, "that is neither an address nor a host name");
        smtp_route_note(s, &r);
        return true;
    }
    struct resolver_question *q = resolver ? resolver_ask_addresses(resolver, s->host.name, on_addresses, s) : NULL;
    return !smtp_route_asked(s, q, s->host.name);
}

/* ---- the domain's exchangers ---- */

/*
 * RFC 5321, 5.1: where this server is one of the exchangers, those that are no better than it are not used: they
 * would send the mail back here. How many are left.
 */
static size_t better_than_we(const struct smtp_task *s, const struct resolver_answer *a)
{
    size_t n = 0;
    while (n < a->host_count && !span_ieq(a->hosts[n].name, s->task.engine->options.hostname) &&
           !span_ieq(a->hosts[n].name, s->task.job.to.helo_name))
        n++;
    if (n < a->host_count)
        while (n > 0 && a->hosts[n - 1].preference == a->hosts[n].preference)
            n--;
    return n;
}

static void take_exchangers(struct smtp_task *s, const struct resolver_answer *a)
{
    struct arena *arena = &s->task.arena;
    size_t count = better_than_we(s, a);
    struct delivery_host *hosts = ARENA_ARRAY(arena, a->host_count, struct delivery_host);
    for (size_t i = 0; hosts && i < count; i++) {
        hosts[i].name = arena_dup(arena, a->hosts[i].name);
        hosts[i].port = s->task.job.to.mx_port;
    }
    if (!hosts) {
        struct delivery_result r =
            smtp_route_failure(s, DELIVERY_TEMPORARY, "4.3.0", "DNS", s->task.job.to.mx_domain,
                               "there is no memory for its exchangers");
        smtp_route_note(s, &r);
        return;
    }
    if (count == 0) {
        struct delivery_result r =
            smtp_route_failure(s, DELIVERY_PERMANENT, "5.4.6", "DNS", s->task.job.to.mx_domain,
                               "its best mail exchanger is this server, which does not know the domain: a loop");
        smtp_route_note(s, &r);
    }
    s->hosts = hosts;
    s->host_count = count;
}

static void on_mx(void *context, const struct resolver_answer *a)
{
    static const struct {
        enum delivery_outcome outcome;
        const char *enhanced;
    } meaning[] = {
        [RESOLVER_NO_NAME] = {DELIVERY_PERMANENT, "5.1.2"},
        [RESOLVER_NO_DATA] = {DELIVERY_PERMANENT, "5.4.4"},
        [RESOLVER_NULL_MX] = {DELIVERY_PERMANENT, "5.1.10"},
        [RESOLVER_TEMPORARY] = {DELIVERY_TEMPORARY, "4.4.3"},
    };
    struct smtp_task *s = context;
    s->question = NULL;
    uv_timer_stop(&s->timer);
    if (a->status == RESOLVER_OK) {
        s->mx_secure = a->secure;
        take_exchangers(s, a);
    } else {
        struct delivery_result r = smtp_route_failure(s, meaning[a->status].outcome, meaning[a->status].enhanced,
                                                      "DNS", s->task.job.to.mx_domain, a->text);
        smtp_route_note(s, &r);
    }
    smtp_transport_advance(s);
}

static void ask_exchangers(struct smtp_task *s)
{
    struct span domain = s->task.job.to.mx_domain;
    struct resolver *resolver = s->task.engine->options.resolver;
    struct ip_addr ignored[2];
    if (resolver_literal(domain, ignored)) { /* user@[192.0.2.1] */
        struct resolver_host self = {.name = domain};
        s->mx_secure = true; /* there is nothing to be sure of */
        take_exchangers(s, &(struct resolver_answer){.hosts = &self, .host_count = 1});
    } else if (!resolver_name_valid(domain)) {
        struct delivery_result r =
            smtp_route_failure(s, DELIVERY_PERMANENT, "5.1.2", "DNS", domain, "that is no domain name");
        smtp_route_note(s, &r);
    } else if (smtp_route_asked(s, resolver ? resolver_ask_mx(resolver, domain, on_mx, s) : NULL, domain)) {
        return;
    }
    smtp_transport_advance(s);
}

/* ---- its policy ---- */

static bool wants_policy(const struct smtp_task *s)
{
    const struct delivery_destination *to = &s->task.job.to;
    const struct delivery_options *o = &s->task.engine->options;
    const struct hop_facts with = {.sts = HOP_STS_ENFORCE, .sts_listed = true};
    return to->mta_sts && to->kind == DELIVERY_SMTP && o->sts && o->tls && resolver_name_valid(to->mx_domain) &&
           hop_tls_decide(to, &with).verified == TLS_VERIFIED_MTA_STS;
}

static void on_policy(void *context, const struct sts_policy *policy)
{
    struct smtp_task *s = context;
    s->sts_question = NULL;
    struct sts_policy *copy = policy ? ARENA_ARRAY(&s->task.arena, 1, struct sts_policy) : NULL;
    if (policy && (!copy || !sts_policy_copy(policy, &s->task.arena, copy))) {
        struct delivery_result r =
            smtp_route_failure(s, DELIVERY_TEMPORARY, "4.3.0", "MTA-STS", s->task.job.to.mx_domain,
                               "there is no memory for its policy");
        smtp_route_note(s, &r);
        smtp_transport_advance(s);
        return;
    }
    s->policy = copy;
    ask_exchangers(s);
}

void smtp_route_ask_domain(struct smtp_task *s)
{
    if (!wants_policy(s)) {
        ask_exchangers(s);
        return;
    }
    s->sts_question = sts_ask(s->task.engine->options.sts, s->task.job.to.mx_domain, on_policy, s);
    if (s->sts_question)
        return;
    struct delivery_result r =
        smtp_route_failure(s, DELIVERY_TEMPORARY, "4.3.0", "MTA-STS", s->task.job.to.mx_domain,
                           "there is no memory to ask for its policy");
    smtp_route_note(s, &r);
    smtp_transport_advance(s);
}
