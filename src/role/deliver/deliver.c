/*
 * deliver.c: the deliver role: carries queued mail to mailboxes and to other servers. The only process that talks
 * to servers of others' choosing, and the only one that may connect to the network.
 *
 * It takes DELIVER_JOB from queue, and tells manage the rows of the protocol log (EVENTS). Drained, it takes no new
 * jobs, gives those under way DRAIN_MS, then breaks them off; what was delivered by then is still reported.
 */
#include "delivery/resolver_unbound.h"

#include "delivery/delivery.h"
#include "delivery/sts.h"
#include "role/common/event_sender.h"
#include "role/common/identity_set.h"
#include "role/common/roles.h"
#include "role/deliver/jobs.h"
#include "role/deliver/send_log.h"
#include "role/deliver/trust.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>

enum { DRAIN_MS = 5000, FORWARDERS_MAX = 16 };

/* An engine with the settings that it was made with. A reload makes another; the old one ends with its last job. */
struct generation {
    struct jobs jobs; /* first: its callbacks give it back */
    struct generation *next;
    struct role *role;
    struct resolver *resolver;
    struct sts *sts;
    char host[sizeof((struct role *)0)->host], nameservers[sizeof((struct role *)0)->nameservers];
    bool ending;
};

static struct tls_context *tls;
static struct https *https;
static struct sts_cache *policies;     /* of the domains that mail goes to; a reload forgets nothing */
static struct generation *generations; /* the current one first */
static uv_timer_t drain_timer;
static bool draining;

/* Trust is read here, where its files can be. Without any, mail flows where no certificate need be verified. */
static enum err_code prepare(struct role *role, struct err *err)
{
    const struct tls_client_options options = {.minimum = TLS_VERSION_1_2};
    trust_prepare();
    enum err_code code = trust_read_anchors(role->dnssec_anchors, err);
    if (code)
        return code;
    return tls_client_context_new(&options, &tls, err);
}

/* Towards servers that know this one by its certificate: the one for the name that is said in EHLO, else the one
 * for this host. */
static struct tls_identity *identity(void *context, struct span name)
{
    const struct generation *g = context;
    struct identity_set *set = identity_set_current();
    struct tls_identity *id = tls_identity_choose(set->ids, set->count, name, clock_wall_ms());
    if (!id)
        id = tls_identity_choose(set->ids, set->count, span_of(g->host), clock_wall_ms());
    if (!id)
        log_text(LOG_WARNING, "no-certificate", "no certificate names %.*s, so this server cannot prove itself",
                 SPAN_ARG(name));
    return id;
}

/* ---- generations ---- */

static enum err_code start_resolver(struct generation *g, struct err *err)
{
    struct span forwarders[FORWARDERS_MAX], rest = span_of(g->nameservers), item;
    struct resolver_unbound_options options = {
        .loop = &g->role->loop, .forwarders = forwarders, .anchors = trust_anchors()};
    while (span_split(&rest, ',', &item)) {
        item = span_trim(item);
        if (item.len && options.forwarder_count == FORWARDERS_MAX)
            return err_set(err, ERR_LIMIT, "`nameservers` names more than %d servers", FORWARDERS_MAX);
        if (item.len)
            forwarders[options.forwarder_count++] = item;
    }
    return resolver_unbound_new(&options, &g->resolver, err);
}

static void on_policy_failed(void *context, struct span domain, const char *why)
{
    (void)context;
    log_text(LOG_WARNING, "mta-sts-failed",
             "the MTA-STS policy of %.*s cannot be fetched: %s; the one before counts while it lasts",
             SPAN_ARG(domain), why);
}

