/*
 * principal.c: the well-known principals and every name they go by. Windows translates the names of its own
 * accounts, so copied commands carry them in the author's language: the translations lead to the same principal as
 * the SID does.
 */
#include "policy/principal.h"

#define EXCHANGE_SID "S-1-9-1419165041-1139599005-3936102811-1022490595-"

/* What may stand before the backslash of a principal's name; it may always be left out. */
enum authority {
    AUTHORITY_NONE,
    AUTHORITY_NT,
    AUTHORITY_EXCHANGE,
    AUTHORITY_DOMAIN, /* any */
};

static const struct {
    struct span name, sid;
    enum authority authority;
    struct span accounts[4]; /* the name without its authority, and other names */
} known[] = {
    [PRINCIPAL_ANONYMOUS] = {SPAN_INIT("NT AUTHORITY\\ANONYMOUS LOGON"),
                             SPAN_INIT("S-1-5-7"),
                             AUTHORITY_NT,
                             {SPAN_INIT("ANONYMOUS LOGON"), SPAN_INIT("ANONYMOUS-ANMELDUNG"),
                              SPAN_INIT("Anonymous")}},
    [PRINCIPAL_AUTHENTICATED_USERS] = {SPAN_INIT("NT AUTHORITY\\Authenticated Users"),
                                       SPAN_INIT("S-1-5-11"),
                                       AUTHORITY_NT,
                                       {SPAN_INIT("Authenticated Users"), SPAN_INIT("Authentifizierte Benutzer"),
                                        SPAN_INIT("Utilisateurs authentifi\xc3\xa9s")}},
    [PRINCIPAL_EVERYONE] = {SPAN_INIT("Everyone"),
                            SPAN_INIT("S-1-1-0"),
                            AUTHORITY_NONE,
                            {SPAN_INIT("Everyone"), SPAN_INIT("Jeder"), SPAN_INIT("Tout le monde")}},
    [PRINCIPAL_EXCHANGE_SERVERS] = {SPAN_INIT("Exchange Servers"),
                                    SPAN_INIT(""),
                                    AUTHORITY_DOMAIN,
                                    {SPAN_INIT("Exchange Servers")}},
    [PRINCIPAL_LEGACY_INTEROP] = {SPAN_INIT("ExchangeLegacyInterop"),
                                  SPAN_INIT(""),
                                  AUTHORITY_DOMAIN,
                                  {SPAN_INIT("ExchangeLegacyInterop")}},
    [PRINCIPAL_PARTNER_SERVERS] = {SPAN_INIT("MS Exchange\\Partner Servers"),
                                   SPAN_INIT(EXCHANGE_SID "10"),
                                   AUTHORITY_EXCHANGE,
                                   {SPAN_INIT("Partner Servers")}},
    [PRINCIPAL_HUB_SERVERS] = {SPAN_INIT("MS Exchange\\Hub Transport Servers"),
                               SPAN_INIT(EXCHANGE_SID "21"),
                               AUTHORITY_EXCHANGE,
                               {SPAN_INIT("Hub Transport Servers")}},
    [PRINCIPAL_EDGE_SERVERS] = {SPAN_INIT("MS Exchange\\Edge Transport Servers"),
                                SPAN_INIT(EXCHANGE_SID "22"),
                                AUTHORITY_EXCHANGE,
                                {SPAN_INIT("Edge Transport Servers")}},
    [PRINCIPAL_EXTERNALLY_SECURED] = {SPAN_INIT("MS Exchange\\Externally Secured Servers"),
                                      SPAN_INIT(EXCHANGE_SID "23"),
                                      AUTHORITY_EXCHANGE,
                                      {SPAN_INIT("Externally Secured Servers")}},
    [PRINCIPAL_LEGACY_SERVERS] = {SPAN_INIT("MS Exchange\\Legacy Exchange Servers"),
                                  SPAN_INIT(EXCHANGE_SID "24"),
                                  AUTHORITY_EXCHANGE,
                                  {SPAN_INIT("Legacy Exchange Servers")}},
};
_Static_assert(ARRAY_LEN(known) == PRINCIPAL_WELL_KNOWN, "every well-known principal has its row");

static const struct span nt_authorities[] = {
    SPAN_INIT("NT AUTHORITY"),
    SPAN_INIT("NT-AUTORIT\xc3\x84T"),
    SPAN_INIT("AUTORITE NT"),
};

struct span principal_name(enum principal p)
{
    ASSERT((unsigned)p < PRINCIPAL_WELL_KNOWN);
    return known[p].name;
}

struct span principal_sid(enum principal p)
{
    ASSERT((unsigned)p < PRINCIPAL_WELL_KNOWN);
    return known[p].sid;
}

/* One byte of UTF-8 folded: ASCII, and the Latin-1 letters U+00C0..U+00DE behind their lead byte C3. */
static unsigned fold(struct span s, size_t i)
{
    unsigned char c = (unsigned char)s.ptr[i];
    bool upper = i > 0 && (unsigned char)s.ptr[i - 1] == 0xc3 && c >= 0x80 && c <= 0x9e && c != 0x97;
    return upper ? c | 0x20u : (unsigned char)ascii_lower(s.ptr[i]);
}

static bool same_name(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold(a, i) != fold(b, i))
            return false;
    return true;
}

static bool authority_fits(enum authority wanted, struct span given)
{
    switch (wanted) {
    case AUTHORITY_NONE: return false;
    case AUTHORITY_EXCHANGE: return same_name(given, SPAN("MS Exchange"));
    case AUTHORITY_DOMAIN: return given.len != 0;
    case AUTHORITY_NT: break;
    }
    for (size_t i = 0; i < ARRAY_LEN(nt_authorities); i++)
        if (same_name(given, nt_authorities[i]))
            return true;
    return false;
}

enum principal principal_from_name(struct span name)
{
    size_t slash = span_find(name, '\\');
    bool bare = slash == SIZE_MAX;
    struct span authority = span_head(name, bare ? 0 : slash), account = bare ? name : span_from(name, slash + 1);
    for (unsigned p = 0; account.len && p < PRINCIPAL_WELL_KNOWN; p++) {
        if (bare && span_ieq(name, known[p].sid))
            return (enum principal)p;
        if (!bare && !authority_fits(known[p].authority, authority))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(known[p].accounts); i++)
            if (same_name(account, known[p].accounts[i]))
                return (enum principal)p;
    }
    return PRINCIPAL_KINDS;
}

enum principal principal_parse(struct span text, struct span *ret_guid)
{
    bool user = span_istarts(text, SPAN("user:")), group = span_istarts(text, SPAN("group:"));
    struct span guid = user ? span_from(text, 5) : group ? span_from(text, 6) : SPAN("");
    enum principal p = user ? PRINCIPAL_USER : group ? PRINCIPAL_GROUP : principal_from_name(text);
    if (p == PRINCIPAL_KINDS || (p >= PRINCIPAL_WELL_KNOWN && guid.len == 0))
        return PRINCIPAL_KINDS;
    *ret_guid = guid;
    return p;
}

void principal_print(struct buf *out, enum principal p, struct span guid)
{
    ASSERT((unsigned)p < PRINCIPAL_KINDS);
    if (p < PRINCIPAL_WELL_KNOWN) {
        buf_add(out, known[p].name);
        return;
    }
    buf_add(out, p == PRINCIPAL_USER ? SPAN("user:") : SPAN("group:"));
    buf_add(out, guid);
}
