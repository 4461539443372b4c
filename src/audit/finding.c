/* finding.c: making findings and their texts; the table of kinds. */
#include "audit/internal.h"

#include "base/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct audit_kind_info kinds[AUDIT_KINDS] = {
    [AUDIT_OPEN_RELAY] =
        {"open-relay", "Spammers find an open relay within hours; then other servers refuse all mail of this one."},
    [AUDIT_EXTERNALLY_SECURED] =
        {"externally-secured",
         "Every client is taken for one of your own servers: it may use any sender, passes the filters and the "
         "size "
         "limit, and its mail counts as internal. That is for fixed addresses behind IPsec or the like."},
    [AUDIT_PROXY_SOURCES] =
        {"proxy-sources",
         "What a load balancer says about its client's address is taken as true, and the address decides which "
         "connector serves the client."},
    [AUDIT_GATEWAY_RELAY] =
        {"gateway-relay",
         "Connections that a router or a container bridge translates come from its address, whoever they are from: "
         "all of them may relay."},
    [AUDIT_PUBLIC_RELAY] =
        {"public-relay", "One of these hosts that is broken into, or that is not yours any more, is enough to send "
                         "spam in your name."},
    [AUDIT_PARTNER_RELAY] = {"partner-relay",
                             "A certificate proves whose server it is, not that it may use this one for mail to "
                             "others."},
    [AUDIT_PASSWORD_IN_CLEAR] =
        {"password-in-clear", "Whoever can listen on the way reads the password, and can then send as the user."},
    [AUDIT_OWN_DOMAIN_SENDER] =
        {"own-domain-sender",
         "Anybody can write to your users in the name of your users. It is the default of Exchange's anonymous "
         "group; servers that forward your mail, or scan it and hand it back, may need it."},
    [AUDIT_ANY_SENDER] = {"any-sender", "One stolen password is enough to write in everybody's name."},
    [AUDIT_WEAK_TLS] = {"weak-tls",
                        "TLS 1.0 and 1.1 are broken (RFC 8996). They are for old devices on a connector of their "
                        "own with a narrow range."},
    [AUDIT_NO_CERTIFICATE] = {"no-certificate",
                              "Without one TLS is not offered, and neither is a logon that needs TLS."},
    [AUDIT_CERTIFICATE_EXPIRED] = {"certificate-expired",
                                   "An expired certificate is not used: TLS is not offered any more."},
    [AUDIT_CERTIFICATE_EXPIRING] = {"certificate-expiring", "When it has expired, TLS is not offered any more."},
    [AUDIT_NO_KEYTAB] = {"no-keytab",
                         "Without keys in certs/smtp.keytab GSSAPI is not offered, and clients that know no other "
                         "mechanism cannot log on."},
    [AUDIT_KNOWN_SERVER] =
        {"known-server",
         "A server whose mail reaches a connector without server authentication cannot log on there: mail between "
         "the two stops or loops."},
    [AUDIT_UNREACHABLE] = {"unreachable", "No client can ever reach it: what it allows or forbids has no effect."},
    [AUDIT_SHADOWED_RANGE] = {"shadowed-range",
                              "More specific ranges of other connectors answer all of its addresses."},
    [AUDIT_WILDCARD_DOMAIN] = {"wildcard-domain",
                               "Mail for every name below the domain is taken from anybody who may submit."},
    [AUDIT_DENY_WITHOUT_EFFECT] = {"deny-without-effect",
                                   "Nothing grants what it denies, so it protects from nothing."},
    [AUDIT_GRANT_WITHOUT_EFFECT] = {"grant-without-effect",
                                    "No session on this connector can have proved to be the one it is for."},
    [AUDIT_EXPIRED_ENTRY] = {"expired-grant", "It does not count any more, and only makes the list longer."},
    [AUDIT_UNUSED_GRANT] =
        {"unused-grant", "What nobody uses can only be misused. Something that happens once a year is no reason to "
                         "leave it open all year: -Expires narrows a grant."},
    [AUDIT_DISABLED] = {"disabled", "Its clients are answered by the next best connector, or not at all."},
};

const struct audit_kind_info *audit_kind_info(enum audit_kind kind)
{
    ASSERT((unsigned)kind < AUDIT_KINDS);
    return &kinds[kind];
}

const char *audit_severity_name(enum audit_severity s)
{
    static const char *const names[AUDIT_SEVERITIES] = {"note", "warning", "danger"};
    return names[s];
}

/* ---- texts ---- */

