/* test_names.c: rights, principals, tokens, permission groups and usage types: the tables against the
 * specification. */
#include "check.h"
#include "policy/group.h"
#include "policy/token.h"

static void test_rights(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum right right;
        const char *canonical, *token;
    } rows[] = {
        {"ms-Exch-SMTP-Submit", RIGHT_SUBMIT, "ms-Exch-SMTP-Submit", "SMTPSubmit"},
        {"MS-EXCH-smtp-submit", RIGHT_SUBMIT, "ms-Exch-SMTP-Submit", "SMTPSubmit"},
        {"Ms-Exch-SMTP-Accept-Any-Recipient", RIGHT_ACCEPT_ANY_RECIPIENT, "ms-Exch-SMTP-Accept-Any-Recipient",
         "SMTPAcceptAnyRecipient"},
        {"ms-Exch-Accept-Exch50", RIGHT_ACCEPT_EXCH50, "ms-Exch-SMTP-Accept-Exch50", "SMTPAcceptEXCH50"},
        {"ms-Exch-SMTP-Accept-Headers-Routing", RIGHT_ACCEPT_HEADERS_ROUTING, "ms-Exch-Accept-Headers-Routing",
         "AcceptRoutingHeaders"},
        {"ms-Exch-Bypass-Anti-Spam", RIGHT_BYPASS_ANTI_SPAM, "ms-Exch-Bypass-Anti-Spam", "BypassAntiSpam"},
        {"ms-Exch-Send-Headers-Forest", RIGHT_SEND_HEADERS_FOREST, "ms-Exch-Send-Headers-Forest",
         "SendForestHeaders"},
        {"", RIGHT_COUNT, NULL, NULL},
        {"ms-Exch-SMTP-Submi", RIGHT_COUNT, NULL, NULL},
        {"ms-Exch-SMTP-Submit ", RIGHT_COUNT, NULL, NULL},
        {"GenericAll", RIGHT_COUNT, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum right r = right_from_name(span_of(rows[i].name));
        CHECK_INT(rows[i].name, r, rows[i].right);
        if (r < RIGHT_COUNT) {
            CHECK_SPAN(rows[i].name, right_info(r)->name, span_of(rows[i].canonical));
            CHECK_SPAN(rows[i].name, right_info(r)->token, span_of(rows[i].token));
        }
    }
}

static void test_rights_are_complete(void **state UNUSED)
{
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        const struct right_info *info = right_info((enum right)r);
        CHECK_INT(info->name.ptr, right_from_name(info->name), r);
        CHECK(info->name.ptr, info->display.len && info->token.len);
        CHECK_INT(info->name.ptr, info->send_side, r >= RIGHT_SEND_HEADERS_ROUTING);
        if (info->alias.len)
            CHECK_INT(info->name.ptr, right_from_name(info->alias), r);
    }
}

