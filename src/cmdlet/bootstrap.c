/*
 * bootstrap.c: the objects of a fresh state, from a table of what the default connectors are. Everything not named
 * there has the schema's default.
 */
#include "cmdlet/bootstrap.h"

#include "cmdlet/acl.h"
#include "cmdlet/internal.h"
#include "mail/domain.h"

#define EVERY_IPV4 "0.0.0.0-255.255.255.255"
#define GB(g)      GROUP_BIT(GROUP_##g)

struct default_connector {
    bool edge;
    const char *prefix; /* of its name, before the host */
    uint32_t port;
    unsigned groups;
    struct {
        const char *property, *value;
    } settings[8]; /* up to the first NULL */
};

static const struct default_connector defaults[] = {
    {.prefix = "Default ",
     .port = 25,
     .groups = GB(EXCHANGE_USERS) | GB(EXCHANGE_SERVERS) | GB(EXCHANGE_LEGACY_SERVERS),
     .settings = {{"AuthMechanism", "Tls,Integrated,BasicAuth,BasicAuthRequireTLS,ExchangeServer"},
                  {"MaxRecipientsPerMessage", "5000"},
                  {"MaxInboundConnectionPerSource", "Unlimited"},
                  {"MaxInboundConnectionPercentagePerSource", "100"},
                  {"SizeEnabled", "EnabledWithoutValue"}}},
    {.prefix = "Client ",
     .port = 587,
     .groups = GB(EXCHANGE_USERS),
     .settings = {{"AuthMechanism", "Tls,Integrated,BasicAuth,BasicAuthRequireTLS"},
                  {"MessageRateSource", "User"}}},
    {.prefix = "Client Implicit TLS ",
     .port = 465,
     .groups = GB(EXCHANGE_USERS),
     .settings = {{"AuthMechanism", "Tls,Integrated,BasicAuth,BasicAuthRequireTLS"},
                  {"ImplicitTls", "True"},
                  {"MessageRateSource", "User"}}},
    {.edge = true,
     .prefix = "Default internal receive connector ",
     .port = 25,
     .groups = GB(ANONYMOUS_USERS) | GB(EXCHANGE_SERVERS) | GB(PARTNERS),
     .settings = {{"AuthMechanism", "Tls,ExchangeServer"}, {"MessageRateLimit", "Unlimited"}}},
};

static enum err_code set_text(struct record *r, const struct schema_class *c, const char *property,
                              struct span text, struct err *err)
{
    struct value v;
    const struct schema_property *p = schema_property(c, span_of(property));
    enum err_code code = schema_parse_property(p, value_string(text), NULL, r->arena, &v, err);
    return code ? code : cmdlet_set(r, property, v, err);
}

/* Completes and checks an object as the cmdlets do, and stores it. */
static enum err_code put(struct cmdlet_context *c, const struct schema_class *class, struct record *r,
                         struct err *err)
{
    const struct schema_facts facts = {.edge = c->edge};
    enum err_code code = schema_complete(class, c->edge, r, err);
    if (code == ERR_NONE)
        code = schema_check(class, r, &facts, err);
    return code ? code : object_store_put(c->policy, r, err);
}

static enum err_code make_connector(struct cmdlet_context *c, const struct default_connector *d,
                                    struct arena *arena, struct err *err)
{
    const struct schema_class *class = &schema_receive_connector;
    struct record *r = cmdlet_new_record(c, class, arena);
    struct span host = span_head(c->host, span_find(c->host, '.'));
    struct acl acl;
    enum err_code code = r ? ERR_NONE : cmdlet_no_memory(err);
    const struct {
        const char *property;
        struct span value;
    } texts[] = {
        {"Name", arena_printf(arena, "%s%.*s", d->prefix, SPAN_ARG(host))},
        {"Bindings", arena_printf(arena, "0.0.0.0:%u", d->port + c->port_offset)},
        {"RemoteIPRanges", SPAN(EVERY_IPV4)},
        {"Fqdn", c->host},
    };
    for (size_t i = 0; code == ERR_NONE && i < ARRAY_LEN(texts); i++)
        code = set_text(r, class, texts[i].property, texts[i].value, err);
    for (size_t i = 0; code == ERR_NONE && d->settings[i].property; i++)
        code = set_text(r, class, d->settings[i].property, span_of(d->settings[i].value), err);
    if (code == ERR_NONE)
        code = put(c, class, r, err);
    if (code == ERR_NONE)
        code = acl_load(&acl, c, arena, record_string(r, SPAN("Guid")), err);
    if (code == ERR_NONE)
        code = acl_set_groups(&acl, d->groups, false, err);
    return code ? code : acl_save(&acl, err);
}

static enum err_code make_domain(struct cmdlet_context *c, struct span domain, struct arena *arena, struct err *err)
{
    struct record *r = cmdlet_new_record(c, &schema_accepted_domain, arena);
    enum err_code code =
        r ? set_text(r, &schema_accepted_domain, "Name", span_head(domain, 64), err) : cmdlet_no_memory(err);
    if (code == ERR_NONE)
        code = set_text(r, &schema_accepted_domain, "DomainName", domain, err);
    if (code == ERR_NONE)
        code = cmdlet_set(r, "Default", value_bool(true), err);
    return code ? code : put(c, &schema_accepted_domain, r, err);
}

static enum err_code make_settings(struct cmdlet_context *c, struct arena *arena, struct err *err)
{
    struct record *server = cmdlet_new_record(c, &schema_transport_server, arena);
    struct record *config = cmdlet_new_record(c, &schema_transport_config, arena);
    if (!server || !config)
        return cmdlet_no_memory(err);
    enum err_code code = cmdlet_set(server, "Name", value_string(c->host), err);
    if (code == ERR_NONE)
        code = cmdlet_set(server, "Role", value_of(c->edge ? "Edge" : "Hub"), err);
    if (code == ERR_NONE)
        code = cmdlet_set(config, "Name", value_of("Transport Settings"), err);
    if (code == ERR_NONE)
        code = put(c, &schema_transport_server, server, err);
    return code ? code : put(c, &schema_transport_config, config, err);
}

enum err_code cmdlet_init_settings(struct cmdlet_context *context, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 0);
    enum err_code code = make_settings(context, &arena, err);
    arena_clear(&arena);
    return code;
}

enum err_code cmdlet_init_state(struct cmdlet_context *context, struct span domain, struct err *err)
{
    struct arena arena;
    if (!domain_valid(context->host, 0))
        return err_set(err, ERR_INVALID, "the host name \"%.*s\" is no host name such as mail.example.com",
                       SPAN_ARG(span_head(context->host, 100)));
    if (!domain_valid(domain, DOMAIN_ALLOW_UTF8))
        return err_set(err, ERR_INVALID, "the domain \"%.*s\" is no domain such as example.com",
                       SPAN_ARG(span_head(domain, 100)));
    arena_init(&arena, 0);
    enum err_code code = make_settings(context, &arena, err);
    if (code == ERR_NONE)
        code = make_domain(context, domain, &arena, err);
    for (size_t i = 0; code == ERR_NONE && i < ARRAY_LEN(defaults); i++)
        if (defaults[i].edge == context->edge)
            code = make_connector(context, &defaults[i], &arena, err);
    arena_clear(&arena);
    return code;
}
