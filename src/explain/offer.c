/* offer.c: what EHLO offers in each state, read out of the machine's own reply, and why the rest is missing. */
#include "explain/internal.h"

#include <string.h>

/* The keywords of a reply to EHLO: each line but the first. */
static bool read_keywords(struct explanation *e, struct span reply, struct explain_offer *o)
{
    size_t lines = 0;
    for (size_t i = 0; i < reply.len; i++)
        lines += reply.ptr[i] == '\n';
    struct span *keywords = EXPLAIN_ARRAY(e, lines, struct span);
    if (!keywords)
        return false;
    for (struct span rest = reply, line; span_split(&rest, '\n', &line) && line.len;)
        if (line.ptr != reply.ptr)
            keywords[o->keyword_count++] = span_from(line, sizeof "250-" - 1);
    o->keywords = keywords;
    return true;
}

static bool offers(const struct explain_offer *o, struct span keyword)
{
    for (size_t i = 0; i < o->keyword_count; i++)
        if (span_ieq(span_head(o->keywords[i], span_find(o->keywords[i], ' ')), keyword))
            return true;
    return false;
}

struct span explain_why_no_starttls(struct explanation *e)
{
    const struct receive_connector *c = e->connector;
    if (c->flags & CONNECTOR_IMPLICIT_TLS)
        return SPAN("ImplicitTls is $true: TLS begins with the connection");
    if (!(c->auth & AUTH_TLS))
        return SPAN("Tls is not in AuthMechanism");
    return e->certificate.text;
}

bool explain_by_gssapi(const struct explanation *e)
{
    return e->by_ticket || (e->session->auth && span_ieq(e->session->mechanism, SPAN("GSSAPI")));
}

struct span explain_why_no_gssapi(struct explanation *e)
{
    const struct receive_connector *c = e->connector;
    if (!(c->auth & AUTH_INTEGRATED))
        return SPAN("Integrated is not in AuthMechanism");
    if (!gate_uses_gssapi(c))
        return SPAN("EnableAuthGSSAPI is $false, and NTLM, which Integrated stands for as well, is never offered");
    return e->keytab.text;
}

struct span explain_why_no_auth(struct explanation *e, bool tls)
{
    const struct receive_connector *c = e->connector;
    bool any = !e->session->mechanism.len && !(c->auth & AUTH_BASIC) && (c->auth & AUTH_INTEGRATED);
    if (explain_by_gssapi(e) || any)
        return explain_why_no_gssapi(e);
    if (!(c->auth & AUTH_BASIC) && gate_uses_gssapi(c))
        return SPAN("BasicAuth is not in AuthMechanism: no passwords are taken");
    if (!(c->auth & AUTH_BASIC))
        return c->auth & AUTH_EXTERNAL_AUTHORITATIVE
                   ? SPAN("AuthMechanism is ExternalAuthoritative: the clients are trusted as they are")
                   : SPAN("BasicAuth is not in AuthMechanism, and no other mechanism there gives an AUTH keyword");
    return tls ? SPAN("no mechanism is available")
               : SPAN("BasicAuthRequireTLS is in AuthMechanism: passwords are taken under TLS only");
}

/* Beside the keywords: a mechanism that the connector is meant to offer, and AUTH does not list. */
static bool lacks_gssapi(const struct explanation *e, const struct explain_offer *o)
{
    if (!(e->connector->auth & AUTH_INTEGRATED))
        return false;
    for (size_t i = 0; i < o->keyword_count; i++)
        if (span_istarts(o->keywords[i], SPAN("AUTH ")))
            return !span_istarts(o->keywords[i], SPAN("AUTH GSSAPI"));
    return false;
}

static struct span why_missing(struct explanation *e, const char *keyword, bool tls)
{
    static const struct {
        const char *keyword, *property;
        unsigned flag;
    } switches[] = {
        {"PIPELINING", "PipeliningEnabled", CONNECTOR_PIPELINING},
        {"DSN", "DeliveryStatusNotificationEnabled", CONNECTOR_DSN},
        {"ENHANCEDSTATUSCODES", "EnhancedStatusCodesEnabled", CONNECTOR_ENHANCED_CODES},
        {"8BITMIME", "EightBitMimeEnabled", CONNECTOR_EIGHT_BIT_MIME},
        {"BINARYMIME", "BinaryMimeEnabled", CONNECTOR_BINARY_MIME},
        {"CHUNKING", "ChunkingEnabled", CONNECTOR_CHUNKING},
        {"SMTPUTF8", "SmtpUtf8Enabled", CONNECTOR_SMTP_UTF8},
        {"XORAR", "OrarEnabled", CONNECTOR_ORAR},
        {"XLONGADDR", "LongAddressesEnabled", CONNECTOR_LONG_ADDRESSES},
        {"REQUIRETLS", "RequireTlsExtensionEnabled", CONNECTOR_OFFERS_REQUIRE_TLS},
    };
    if (strcmp(keyword, "STARTTLS") == 0)
        return explain_why_no_starttls(e);
    if (strcmp(keyword, "AUTH") == 0)
        return explain_why_no_auth(e, tls);
    if (strcmp(keyword, "SIZE") == 0)
        return SPAN("SizeEnabled is Disabled");
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (strcmp(keyword, switches[i].keyword) == 0 && !(e->connector->flags & switches[i].flag))
            return explain_text(e, "%s is $false", switches[i].property);
    return SPAN("ChunkingEnabled is $false, which BINARYMIME needs");
}

static bool describe(struct explanation *e, struct span reply, bool tls, struct explain_offer *ret)
{
    static const char *const all[] = {
        "SIZE",     "PIPELINING", "DSN",   "ENHANCEDSTATUSCODES", "STARTTLS",  "AUTH", "8BITMIME", "BINARYMIME",
        "CHUNKING", "SMTPUTF8",   "XORAR", "XLONGADDR",           "REQUIRETLS"};
    struct explain_missing *missing = EXPLAIN_ARRAY(e, ARRAY_LEN(all) + 1, struct explain_missing);
    *ret = (struct explain_offer){.reachable = reply.len, .missing = missing};
    if (!missing || !read_keywords(e, reply, ret))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(all) && ret->reachable; i++) {
        bool expected = strcmp(all[i], tls ? "STARTTLS" : "REQUIRETLS") != 0; /* not under TLS, nor before it */
        if (expected && !offers(ret, span_of(all[i])))
            missing[ret->missing_count++] = (struct explain_missing){all[i], why_missing(e, all[i], tls)};
    }
    if (ret->reachable && lacks_gssapi(e, ret))
        missing[ret->missing_count++] = (struct explain_missing){"AUTH GSSAPI", explain_why_no_gssapi(e)};
    return true;
}

bool explain_offers(struct explanation *e, struct span clear, struct span tls)
{
    return describe(e, clear, false, &e->before_tls) && describe(e, tls, true, &e->after_tls);
}