struct span audit_format(struct audit *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : arena_alloc(a->arena, (size_t)n + 1);
    if (!text) {
        a->failed = true;
        return SPAN("");
    }
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return span_make(text, (size_t)n);
}

struct span audit_quote(struct audit *a, struct span s)
{
    char *text = arena_alloc(a->arena, 2 * s.len + 2);
    size_t n = 0;
    if (!text) {
        a->failed = true;
        return SPAN("");
    }
    text[n++] = '\'';
    for (size_t i = 0; i < s.len; i++) {
        text[n++] = s.ptr[i];
        if (s.ptr[i] == '\'')
            text[n++] = '\'';
    }
    text[n++] = '\'';
    return span_make(text, n);
}

struct span audit_quoted_name(struct audit *a, const struct receive_connector *c)
{
    return audit_quote(a, policy_text(a->policy, c->name));
}

struct span audit_moment(struct audit *a, int64_t at_ms)
{
    struct buf b;
    if (at_ms <= a->facts->now_ms)
        return SPAN("");
    buf_init(&b, 64);
    value_print(&b, value_time(at_ms));
    struct span text =
        audit_format(a, ", as soon as an entry that denies it has expired (%.*s)", SPAN_ARG(buf_span(&b)));
    buf_done(&b);
    return text;
}

/* For the command line of a POSIX shell: quoted where it must be. */
static struct span word(struct audit *a, struct span s)
{
    bool plain = s.len > 0;
    for (size_t i = 0; i < s.len; i++)
        plain = plain && (ascii_is_alnum(s.ptr[i]) || strchr("@._-+", s.ptr[i]));
    if (plain)
        return s;
    char *text = arena_alloc(a->arena, 4 * s.len + 2);
    size_t n = 0;
    if (!text) {
        a->failed = true;
        return SPAN("");
    }
    text[n++] = '\'';
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'') {
            memcpy(text + n, "'\\'", 3);
            n += 3;
        }
        text[n++] = s.ptr[i];
    }
    text[n++] = '\'';
    return span_make(text, n);
}

/* explain asks for both addresses always. */
struct span audit_witness(struct audit *a, const struct audit_session *s)
{
    char remote[IP_TEXT_MAX], local[IP_ENDPOINT_TEXT_MAX];
    struct span from = !s->from.ptr ? a->probes.foreign : s->from.len ? s->from : SPAN("<>");
    struct span to = s->to.ptr ? s->to : a->probes.own.len ? a->probes.own : a->probes.foreign;
    return audit_format(a, "--remote %s --local %s%s%s%.*s --from %.*s --to %.*s", ip_print(s->remote, remote),
                        ip_print_endpoint(a->partition.locals[s->local].at, local), s->tls ? " --tls" : "",
                        s->user.ptr ? " --user " : "", SPAN_ARG(s->user.ptr ? word(a, s->user) : SPAN("")),
                        SPAN_ARG(word(a, from)), SPAN_ARG(word(a, to)));
}

/* ---- findings ---- */

static struct audit_finding *add(struct audit *a, struct audit_finding f)
{
    static struct audit_finding nowhere;
    if (a->count == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        struct audit_finding *grown = ARENA_ARRAY(a->arena, cap, struct audit_finding);
        if (!grown) {
            a->failed = true;
            return &nowhere;
        }
        if (a->count)
            memcpy(grown, a->findings, a->count * sizeof *grown);
        a->findings = grown;
        a->cap = cap;
    }
    a->findings[a->count] = f;
    return &a->findings[a->count++];
}

struct audit_finding *audit_add_connector(struct audit *a, enum audit_kind kind, enum audit_severity severity,
                                          size_t connector, struct audit_text text)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, connector);
    return add(a, (struct audit_finding){.kind = kind,
                                         .severity = severity,
                                         .class_name = "ReceiveConnector",
                                         .object = policy_text(a->policy, c->name),
                                         .text = text.text,
                                         .witness = text.witness,
                                         .remedy = text.remedy,
                                         .key = span_ihash(policy_text(a->policy, c->guid)) + (uint64_t)kind});
}

struct audit_finding *audit_add_domain(struct audit *a, enum audit_kind kind, enum audit_severity severity,
                                       const struct accepted_domain *d, struct audit_text text)
{
    return add(a, (struct audit_finding){.kind = kind,
                                         .severity = severity,
                                         .class_name = "AcceptedDomain",
                                         .object = policy_text(a->policy, d->name),
                                         .text = text.text,
                                         .witness = text.witness,
                                         .remedy = text.remedy,
                                         .key = span_ihash(policy_text(a->policy, d->domain)) + (uint64_t)kind});
}