static enum err_code start_policies(struct generation *g, struct err *err)
{
    g->sts = sts_new(&g->role->loop, g->resolver, https, policies, on_policy_failed, NULL);
    return g->sts ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code start_engine(struct generation *g, struct err *err)
{
    char mail_root[1200];
    if (!role_state_path(g->role, "mail", mail_root, sizeof mail_root))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    struct delivery_options options = {.loop = &g->role->loop,
                                       .resolver = g->resolver,
                                       .sts = g->sts,
                                       .tls = tls,
                                       .identity = identity,
                                       .trust = trust_for,
                                       .tls_credentials = g,
                                       .mail_root = span_of(mail_root),
                                       .hostname = span_of(g->host),
                                       .log = send_log_row};
    return delivery_engine_new(&options, &g->jobs.engine, err);
}

static void generation_free(struct generation *g)
{
    resolver_close(g->resolver);
    free(g);
}

static void on_policies_closed(void *context)
{
    generation_free(context);
}

/* Becomes the current one. */
static enum err_code generation_start(struct role *role, struct err *err)
{
    struct generation *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    *g = (struct generation){.jobs = {.answer = role_answer}, .role = role};
    memcpy(g->host, role->host, sizeof g->host);
    memcpy(g->nameservers, role->nameservers, sizeof g->nameservers);
    enum err_code code = start_resolver(g, err);
    if (!code)
        code = start_policies(g, err);
    if (!code)
        code = start_engine(g, err);
    if (code) {
        if (g->sts)
            sts_close(g->sts, on_policies_closed, g);
        else
            generation_free(g);
        return code;
    }
    g->next = generations;
    generations = g;
    return ERR_NONE;
}

static void on_engine_closed(void *context)
{
    struct generation *g = context, **at = &generations;
    struct role *role = g->role;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    sts_close(g->sts, on_policies_closed, g);
    if (!draining || generations)
        return;
    event_sender_flush();
    role_exit(role, EXIT_SUCCESS);
}

/* Once: breaking jobs off makes the last of them end. */
static void generation_end(struct jobs *jobs)
{
    struct generation *g = (struct generation *)jobs;
    if (g->ending)
        return;
    g->ending = true;
    delivery_engine_close(g->jobs.engine, on_engine_closed, g);
}

static enum err_code start(struct role *role, struct err *err)
{
    https = https_new(&role->loop, trust_pem, NULL);
    policies = sts_cache_new();
    if (!https || !policies)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    enum err_code code = generation_start(role, err);
    if (code)
        return code;
    event_sender_init(role);
    uv_timer_init(&role->loop, &drain_timer);
    role_ready(role);
    return ERR_NONE;
}

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    (void)role;
    (void)index;
    if (f->type == DELIVER_JOB && peer == ROLE_QUEUE)
        jobs_begin(&generations->jobs, link, f);
    else
        role_bad_frame(peer, f, "not expected by deliver");
}

/* Deliveries under way keep the settings that they began with. */
static void on_reload(struct role *role)
{
    struct generation *old = generations;
    struct err err = {0};
    if (draining || (strcmp(old->host, role->host) == 0 && strcmp(old->nameservers, role->nameservers) == 0))
        return;
    if (generation_start(role, &err)) {
        log_text(LOG_ERROR, "reload-failed", "%s; deliveries go on with the settings before", err.text);
        return;
    }
    log_text(LOG_NOTICE, "reloaded", "host %s, nameservers %s", role->host,
             role->nameservers[0] ? role->nameservers : "of the system");
    jobs_refuse(&old->jobs, generation_end);
}

static void on_control(struct role *role, struct frame *f)
{
    if (f->type == CONTROL_IDENTITY)
        IGNORE_RESULT(identity_set_receive(f));
    else if (f->type == CONTROL_TRUST)
        trust_take(f);
    else if (f->type == CONTROL_RELOAD)
        on_reload(role);
    else if (f->type != CONTROL_TICKET_KEYS)
        role_bad_frame(ROLE_KINDS, f, "not expected by deliver");
}

static void on_drain_over(uv_timer_t *timer)
{
    (void)timer;
    for (struct generation *g = generations; g; g = g->next)
        generation_end(&g->jobs);
}

static void on_drain(struct role *role)
{
    (void)role;
    if (draining)
        return;
    draining = true;
    uv_timer_start(&drain_timer, on_drain_over, DRAIN_MS, 0);
    for (struct generation *g = generations; g; g = g->next)
        if (!g->jobs.refusing)
            jobs_refuse(&g->jobs, generation_end);
}

static const char *const state_paths[] = {"mail", NULL};
/* What the resolver reads when it is made, unless nameservers are given. */
static const char *const system_paths[] = {"/etc/resolv.conf", "/etc/hosts", NULL};

const struct role_main deliver_role = {.kind = ROLE_DELIVER,
                                       .prepare = prepare,
                                       .start = start,
                                       .on_frame = on_frame,
                                       .on_control = on_control,
                                       .on_drain = on_drain,
                                       .state_paths = state_paths,
                                       .system_paths = system_paths,
                                       .sandbox_calls = SANDBOX_CONNECT};
