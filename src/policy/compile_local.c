/*
 * compile_local.c: the connector of submit.sock, which no administrator makes: programs of this machine must be
 * able to send whatever the connectors of the network are like. Only LocalSubmission says who may what there, and
 * it is written as an ACL, so that the engine decides about a local user as about everybody else.
 */
#include "policy/compile_internal.h"

enum {
    LOCAL_CONNECTIONS = 500,
    LOCAL_CONNECTIONS_PER_USER = 100,
    LOCAL_HEADER = 256 << 10,
    LOCAL_MINUTE_MS = 60000
};

static const char *const submission_words[] = {
    [LOCAL_ANY_SENDER] = "AnySender", [LOCAL_OWN_SENDER] = "OwnSender", [LOCAL_DISABLED] = "Disabled"};

uint32_t compile_local_submission(struct compiler *c, const struct record *server)
{
    return compile_enum(c, server, "LocalSubmission", submission_words, ARRAY_LEN(submission_words),
                        LOCAL_ANY_SENDER);
}

static void grant(struct compiler *c, enum principal who, enum right right)
{
    struct policy_text name = compile_text(c, principal_name(who));
    struct policy_ace e = {.principal = name,
                           .name = name,
                           .origin = compile_text(c, SPAN("LocalSubmission")),
                           .expires_ms = POLICY_NEVER,
                           .kind = who,
                           .right = right,
                           .rate = POLICY_UNLIMITED};
    compile_add(c, SECTION_ACL, &e);
}

static struct policy_list acl_of(struct compiler *c, enum local_submission mode)
{
    static const enum right to_submit[] = {RIGHT_SUBMIT, RIGHT_ACCEPT_ANY_RECIPIENT, RIGHT_ACCEPT_HEADERS_ROUTING,
                                           RIGHT_BYPASS_ANTI_SPAM};
    static const enum right to_be_anybody[] = {RIGHT_ACCEPT_ANY_SENDER, RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER};
    uint32_t first = compile_count(c, SECTION_ACL);
    for (size_t i = 0; mode != LOCAL_DISABLED && i < ARRAY_LEN(to_submit); i++)
        grant(c, PRINCIPAL_AUTHENTICATED_USERS, to_submit[i]);
    for (size_t i = 0; mode != LOCAL_DISABLED && i < ARRAY_LEN(to_be_anybody); i++)
        grant(c, mode == LOCAL_ANY_SENDER ? PRINCIPAL_AUTHENTICATED_USERS : PRINCIPAL_EXTERNALLY_SECURED,
              to_be_anybody[i]);
    return (struct policy_list){first, compile_count(c, SECTION_ACL) - first};
}

/* What completes `sendmail root`. */
static struct policy_text default_domain(struct compiler *c, const struct policy_input *in)
{
    for (size_t i = 0; i < in->domain_count; i++) {
        struct span domain = compile_string(c, in->domains[i], "DomainName");
        if (record_bool(in->domains[i], SPAN("Default"), false))
            return compile_lower_text(c, span_starts(domain, SPAN("*.")) ? span_from(domain, 2) : domain);
    }
    return (struct policy_text){0};
}

void compile_local_connector(struct compiler *c, const struct policy_input *in)
{
    const struct record none = {.type = SPAN("TransportServer")};
    const struct record *server = in->server ? in->server : &none;
    struct receive_connector k = {
        .guid = compile_text(c, SPAN("local-submission")),
        .name = compile_text(c, SPAN("Local submission")),
        .default_domain = default_domain(c, in),
        .acl = acl_of(c, (enum local_submission)compile_local_submission(c, server)),
        .flags = CONNECTOR_ENABLED | CONNECTOR_PIPELINING | CONNECTOR_CHUNKING | CONNECTOR_BINARY_MIME |
                 CONNECTOR_EIGHT_BIT_MIME | CONNECTOR_DSN | CONNECTOR_ENHANCED_CODES | CONNECTOR_SMTP_UTF8,
        .max_message_size = POLICY_UNLIMITED_WIDE, /* MaxSendSize holds */
        .size_mode = SIZE_ENABLED,
        .max_header_size = LOCAL_HEADER,
        .max_recipients = POLICY_UNLIMITED, /* MaxRecipientEnvelopeLimit holds */
        .max_hops = 30,
        .max_local_hops = 8,
        .max_connections = LOCAL_CONNECTIONS,
        .max_connections_per_source = LOCAL_CONNECTIONS_PER_USER, /* no user keeps the others out */
        .max_percentage_per_source = 100,
        .max_protocol_errors = 5,
        .max_logon_failures = 3,
        .message_rate_limit = POLICY_UNLIMITED,
        .connection_timeout_ms = 60 * LOCAL_MINUTE_MS,
        .inactivity_timeout_ms = 5 * LOCAL_MINUTE_MS,
        .tls_minimum = 2,
        .rate_source = RATE_BY_NONE,
    };
    k.bindings.first = compile_count(c, SECTION_BINDINGS);
    k.ranges.first = compile_count(c, SECTION_RANGES);
    k.proxies.first = compile_count(c, SECTION_PROXIES);
    compile_add(c, SECTION_LOCAL, &k);
}
