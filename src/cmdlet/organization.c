/* organization.c: accepted domains and the settings of server and organisation. */
#include "cmdlet/internal.h"

static const struct shell_parameter domain_parameters[] = {
    {"MakeDefault", NULL, PARAMETER_SWITCH, NULL, "Make it the organisation's default domain."},
};

static enum err_code prepare_domain(struct shell_call *call, const struct record *old, struct record *r,
                                    struct err *err)
{
    struct record **all;
    size_t count;
    struct span domain = record_string(r, SPAN("DomainName"));
    enum err_code code = schema_complete(&class_accepted_domain, r, err);
    (void)old;
    if (!code && span_eq(domain, SPAN("*")))
        return err_set(err, ERR_INVALID,
                       "-DomainName *: to accept every domain would make an open relay; name the domains, or grant "
                       "ms-Exch-SMTP-Accept-Any-Recipient to those who may relay");
    if (!code)
        code = cmdlet_all(call, cmdlet_context(call)->policy, "AcceptedDomain", &all, &count, err);
    bool make_default = record_bool(call->arguments, SPAN("MakeDefault"), false);
    for (size_t i = 0; !code && i < count; i++) {
        bool same = span_ieq(record_string(all[i], SPAN("Guid")), record_string(r, SPAN("Guid")));
        if (!same && span_ieq(record_string(all[i], SPAN("DomainName")), domain))
            return err_set(err, ERR_EXISTS, "%.*s is an accepted domain already: \"%.*s\"", SPAN_ARG(domain),
                           SPAN_ARG(record_string(all[i], SPAN("Name"))));
        if (!same && make_default && !call->what_if && record_bool(all[i], SPAN("Default"), false)) {
            if (!record_set(all[i], SPAN("Default"), value_bool(false)))
                return cmdlet_no_memory(err);
            code = object_store_put(cmdlet_context(call)->policy, all[i], err);
        }
    }
    if (!code && make_default && !record_set(r, SPAN("Default"), value_bool(true)))
        code = cmdlet_no_memory(err);
    return code;
}

static enum err_code removing_domain(struct shell_call *call, const struct record *r, struct err *err)
{
    (void)call;
    if (record_bool(r, SPAN("Default"), false))
        return err_set(err, ERR_CONFLICT,
                       "\"%.*s\" is the default domain and cannot be removed; make another one the default first: "
                       "Set-AcceptedDomain NAME -MakeDefault",
                       SPAN_ARG(record_string(r, SPAN("Name"))));
    return ERR_NONE;
}

const struct noun noun_accepted_domain = {.class = &class_accepted_domain,
                                          .extra = domain_parameters,
                                          .extra_count = ARRAY_LEN(domain_parameters),
                                          .prepare = prepare_domain,
                                          .removing = removing_domain};

static enum err_code prepare_server(struct shell_call *call, const struct record *old, struct record *r,
                                    struct err *err)
{
    (void)call;
    (void)old;
    enum err_code code = schema_complete(&class_transport_server, r, err);
    if (!code && span_ieq(record_string(r, SPAN("MailboxDeliveryProtocol")), SPAN("Lmtp")) &&
        !record_string(r, SPAN("MailboxDeliveryHost")).len)
        return err_set(err, ERR_CONFLICT,
                       "MailboxDeliveryProtocol Lmtp needs MailboxDeliveryHost: host:port or the path of a socket");
    return code;
}

static enum err_code prepare_config(struct shell_call *call, const struct record *old, struct record *r,
                                    struct err *err)
{
    (void)call;
    (void)old;
    return schema_complete(&class_transport_config, r, err);
}

const struct noun noun_transport_server = {
    .class = &class_transport_server, .singleton = true, .prepare = prepare_server};
const struct noun noun_transport_config = {
    .class = &class_transport_config, .singleton = true, .prepare = prepare_config};

/* ---- queues ---- */

static const struct shell_parameter queue_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0, "<Name>", "Its name, wildcards allowed."},
    {"Server", NULL, PARAMETER_HIDDEN, NULL, NULL},
};

static enum err_code emit_matching(struct shell_call *call, struct record **all, size_t count)
{
    struct span only = record_string(call->arguments, SPAN("Identity"));
    for (size_t i = 0; i < count; i++) {
        struct buf b;
        buf_init(&b, 1024);
        const struct value *v = record_get(all[i], SPAN("Identity"));
        if (v)
            value_print(&b, *v);
        bool keep = !only.len || shell_like(buf_span(&b), only);
        buf_done(&b);
        if (keep)
            call->emit(call, value_record(all[i]));
    }
    return ERR_NONE;
}

static enum err_code get_queue(struct shell_call *call, struct err *err)
{
    struct queue_view *q = cmdlet_context(call)->queues;
    struct record **all;
    size_t count;
    enum err_code code = q->queues(q, call->arena, &all, &count, err);
    return code ? code : emit_matching(call, all, count);
}

static enum err_code get_message(struct shell_call *call, struct err *err)
{
    struct queue_view *q = cmdlet_context(call)->queues;
    struct record **all;
    size_t count;
    enum err_code code = q->messages(q, 1000, call->arena, &all, &count, err);
    return code ? code : emit_matching(call, all, count);
}

const struct shell_command queue_commands[2] = {
    {.name = "Get-Queue",
     .parameters = queue_parameters,
     .parameter_count = ARRAY_LEN(queue_parameters),
     .synopsis = "Shows the queues.",
     .run = get_queue},
    {.name = "Get-Message",
     .parameters = queue_parameters,
     .parameter_count = ARRAY_LEN(queue_parameters),
     .synopsis = "Shows queued messages.",
     .run = get_message},
};
