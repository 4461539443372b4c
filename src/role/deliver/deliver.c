/*
 * deliver.c: the deliver role: carries queued mail to mailboxes and to other servers. The only process that talks
 * to servers of others' choosing, and the only one that may connect to the network.
 *
 * It takes DELIVER_JOB from queue. Drained, it takes no new jobs, gives those under way DRAIN_MS, then breaks them
 * off; what was delivered by then is still reported.
 */
#include "delivery/resolver_unbound.h"

#include "delivery/delivery.h"
#include "role/common/identity_set.h"
#include "role/common/roles.h"
#include "role/deliver/jobs.h"
#include "runtime/log.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>

enum { DRAIN_MS = 5000, FORWARDERS_MAX = 16 };

static struct tls_context *tls;
static struct resolver *resolver;
static struct jobs jobs = {.answer = role_answer};
static uv_timer_t drain_timer;
static bool ending;
static char host[sizeof((struct role *)0)->host], nameservers[sizeof((struct role *)0)->nameservers]; /* in use */

/* Trust is read here, where its files can be. Without any, mail flows where no certificate need be verified. */
static enum err_code prepare(struct role *role, struct err *err)
{
    (void)role;
    struct tls_client_options options = {.minimum = TLS_VERSION_1_2, .use_system_trust = true};
    enum err_code code = tls_client_context_new(&options, &tls, err);
    if (code != ERR_NOT_FOUND)
        return code;
    struct log_line l = log_begin(LOG_WARNING, "no-system-trust");
    log_err(&l, err);
    log_end(&l);
    options.use_system_trust = false;
    return tls_client_context_new(&options, &tls, err);
}

static enum err_code start_resolver(struct role *role, struct err *err)
{
    struct span forwarders[FORWARDERS_MAX], rest = span_of(nameservers), item;
    struct resolver_unbound_options options = {.loop = &role->loop, .forwarders = forwarders};
    while (span_split(&rest, ',', &item)) {
        item = span_trim(item);
        if (item.len && options.forwarder_count == FORWARDERS_MAX)
            return err_set(err, ERR_LIMIT, "`nameservers` names more than %d servers", FORWARDERS_MAX);
        if (item.len)
            forwarders[options.forwarder_count++] = item;
    }
    return resolver_unbound_new(&options, &resolver, err);
}

static enum err_code start(struct role *role, struct err *err)
{
    char mail_root[1200];
    memcpy(host, role->host, sizeof host);
    memcpy(nameservers, role->nameservers, sizeof nameservers);
    if (!role_state_path(role, "mail", mail_root, sizeof mail_root))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    enum err_code code = start_resolver(role, err);
    if (code)
        return code;
    struct delivery_options options = {.loop = &role->loop,
                                       .resolver = resolver,
                                       .tls = tls,
                                       .mail_root = span_of(mail_root),
                                       .hostname = span_of(host)};
    code = delivery_engine_new(&options, &jobs.engine, err);
    if (code)
        return code;
    uv_timer_init(&role->loop, &drain_timer);
    role_ready(role);
    return ERR_NONE;
}

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    (void)role;
    (void)index;
    if (f->type == DELIVER_JOB && peer == ROLE_QUEUE)
        jobs_begin(&jobs, link, f);
    else
        role_bad_frame(peer, f, "not expected by deliver");
}

/* The engine and the resolver were made with the settings, and hold deliveries under way. */
static void on_reload(const struct role *role)
{
    if (strcmp(host, role->host) != 0 || strcmp(nameservers, role->nameservers) != 0)
        log_text(LOG_NOTICE, "reload", "a changed host or nameservers apply to deliveries after the next start");
}

static void on_control(struct role *role, struct frame *f)
{
    if (f->type == CONTROL_IDENTITY)
        IGNORE_RESULT(
            identity_set_receive(f)); /* kept for client certificates, of which no connector has one yet */
    else if (f->type == CONTROL_RELOAD)
        on_reload(role);
    else if (f->type != CONTROL_TICKET_KEYS)
        role_bad_frame(ROLE_KINDS, f, "not expected by deliver");
}

/* ---- the end ---- */

static void on_engine_closed(void *context)
{
    role_exit(context, EXIT_SUCCESS);
}

/* Once: breaking jobs off makes the last of them end. */
static void end(struct jobs *j)
{
    if (ending)
        return;
    ending = true;
    delivery_engine_close(j->engine, on_engine_closed, drain_timer.data);
}

static void on_drain_over(uv_timer_t *timer)
{
    (void)timer;
    end(&jobs);
}

static void on_drain(struct role *role)
{
    if (jobs.refusing)
        return;
    drain_timer.data = role;
    uv_timer_start(&drain_timer, on_drain_over, DRAIN_MS, 0);
    jobs_refuse(&jobs, end);
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
