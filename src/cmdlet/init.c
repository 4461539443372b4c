/* init.c: the objects of a fresh state (reference 1.2). */
#include "cmdlet/internal.h"

#include "policy/group.h"

struct seed {
    const char *prefix;
    uint16_t port;
    const char *auth;
    unsigned groups;
    bool edge, implicit, server_limits;
};

static const struct seed seeds[] = {
    {"Default", 25, "Tls,Integrated,BasicAuth,BasicAuthRequireTLS,ExchangeServer",
     GROUP_BIT(GROUP_EXCHANGE_USERS) | GROUP_BIT(GROUP_EXCHANGE_SERVERS) | GROUP_BIT(GROUP_EXCHANGE_LEGACY_SERVERS),
     false, false, true},
    {"Client", 587, "Tls,Integrated,BasicAuth,BasicAuthRequireTLS", GROUP_BIT(GROUP_EXCHANGE_USERS), false, false,
     false},
    {"Client Implicit TLS", 465, "Tls,Integrated,BasicAuth,BasicAuthRequireTLS", GROUP_BIT(GROUP_EXCHANGE_USERS),
     false, true, false},
    {"Default internal receive connector", 25, "Tls,ExchangeServer",
     GROUP_BIT(GROUP_ANONYMOUS_USERS) | GROUP_BIT(GROUP_EXCHANGE_SERVERS) | GROUP_BIT(GROUP_PARTNERS), true, false,
     false},
};

struct setting {
    const char *name, *value;
};

static enum err_code set_all(const struct object_class *c, struct record *r, const struct setting *s, size_t count,
                             struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct value v;
        enum err_code code =
            schema_parse(schema_property(c, span_of(s[i].name)), value_of(s[i].value), NULL, r->arena, &v, err);
        if (code)
            return code;
        if (!record_set(r, span_of(s[i].name), v))
            return cmdlet_no_memory(err);
    }
    return schema_complete(c, r, err);
}

static struct record *begin(struct cmdlet_context *c, struct arena *arena, const struct object_class *class,
                            struct span name)
{
    struct record *r = record_new(arena, span_of(class->name));
    unsigned char b[16];
    c->random(b, sizeof b);
    struct span guid = arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-4%02x%x-a%02x%x-%02x%02x%02x%02x%02x%02x",
                                    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7] & 15u, b[8], b[9] & 15u, b[10],
                                    b[11], b[12], b[13], b[14], b[15]);
    int64_t now = c->now_ms();
    bool ok = r && guid.ptr && record_set(r, SPAN("Name"), value_string(name)) &&
              record_set(r, SPAN("Guid"), value_string(guid)) &&
              record_set(r, SPAN("WhenCreated"), value_time(now)) &&
              record_set(r, SPAN("WhenChanged"), value_time(now));
    return ok ? r : NULL;
}

static enum err_code make_connector(struct cmdlet_context *c, struct arena *arena, const struct seed *s,
                                    struct err *err)
{
    struct span label = span_head(c->host, span_find(c->host, '.'));
    struct record *r =
        begin(c, arena, &class_receive_connector, arena_printf(arena, "%s %.*s", s->prefix, SPAN_ARG(label)));
    char *host = arena_cstr(arena, c->host);
    struct span binding = arena_printf(arena, "0.0.0.0:%u", s->port + c->port_offset);
    if (!r || !host || !binding.ptr)
        return cmdlet_no_memory(err);
    const struct setting common[] = {{"Bindings", binding.ptr},
                                     {"RemoteIPRanges", "0.0.0.0-255.255.255.255"},
                                     {"AuthMechanism", s->auth},
                                     {"Fqdn", host},
                                     {"ImplicitTls", s->implicit ? "True" : "False"},
                                     {"MessageRateLimit", "Unlimited"},
                                     {"ConnectionTimeout", c->edge ? "00:05:00" : "00:10:00"},
                                     {"ConnectionInactivityTimeout", c->edge ? "00:01:00" : "00:05:00"}};
    const struct setting server[] = {{"MaxInboundConnectionPerSource", "Unlimited"},
                                     {"MaxInboundConnectionPercentagePerSource", "100"},
                                     {"MaxRecipientsPerMessage", "5000"},
                                     {"SizeEnabled", "EnabledWithoutValue"}};
    enum err_code code =
        s->server_limits ? set_all(&class_receive_connector, r, server, ARRAY_LEN(server), err) : ERR_NONE;
    if (!code)
        code = set_all(&class_receive_connector, r, common, ARRAY_LEN(common), err);
    if (!code)
        code = object_store_put(c->policy, r, err);
    return code ? code : permission_set_groups(c, arena, record_string(r, SPAN("Guid")), s->groups, err);
}

static enum err_code make_objects(struct cmdlet_context *c, struct arena *arena, struct span domain,
                                  struct err *err)
{
    enum err_code code = ERR_NONE;
    struct record *d = begin(c, arena, &class_accepted_domain, domain),
                  *s = begin(c, arena, &class_transport_server, c->host),
                  *o = begin(c, arena, &class_transport_config, SPAN("Transport Settings"));
    char *name = arena_cstr(arena, domain);
    if (!d || !s || !o || !name)
        return cmdlet_no_memory(err);
    const struct setting domain_settings[] = {
        {"DomainName", name}, {"DomainType", "Authoritative"}, {"Default", "True"}};
    const struct setting server_settings[] = {
        {"Role", c->edge ? "Edge" : "Hub"},
        {"TransientFailureRetryInterval", c->edge ? "00:10:00" : "00:05:00"},
        {"OutboundConnectionFailureRetryInterval", c->edge ? "00:30:00" : "00:10:00"}};
    for (size_t i = 0; !code && i < ARRAY_LEN(seeds); i++)
        if (seeds[i].edge == c->edge)
            code = make_connector(c, arena, &seeds[i], err);
    if (!code && !(code = set_all(&class_accepted_domain, d, domain_settings, ARRAY_LEN(domain_settings), err)))
        code = object_store_put(c->policy, d, err);
    if (!code && !(code = set_all(&class_transport_server, s, server_settings, ARRAY_LEN(server_settings), err)))
        code = object_store_put(c->policy, s, err);
    if (!code && !(code = set_all(&class_transport_config, o, NULL, 0, err)))
        code = object_store_put(c->policy, o, err);
    return code;
}

enum err_code cmdlet_init_state(struct cmdlet_context *context, struct span domain, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 0);
    enum err_code code = make_objects(context, &arena, domain, err);
    arena_clear(&arena);
    return code;
}
