/*
 * certificate.c: which certificate serves which connector, and what is shown of one. The choice is that of the
 * handshake (tls_identity_choose), so what is shown here is what a client gets.
 */
#include "cmdlet/certificate.h"

#include "base/value.h"

enum { NAMES_SHOWN = 100 };

enum err_code certificates_list(struct cmdlet_context *c, const struct certificate **ret, size_t *ret_count,
                                struct err *err)
{
    if (!c->certificates)
        return err_set(err, ERR_UNAVAILABLE, "the certificates cannot be administered from here");
    return certificate_store_list(c->certificates, ret, ret_count, err);
}

static bool usable(const struct certificate *c)
{
    return c->enabled && c->id && !c->problem.len;
}

/* ---- connectors ---- */

static bool has_tls(const struct record *connector)
{
    const struct value *v = record_get(connector, SPAN("AuthMechanism"));
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->list.count; i++)
        if (span_ieq(v->list.items[i].s, SPAN("Tls")))
            return true;
    return false;
}

/* Of those that name the host, why the last one does not count. */
static struct span reason(const struct certificate *all, size_t count, struct span host, int64_t now,
                          struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        const struct certificate *c = &all[i];
        if (!c->id || !tls_identity_matches(c->id, host))
            continue;
        struct span thumbprint = tls_identity_thumbprint(c->id);
        if (!c->enabled)
            return arena_printf(
                arena,
                "none: %.*s names %.*s but is not enabled; Enable-ExchangeCertificate %.*s -Services "
                "SMTP",
                SPAN_ARG(thumbprint), SPAN_ARG(host), SPAN_ARG(thumbprint));
        if (c->problem.len)
            return arena_printf(arena, "none: %.*s names %.*s but cannot be used: %.*s", SPAN_ARG(thumbprint),
                                SPAN_ARG(host), SPAN_ARG(c->problem));
        bool expired = now > tls_identity_not_after(c->id);
        return arena_printf(arena,
                            "none: %.*s names %.*s but is %s; New-ExchangeCertificate -DomainName %.*s, or "
                            "Import-ExchangeCertificate",
                            SPAN_ARG(thumbprint), SPAN_ARG(host),
                            expired                                ? "expired"
                            : now < tls_identity_not_before(c->id) ? "not valid yet"
                                                                   : "no X.509 v3 certificate",
                            SPAN_ARG(host));
    }
    return arena_printf(
        arena,
        "none: no certificate names %.*s, so TLS is not offered; New-ExchangeCertificate -DomainName "
        "%.*s, or Import-ExchangeCertificate",
        SPAN_ARG(host), SPAN_ARG(host));
}

enum err_code certificate_of_host(struct cmdlet_context *c, struct span host, struct arena *arena,
                                  struct connector_certificate *ret, struct err *err)
{
    const struct certificate *all;
    struct tls_identity *ids[CERTIFICATES_MAX];
    size_t count = 0, n = 0;
    enum err_code code = certificates_list(c, &all, &count, err);
    if (code)
        return code;
    *ret = (struct connector_certificate){0};
    for (size_t i = 0; i < count; i++)
        if (usable(&all[i]))
            ids[n++] = all[i].id;
    const struct tls_identity *id = tls_identity_choose(ids, n, host, c->now_ms());
    for (size_t i = 0; i < count && !ret->certificate; i++)
        if (id && all[i].id == id)
            ret->certificate = &all[i];
    ret->why_not = ret->certificate ? SPAN("") : reason(all, count, host, c->now_ms(), arena);
    return ERR_NONE;
}

enum err_code certificate_of_connector(struct cmdlet_context *c, const struct record *connector,
                                       struct arena *arena, struct connector_certificate *ret, struct err *err)
{
    struct span host = record_string(connector, SPAN("Fqdn"));
    *ret = (struct connector_certificate){NULL, SPAN("none: AuthMechanism has no Tls")};
    return has_tls(connector) ? certificate_of_host(c, host.len ? host : c->host, arena, ret, err) : ERR_NONE;
}

struct value certificate_property(struct cmdlet_context *c, const struct record *connector, struct arena *arena)
{
    struct connector_certificate found;
    struct err err = {0};
    struct buf b;
    if (certificate_of_connector(c, connector, arena, &found, &err))
        return value_string(arena_printf(arena, "unknown: %s", err.text));
    if (!found.certificate)
        return value_string(found.why_not);
    const struct tls_identity *id = found.certificate->id;
    buf_init(&b, 256);
    value_print(&b, value_time(tls_identity_not_after(id)));
    struct span text = arena_printf(arena, "%.*s %.*s, %svalid until %.*s", SPAN_ARG(tls_identity_thumbprint(id)),
                                    SPAN_ARG(found.certificate->name),
                                    tls_identity_self_signed(id) ? "self-signed, " : "", SPAN_ARG(buf_span(&b)));
    buf_done(&b);
    return value_string(text);
}

/* ---- what is shown ---- */

static enum err_code set_text(struct record *r, const char *name, struct span s, struct err *err)
{
    return cmdlet_set(r, name, value_string(s), err);
}

static struct value list_of(struct arena *arena, const struct span *texts, size_t count)
{
    struct value *items = ARENA_ARRAY(arena, count, struct value);
    for (size_t i = 0; items && i < count; i++)
        items[i] = value_string(texts[i]);
    return value_list(items, items ? count : 0);
}