static void test_principals(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum principal want;
    } rows[] = {
        {"NT AUTHORITY\\ANONYMOUS LOGON", PRINCIPAL_ANONYMOUS},
        {"nt authority\\anonymous logon", PRINCIPAL_ANONYMOUS},
        {"ANONYMOUS LOGON", PRINCIPAL_ANONYMOUS},
        {"S-1-5-7", PRINCIPAL_ANONYMOUS},
        {"s-1-5-7", PRINCIPAL_ANONYMOUS},
        {"NT-AUTORIT\xc3\x84T\\ANONYMOUS-ANMELDUNG", PRINCIPAL_ANONYMOUS},
        {"nt-autorit\xc3\xa4t\\anonymous-anmeldung", PRINCIPAL_ANONYMOUS},
        {"NT-AUTORIT\xc3\x96T\\ANONYMOUS-ANMELDUNG", PRINCIPAL_KINDS},
        {"CONTOSO\\ANONYMOUS LOGON", PRINCIPAL_KINDS},
        {"NT AUTHORITY\\Authenticated Users", PRINCIPAL_AUTHENTICATED_USERS},
        {"NT-AUTORIT\xc3\x84T\\Authentifizierte Benutzer", PRINCIPAL_AUTHENTICATED_USERS},
        {"Authenticated Users", PRINCIPAL_AUTHENTICATED_USERS},
        {"S-1-5-11", PRINCIPAL_AUTHENTICATED_USERS},
        {"Everyone", PRINCIPAL_EVERYONE},
        {"jeder", PRINCIPAL_EVERYONE},
        {"S-1-1-0", PRINCIPAL_EVERYONE},
        {"CONTOSO\\Everyone", PRINCIPAL_KINDS},
        {"MS Exchange\\Partner Servers", PRINCIPAL_PARTNER_SERVERS},
        {"S-1-9-1419165041-1139599005-3936102811-1022490595-10", PRINCIPAL_PARTNER_SERVERS},
        {"S-1-9-1419165041-1139599005-3936102811-1022490595-21", PRINCIPAL_HUB_SERVERS},
        {"S-1-9-1419165041-1139599005-3936102811-1022490595-22", PRINCIPAL_EDGE_SERVERS},
        {"S-1-9-1419165041-1139599005-3936102811-1022490595-23", PRINCIPAL_EXTERNALLY_SECURED},
        {"S-1-9-1419165041-1139599005-3936102811-1022490595-24", PRINCIPAL_LEGACY_SERVERS},
        {"S-1-9-1419165041-1139599005-3936102811-1022490595-25", PRINCIPAL_KINDS},
        {"Exchange Servers", PRINCIPAL_EXCHANGE_SERVERS},
        {"CONTOSO\\Exchange Servers", PRINCIPAL_EXCHANGE_SERVERS},
        {"contoso\\exchangelegacyinterop", PRINCIPAL_LEGACY_INTEROP},
        {"\\Exchange Servers", PRINCIPAL_KINDS},
        {"CONTOSO\\", PRINCIPAL_KINDS},
        {"", PRINCIPAL_KINDS},
        {"alice", PRINCIPAL_KINDS},
        {"user:", PRINCIPAL_KINDS},
        {"group:", PRINCIPAL_KINDS},
        {"user:3f2504e0-4f89-11d3-9a0c-0305e82c3301", PRINCIPAL_USER},
        {"Group:3f2504e0-4f89-11d3-9a0c-0305e82c3301", PRINCIPAL_GROUP},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span guid = SPAN("untouched");
        enum principal p = principal_parse(span_of(rows[i].name), &guid);
        CHECK_INT(rows[i].name, p, rows[i].want);
        if (p == PRINCIPAL_KINDS)
            CHECK_SPAN(rows[i].name, guid, SPAN("untouched"));
        else
            CHECK_SPAN(rows[i].name, guid,
                       p < PRINCIPAL_WELL_KNOWN ? SPAN("") : SPAN("3f2504e0-4f89-11d3-9a0c-0305e82c3301"));
    }
}

static void test_principals_print_and_parse(void **state UNUSED)
{
    for (unsigned i = 0; i < PRINCIPAL_KINDS; i++) {
        struct span given = i < PRINCIPAL_WELL_KNOWN ? SPAN("") : SPAN("g-1"), guid;
        struct buf text;
        buf_init(&text, 128);
        principal_print(&text, (enum principal)i, given);
        CHECK_INT("print and parse", principal_parse(buf_span(&text), &guid), i);
        CHECK_SPAN("print and parse", guid, given);
        if (i < PRINCIPAL_WELL_KNOWN && principal_sid((enum principal)i).len)
            CHECK_INT("SID", principal_from_name(principal_sid((enum principal)i)), i);
        buf_done(&text);
    }
}