enum err_code certificate_used_by(struct shell_call *call, const struct certificate *certificate, struct value *ret,
                                  struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    struct record **all;
    size_t count = 0, n = 0;
    enum err_code code = object_store_list(c->policy, SPAN("ReceiveConnector"), call->arena, &all, &count, err);
    struct span *names = code ? NULL : ARENA_ARRAY(call->arena, count, struct span);
    if (!code && !names)
        code = cmdlet_no_memory(err);
    for (size_t i = 0; !code && i < count; i++) {
        struct connector_certificate found;
        code = certificate_of_connector(c, all[i], call->arena, &found, err);
        if (!code && found.certificate && span_eq(found.certificate->name, certificate->name))
            names[n++] = record_string(all[i], SPAN("Name"));
    }
    *ret = code ? value_null() : list_of(call->arena, names, n);
    return code;
}

static const char *status_of(const struct certificate *c, int64_t now)
{
    if (c->request.len)
        return "PendingRequest";
    if (!c->id || c->problem.len)
        return "Invalid";
    return now < tls_identity_not_before(c->id) || now > tls_identity_not_after(c->id) ? "DateInvalid" : "Valid";
}

static enum err_code set_facts(struct shell_call *call, struct record *r, const struct certificate *c,
                               struct err *err)
{
    struct tls_facts facts = {0};
    struct value connectors = value_null();
    enum err_code code = tls_identity_facts(c->id, call->arena, &facts, err);
    size_t names = code ? 0 : facts.name_count < NAMES_SHOWN ? facts.name_count : NAMES_SHOWN;
    if (!code)
        code = certificate_used_by(call, c, &connectors, err);
    const struct {
        const char *name;
        struct value value;
    } shown[] = {
        {"Thumbprint", value_string(tls_identity_thumbprint(c->id))},
        {"Sha256Thumbprint", value_string(tls_identity_fingerprint(c->id))},
        {"Subject", value_string(facts.subject)},
        {"CertificateDomains", list_of(call->arena, facts.names, names)},
        {"NotBefore", value_time(tls_identity_not_before(c->id))},
        {"NotAfter", value_time(tls_identity_not_after(c->id))},
        {"IsSelfSigned", value_bool(tls_identity_self_signed(c->id))},
        {"Issuer", value_string(facts.issuer)},
        {"SerialNumber", value_string(facts.serial)},
        {"PublicKey", value_string(facts.key)},
        {"Connectors", connectors},
    };
    for (size_t i = 0; !code && i < ARRAY_LEN(shown); i++)
        code = cmdlet_set(r, shown[i].name, shown[i].value, err);
    return code;
}

enum err_code certificate_emit(struct shell_call *call, const struct certificate *c, struct err *err)
{
    struct record *r = record_new(call->arena, SPAN("ExchangeCertificate"));
    struct span name = arena_dup(call->arena, c->name), request = arena_dup(call->arena, c->request);
    struct span problem = arena_dup(call->arena, c->problem);
    struct value service = value_string(SPAN("SMTP")), *services = ARENA_NEW(call->arena, struct value);
    if (!r || !name.ptr || !request.ptr || !problem.ptr || !services)
        return cmdlet_no_memory(err);
    *services = service;
    enum err_code code = c->id ? set_facts(call, r, c, err) : ERR_NONE;
    if (!code)
        code = cmdlet_set(r, "Services", value_list(services, c->enabled && !c->request.len), err);
    if (!code)
        code = set_text(r, "Status", span_of(status_of(c, cmdlet_context(call)->now_ms())), err);
    if (!code && problem.len)
        code = set_text(r, "StatusMessage", problem, err);
    if (!code && request.len)
        code = set_text(r, "Request", request, err);
    if (!code)
        code = set_text(r, "Name", name, err);
    if (!code)
        call->emit(call, value_record(r));
    return code;
}

/* ---- for the cmdlets ---- */

enum err_code certificate_services(struct shell_call *call, bool *ret, struct err *err)
{
    const struct value *v = cmdlet_argument(call, "Services");
    if (!v)
        return ERR_NONE;
    bool list = v->kind == VALUE_LIST && v->list.count == 1;
    struct span text = v->kind == VALUE_STRING ? v->s : list ? v->list.items[0].s : SPAN("?");
    bool smtp = span_ieq(text, SPAN("SMTP"));
    if (!smtp && !span_ieq(text, SPAN("None")))
        return err_set(err, ERR_INVALID,
                       "%s -Services: \"%.*s\" is not SMTP or None; this server has no other service that presents "
                       "certificates",
                       call->command->name, SPAN_ARG(span_head(text, 60)));
    *ret = smtp;
    return ERR_NONE;
}

enum err_code certificate_stage(struct shell_call *call, const struct certificate_change *change, struct err *err)
{
    struct err inner = {0};
    struct certificate_store *s = cmdlet_context(call)->certificates;
    enum err_code code = s ? certificate_store_stage(s, change, &inner)
                           : err_set(&inner, ERR_UNAVAILABLE, "the certificates cannot be administered from here");
    return code ? err_set(err, code, "%s: %s", call->command->name, inner.text) : ERR_NONE;
}

enum err_code certificate_by_name(struct shell_call *call, struct span name, const struct certificate **ret,
                                  struct err *err)
{
    const struct certificate *all;
    size_t count = 0;
    enum err_code code = certificates_list(cmdlet_context(call), &all, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        if (span_eq(all[i].name, name)) {
            *ret = &all[i];
            return ERR_NONE;
        }
    return code ? code
                : err_set(err, ERR_NOT_FOUND, "%s: there is no certificate \"%.*s\"", call->command->name,
                          SPAN_ARG(span_head(name, 100)));
}