static void test_group_contents(void **state UNUSED)
{
    static const struct {
        const char *name;
        bool edge;
        size_t entries; /* as the specification counts them: one per principal and right */
    } rows[] = {
        {"AnonymousUsers", false, 4},
        {"AnonymousUsers", true, 4},
        {"ExchangeUsers", false, 4},
        {"ExchangeUsers", true, 0},
        {"ExchangeServers", false, 3 * 11 + 9},
        {"ExchangeServers", true, 2 * 11 + 9},
        {"ExchangeLegacyServers", false, 9 + 2},
        {"ExchangeLegacyServers", true, 0},
        {"Partners", false, 2},
        {"partners", true, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct acl_entry entries[GROUP_ACL_MAX];
        enum permission_group g = group_from_name(span_of(rows[i].name));
        CHECK(rows[i].name, g < GROUP_COUNT);
        CHECK_INT(rows[i].name, group_acl(g, rows[i].edge, entries), rows[i].entries);
    }
    CHECK_INT("Custom", group_from_name(SPAN("Custom")), GROUP_COUNT);
    CHECK_INT("None", group_from_name(SPAN("None")), GROUP_COUNT);
}

/* The value of PermissionGroups as one text. */
static void print_groups(const struct acl_entry *acl, size_t n, bool edge, char out[static 128])
{
    struct span names[GROUP_COUNT + 1];
    bool custom = false;
    unsigned found = group_detect(acl, n, edge, &custom);
    size_t count = group_names(found, custom, names), at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(out + at, 128 - at, "%s%.*s", i ? "," : "", SPAN_ARG(names[i]));
}

static void test_group_detection(void **state UNUSED)
{
    static const struct {
        const char *name;
        unsigned groups;        /* written as they are */
        struct acl_entry extra; /* added where drop is not set ... */
        bool add;
        bool drop; /* ... or the last entry is left out */
        bool edge;
        const char *want;
    } rows[] = {
        {"empty", 0, {0}, false, false, false, "None"},
        {"one", GROUP_BIT(GROUP_ANONYMOUS_USERS), {0}, false, false, false, "AnonymousUsers"},
        {"all",
         (1u << GROUP_COUNT) - 1,
         {0},
         false,
         false,
         false,
         "AnonymousUsers,ExchangeUsers,ExchangeServers,ExchangeLegacyServers,Partners"},
        {"the seed's grant",
         GROUP_BIT(GROUP_ANONYMOUS_USERS),
         {PRINCIPAL_ANONYMOUS, RIGHT_ACCEPT_ANY_RECIPIENT, false},
         true,
         false,
         false,
         "AnonymousUsers,Custom"},
        {"a deny beside a group",
         GROUP_BIT(GROUP_ANONYMOUS_USERS),
         {PRINCIPAL_ANONYMOUS, RIGHT_SUBMIT, true},
         true,
         false,
         false,
         "AnonymousUsers,Custom"},
        {"a repeated entry",
         GROUP_BIT(GROUP_PARTNERS),
         {PRINCIPAL_PARTNER_SERVERS, RIGHT_SUBMIT, false},
         true,
         false,
         false,
         "Partners"},
        {"a user's entry", 0, {PRINCIPAL_USER, RIGHT_SUBMIT, false}, true, false, false, "Custom"},
        {"an incomplete group", GROUP_BIT(GROUP_ANONYMOUS_USERS), {0}, false, true, false, "Custom"},
        {"legacy without one Deny", GROUP_BIT(GROUP_EXCHANGE_LEGACY_SERVERS), {0}, false, true, false, "Custom"},
        {"one complete, one not",
         GROUP_BIT(GROUP_ANONYMOUS_USERS) | GROUP_BIT(GROUP_PARTNERS),
         {0},
         false,
         true,
         false,
         "AnonymousUsers,Custom"},
        {"edge",
         GROUP_BIT(GROUP_ANONYMOUS_USERS) | GROUP_BIT(GROUP_EXCHANGE_SERVERS) | GROUP_BIT(GROUP_PARTNERS),
         {0},
         false,
         false,
         true,
         "AnonymousUsers,ExchangeServers,Partners"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct acl_entry acl[GROUP_COUNT * GROUP_ACL_MAX + 1];
        size_t n = 0;
        char got[128];
        for (unsigned g = 0; g < GROUP_COUNT; g++)
            if (rows[i].groups & GROUP_BIT(g))
                n += group_acl((enum permission_group)g, rows[i].edge, acl + n);
        if (rows[i].add)
            acl[n++] = rows[i].extra;
        if (rows[i].drop)
            n--;
        print_groups(acl, n, rows[i].edge, got);
        CHECK_STR(rows[i].name, got, rows[i].want);
    }
}

/* Every combination of groups is found again, on both roles, and leaves nothing over. */
static void test_group_round_trip(void **state UNUSED)
{
    for (unsigned set = 0; set < 1u << GROUP_COUNT; set++)
        for (int edge = 0; edge < 2; edge++) {
            struct acl_entry acl[GROUP_COUNT * GROUP_ACL_MAX];
            size_t n = 0;
            unsigned want = 0;
            bool custom = true;
            for (unsigned g = 0; g < GROUP_COUNT; g++)
                if ((set & GROUP_BIT(g)) && (!edge || group_info((enum permission_group)g)->on_edge)) {
                    n += group_acl((enum permission_group)g, edge, acl + n);
                    want |= GROUP_BIT(g);
                }
            CHECK_INT("round trip", group_detect(acl, n, edge, &custom), want);
            CHECK("round trip", !custom);
        }
}

static void test_usages(void **state UNUSED)
{
    static const struct {
        const char *name;
        bool on_edge;
        unsigned hub, edge;
        const char *mechanisms;
        unsigned port;
        bool ranges_fixed;
    } rows[] = {
        {"Client", false, GROUP_BIT(GROUP_EXCHANGE_USERS), 0, "Tls,Integrated,BasicAuth,BasicAuthRequireTLS", 587,
         false},
        {"custom", true, 0, 0, "Tls", 0, false},
        {"Internal", true, GROUP_BIT(GROUP_EXCHANGE_SERVERS) | GROUP_BIT(GROUP_EXCHANGE_LEGACY_SERVERS),
         GROUP_BIT(GROUP_EXCHANGE_SERVERS), "Tls,ExchangeServer", 25, false},
        {"Internet", true, GROUP_BIT(GROUP_ANONYMOUS_USERS), GROUP_BIT(GROUP_ANONYMOUS_USERS), "Tls", 0, true},
        {"PARTNER", true, GROUP_BIT(GROUP_PARTNERS), GROUP_BIT(GROUP_PARTNERS), "Tls", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum usage u = usage_from_name(span_of(rows[i].name));
        CHECK(rows[i].name, u < USAGE_COUNT);
        const struct usage_info *info = usage_info(u);
        CHECK_INT(rows[i].name, info->on_edge, rows[i].on_edge);
        CHECK_INT(rows[i].name, info->groups_hub, rows[i].hub);
        CHECK_INT(rows[i].name, info->groups_edge, rows[i].edge);
        CHECK_SPAN(rows[i].name, info->mechanisms, span_of(rows[i].mechanisms));
        CHECK_INT(rows[i].name, info->port, rows[i].port);
        CHECK_INT(rows[i].name, info->ranges_fixed, rows[i].ranges_fixed);
    }
    CHECK_INT("Other", usage_from_name(SPAN("Other")), USAGE_COUNT);
}

static const struct span team[] = {SPAN_INIT("team")};

static void test_tokens(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct session_facts facts;
        unsigned want; /* beside Everyone */
        bool anonymous, user;
    } rows[] = {
        {"nothing", {0}, PRINCIPAL_BIT(PRINCIPAL_ANONYMOUS), true, false},
        {"groups without a user count for nothing",
         {.groups = team, .group_count = 2},
         PRINCIPAL_BIT(PRINCIPAL_ANONYMOUS),
         true,
         false},
        {"a user", {.user = SPAN_INIT("u")}, PRINCIPAL_BIT(PRINCIPAL_AUTHENTICATED_USERS), false, true},
        {"externally secured",
         {.external_authoritative = true},
         PRINCIPAL_BIT(PRINCIPAL_EXTERNALLY_SECURED),
         false,
         false},
        {"a partner",
         {.servers = PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS)},
         PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS),
         false,
         false},
        {"a partner's user",
         {.user = SPAN_INIT("u"), .servers = PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS)},
         PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS) | PRINCIPAL_BIT(PRINCIPAL_AUTHENTICATED_USERS),
         false,
         true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct token t = token_build(&rows[i].facts);
        CHECK_INT(rows[i].name, t.well_known, rows[i].want | PRINCIPAL_BIT(PRINCIPAL_EVERYONE));
        CHECK_INT(rows[i].name, token_is_anonymous(&t), rows[i].anonymous);
        CHECK_INT(rows[i].name, token_is_user(&t), rows[i].user);
        CHECK_INT(rows[i].name, token_has(&t, PRINCIPAL_GROUP, SPAN("team")), false);
        CHECK_INT(rows[i].name, token_has(&t, PRINCIPAL_USER, SPAN("")), false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights),           cmocka_unit_test(test_rights_are_complete),
        cmocka_unit_test(test_principals),       cmocka_unit_test(test_principals_print_and_parse),
        cmocka_unit_test(test_group_contents),   cmocka_unit_test(test_group_detection),
        cmocka_unit_test(test_group_round_trip), cmocka_unit_test(test_usages),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
