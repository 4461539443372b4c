/* test_decide.c: the specification's cases as rows, then properties over generated ACLs. */
#include "check.h"
#include "policy/decide.h"
#include "policy/test_support.h"

#include <string.h>

#define ANON "NT AUTHORITY\\ANONYMOUS LOGON"

static const struct conditions plain; /* no entry here is narrowed */

/* Connectors by what stands in their ACL. */
static void add_policy(struct test_policy *t)
{
    static const char *const names[] = {"internet", "client",   "default", "hardened", "localonly", "relay",
                                        "denied",   "external", "partner", "nothing",  "personal"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        test_addf(t, "ReceiveConnector: Guid=%s|Name=%s|Bindings=[0.0.0.0:%zu]|RemoteIPRanges=[0.0.0.0/0]",
                  names[i], names[i], 25 + i);
    test_add_group(t, "internet", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "client", GROUP_EXCHANGE_USERS);
    test_add_group(t, "default", GROUP_EXCHANGE_USERS);
    test_add_group(t, "default", GROUP_EXCHANGE_SERVERS);
    test_add_group(t, "default", GROUP_EXCHANGE_LEGACY_SERVERS);
    test_add_group(t, "relay", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "denied", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "external", GROUP_EXCHANGE_SERVERS);
    test_add_group(t, "partner", GROUP_PARTNERS);
    test_add(t,
             "ADPermission: Connector=hardened|User=" ANON "|ExtendedRight=ms-Exch-SMTP-Submit\n"
             "ADPermission: Connector=hardened|User=" ANON "|ExtendedRight=ms-Exch-SMTP-Accept-Any-Sender\n"
             "ADPermission: Connector=localonly|User=" ANON "|ExtendedRight=ms-Exch-SMTP-Submit\n"
             "ADPermission: Connector=localonly|User=" ANON
             "|ExtendedRight=ms-Exch-SMTP-Accept-Authoritative-Domain-Sender\n"
             "ADPermission: Connector=relay|User=S-1-5-7|ExtendedRight=Ms-Exch-SMTP-Accept-Any-Recipient\n"
             "ADPermission: Connector=denied|User=Everyone|ExtendedRight=ms-Exch-SMTP-Submit|Deny=$true\n"
             "ADPermission: Connector=personal|User=user:alice|UserName=Alice|ExtendedRight=ms-Exch-SMTP-Submit\n"
             "ADPermission: Connector=personal|User=user:alice|UserName=Alice"
             "|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient\n"
             "ADPermission: Connector=personal|User=group:team|UserName=Team|ExtendedRight=ms-Exch-SMTP-Submit\n"
             "ADPermission: Connector=personal|User=group:team|UserName=Team"
             "|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient|Deny=$true\n"
             "ADPermission: Connector=no-such-connector|User=Everyone|ExtendedRight=ms-Exch-SMTP-Submit\n"
             "AcceptedDomain: Name=own|DomainName=Example.com|DomainType=Authoritative|Default=$true\n"
             "AcceptedDomain: Name=sub|DomainName=*.example.com|DomainType=Authoritative\n"
             "AcceptedDomain: Name=deep|DomainName=*.lab.example.com|DomainType=InternalRelay\n"
             "AcceptedDomain: Name=shared|DomainName=shared.example.net|DomainType=InternalRelay\n"
             "AcceptedDomain: Name=customer|DomainName=customer.test|DomainType=ExternalRelay\n"
             "ReceiveConnector: Guid=mutual|Name=mutual|Bindings=[0.0.0.0:99]|RemoteIPRanges=[0.0.0.0/0]|"
             "AuthMechanism=[Tls]|DomainSecureEnabled=$true\n"
             "TransportConfig: TLSReceiveDomainSecureList=[Secure.test,other.test]");
    test_add_group(t, "mutual", GROUP_PARTNERS);
    test_add_group(t, "mutual", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "mutual", GROUP_EXCHANGE_SERVERS);
    test_open(t);
}

enum who {
    NOBODY,
    ALICE,
    BOB,
    CAROL,
    PARTNER,
    HUB,
    LEGACY,
    SECURED,
    ENCRYPTED, /* TLS without a certificate */
    DOUBTFUL,  /* with one that is not valid */
    PROVEN,    /* with a valid one for secure.test */
    WHO_COUNT
};

static const struct span team[] = {SPAN_INIT("other"), SPAN_INIT("TEAM")};

static const struct span proven[] = {SPAN_INIT("secure.test")};

static struct token token_of(enum who w)
{
    static const struct session_facts facts[WHO_COUNT] = {
        [ALICE] = {.user = SPAN_INIT("ALICE")},
        [BOB] = {.user = SPAN_INIT("bob")},
        [CAROL] = {.user = SPAN_INIT("alice"), .groups = team, .group_count = 2},
        [PARTNER] = {.servers = PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS)},
        [HUB] = {.servers = PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS)},
        [LEGACY] = {.servers = PRINCIPAL_BIT(PRINCIPAL_LEGACY_INTEROP)},
        [SECURED] = {.external_authoritative = true},
        [ENCRYPTED] = {.peer = PEER_NO_CERTIFICATE},
        [DOUBTFUL] = {.peer = PEER_NOT_TRUSTED},
        [PROVEN] = {.peer = PEER_TRUSTED,
                    .servers = PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS),
                    .partners = proven,
                    .partner_count = 1},
    };
    return token_build(&facts[w]);
}

static const struct span own[] = {SPAN_INIT("Alice@example.com"), SPAN_INIT("a.smith@shared.example.net")};
static const struct span boss[] = {SPAN_INIT("boss@example.com")};
static const struct owned_addresses alices = {.addresses = own, .count = 2, .send_as = boss, .send_as_count = 1};

#define UNRELAYED   "550 5.7.1 Unable to relay"
#define UNKNOWN     "530 5.7.1 Client was not authenticated"
#define NO_SUBMIT   "550 5.7.1 Client does not have permissions to submit to this server"
#define NOT_AS      "550 5.7.1 Client does not have permissions to send as this sender"
#define ANON_NOT_AS "550 5.7.1 Anonymous client does not have permissions to send as this sender"
#define MUTUAL      "550 5.7.1 Mail from this domain must come by mutual TLS, and "
#define LATER       "451 4.3.0 Permissions of this sender cannot be checked now, try again later"

static const struct {
    const char *name, *connector;
    enum who who;
    enum question question;
    const char *address;
    enum right right;
    const char *reply; /* NULL: allowed */
    bool directory_down;
} rows[] = {
    /* Submit */
    {"anonymous, Internet", "internet", NOBODY, QUESTION_MAIL, "x@far.test", 0, NULL, 0},
    {"anonymous, no group", "client", NOBODY, QUESTION_MAIL, "x@far.test", 0, UNKNOWN, 0},
    {"anonymous, null sender, no group", "client", NOBODY, QUESTION_MAIL, "", 0, UNKNOWN, 0},
    {"nobody may do anything", "nothing", SECURED, QUESTION_MAIL, "", 0, NO_SUBMIT, 0},
    {"AUTH where users may submit", "client", ALICE, QUESTION_AUTH, "", 0, NULL, 0},
    {"AUTH where they may not", "internet", ALICE, QUESTION_AUTH, "", 0, NO_SUBMIT, 0},
    {"anonymous grants end with AUTH", "internet", ALICE, QUESTION_MAIL, "alice@example.com", 0, NO_SUBMIT, 0},
    {"Everyone denied beats a group", "denied", NOBODY, QUESTION_MAIL, "x@far.test", 0, UNKNOWN, 0},
    {"a grant to one user", "personal", ALICE, QUESTION_AUTH, "", 0, NULL, 0},
    {"... is nobody else's", "personal", BOB, QUESTION_AUTH, "", 0, NO_SUBMIT, 0},
    {"another connector's entry", "nothing", NOBODY, QUESTION_MAIL, "", 0, UNKNOWN, 0},
    /* the sender rule */
    {"anonymous as our own user (the default)", "internet", NOBODY, QUESTION_MAIL, "alice@example.com", 0, NULL, 0},
    {"anonymous as our own user, hardened", "hardened", NOBODY, QUESTION_MAIL, "alice@EXAMPLE.com", 0, ANON_NOT_AS,
     0},
    {"... in a subdomain", "hardened", NOBODY, QUESTION_MAIL, "a@mail.example.com", 0, ANON_NOT_AS, 0},
    {"... foreign senders still pass", "hardened", NOBODY, QUESTION_MAIL, "x@far.test", 0, NULL, 0},
    {"... relay domains are foreign", "hardened", NOBODY, QUESTION_MAIL, "x@shared.example.net", 0, NULL, 0},
    {"... a longer wildcard decides", "hardened", NOBODY, QUESTION_MAIL, "x@pc.lab.example.com", 0, NULL, 0},
    {"... the null sender passes", "hardened", NOBODY, QUESTION_MAIL, "", 0, NULL, 0},
    {"only local senders", "localonly", NOBODY, QUESTION_MAIL, "x@far.test", 0, ANON_NOT_AS, 0},
    {"only local senders: a local one", "localonly", NOBODY, QUESTION_MAIL, "alice@example.com", 0, NULL, 0},
    {"a sender without domain is not local", "localonly", NOBODY, QUESTION_MAIL, "alice", 0, ANON_NOT_AS, 0},
    {"a user as itself", "client", ALICE, QUESTION_MAIL, "aLiCe@example.com", 0, NULL, 0},
    {"a user by another address of its own", "client", ALICE, QUESTION_MAIL, "a.smith@shared.example.net", 0, NULL,
     0},
    {"a user as somebody else", "client", ALICE, QUESTION_MAIL, "bob@example.com", 0, NOT_AS, 0},
    {"a user from elsewhere", "client", ALICE, QUESTION_MAIL, "alice@far.test", 0, NOT_AS, 0},
    {"a user with Send-As", "client", ALICE, QUESTION_MAIL, "boss@example.com", 0, NULL, 0},
    {"a user, directory away", "client", ALICE, QUESTION_MAIL, "bob@example.com", 0, LATER, true},
    {"a user as itself, directory away", "client", ALICE, QUESTION_MAIL, "alice@example.com", 0, NULL, true},
    {"no user, directory away", "hardened", NOBODY, QUESTION_MAIL, "alice@example.com", 0, ANON_NOT_AS, true},
    {"header: a user as itself", "client", ALICE, QUESTION_HEADER_SENDER, "alice@example.com", 0, NULL, 0},
    {"header: a user as somebody else", "client", ALICE, QUESTION_HEADER_SENDER, "bob@example.com", 0, NOT_AS, 0},
    {"header: anonymous, hardened", "hardened", NOBODY, QUESTION_HEADER_SENDER, "alice@example.com", 0, ANON_NOT_AS,
     0},
    {"an owner needs to be a user", "partner", PARTNER, QUESTION_MAIL, "alice@example.com", 0, NOT_AS, 0},
    {"a hub as anybody", "default", HUB, QUESTION_MAIL, "alice@example.com", 0, NULL, 0},
    {"externally secured as anybody", "external", SECURED, QUESTION_MAIL, "alice@example.com", 0, NULL, 0},
    /* relaying */
    {"to our own domain", "internet", NOBODY, QUESTION_RCPT, "bob@example.COM", 0, NULL, 0},
    {"to a subdomain", "internet", NOBODY, QUESTION_RCPT, "bob@a.b.example.com", 0, NULL, 0},
    {"to a relay domain", "internet", NOBODY, QUESTION_RCPT, "bob@shared.example.net", 0, NULL, 0},
    {"to a customer's domain", "internet", NOBODY, QUESTION_RCPT, "bob@customer.test", 0, NULL, 0},
    {"to the world", "internet", NOBODY, QUESTION_RCPT, "bob@far.test", 0, UNRELAYED, 0},
    {"to a subdomain of an exact domain", "internet", NOBODY, QUESTION_RCPT, "bob@a.customer.test", 0, UNRELAYED,
     0},
    {"to a name that only ends alike", "internet", NOBODY, QUESTION_RCPT, "bob@badexample.com", 0, UNRELAYED, 0},
    {"percent hack", "internet", NOBODY, QUESTION_RCPT, "bob%example.com@far.test", 0, UNRELAYED, 0},
    {"quoted @", "internet", NOBODY, QUESTION_RCPT, "\"bob@example.com\"@far.test", 0, UNRELAYED, 0},
    {"empty domain", "internet", NOBODY, QUESTION_RCPT, "bob@", 0, UNRELAYED, 0},
    {"dot before the domain", "internet", NOBODY, QUESTION_RCPT, "bob@.customer.test", 0, UNRELAYED, 0},
    {"the seed's grant", "relay", NOBODY, QUESTION_RCPT, "bob@far.test", 0, NULL, 0},
    {"a user to the world", "client", ALICE, QUESTION_RCPT, "bob@far.test", 0, NULL, 0},
    {"one user to the world", "personal", ALICE, QUESTION_RCPT, "bob@far.test", 0, NULL, 0},
    {"... whose group is denied it", "personal", CAROL, QUESTION_RCPT, "bob@far.test", 0, UNRELAYED, 0},
    {"a partner to the world", "partner", PARTNER, QUESTION_RCPT, "bob@far.test", 0, UNRELAYED, 0},
    /* domain security */
    {"a listed domain in the clear", "mutual", NOBODY, QUESTION_MAIL, "x@SECURE.test", 0,
     MUTUAL "TLS was not started", 0},
    {"... without a certificate", "mutual", ENCRYPTED, QUESTION_MAIL, "x@secure.test", 0,
     MUTUAL "no client certificate was presented", 0},
    {"... with a bad one", "mutual", DOUBTFUL, QUESTION_MAIL, "x@secure.test", 0,
     MUTUAL "the client certificate is not valid here", 0},
    {"... with another's", "mutual", PROVEN, QUESTION_MAIL, "x@other.test", 0,
     MUTUAL "the client certificate does not name it", 0},
    {"... with its own", "mutual", PROVEN, QUESTION_MAIL, "x@secure.TEST", 0, NULL, 0},
    {"... in the header", "mutual", PROVEN, QUESTION_HEADER_SENDER, "x@secure.test", 0, NULL, 0},
    {"... in the header in the clear", "mutual", NOBODY, QUESTION_HEADER_SENDER, "x@SECURE.test", 0,
     MUTUAL "TLS was not started", 0},
    {"... in the header, of another partner", "mutual", PROVEN, QUESTION_HEADER_SENDER, "x@other.test", 0,
     MUTUAL "the client certificate does not name it", 0},
    {"... in the header, by way of a server of ours", "mutual", HUB, QUESTION_HEADER_SENDER, "x@secure.test", 0,
     NULL, 0},
    {"... in the header, where it is not asked for", "internet", NOBODY, QUESTION_HEADER_SENDER, "x@secure.test", 0,
     NULL, 0},
    {"... as somebody else", "mutual", PROVEN, QUESTION_MAIL, "x@far.test", 0, NOT_AS, 0},
    {"... by way of a server of ours", "mutual", HUB, QUESTION_MAIL, "x@secure.test", 0, NULL, 0},
    {"... where it is not asked for", "internet", NOBODY, QUESTION_MAIL, "x@secure.test", 0, NULL, 0},
    {"a domain below a listed one", "mutual", NOBODY, QUESTION_MAIL, "x@a.secure.test", 0, NULL, 0},
    {"a domain that is not listed", "mutual", NOBODY, QUESTION_MAIL, "x@far.test", 0, NULL, 0},
    {"the null sender", "mutual", ENCRYPTED, QUESTION_MAIL, "", 0, NULL, 0},
    /* single rights: no reply */
    {"routing headers of anonymous", "internet", NOBODY, QUESTION_RIGHT, "", RIGHT_ACCEPT_HEADERS_ROUTING, NULL, 0},
    {"organization headers of anonymous", "internet", NOBODY, QUESTION_RIGHT, "", RIGHT_ACCEPT_HEADERS_ORGANIZATION,
     "", 0},
    {"organization headers of a hub", "default", HUB, QUESTION_RIGHT, "", RIGHT_ACCEPT_HEADERS_ORGANIZATION, NULL,
     0},
    {"organization headers of legacy", "default", LEGACY, QUESTION_RIGHT, "", RIGHT_ACCEPT_HEADERS_ORGANIZATION, "",
     0},
    {"forest headers of externally secured", "external", SECURED, QUESTION_RIGHT, "", RIGHT_ACCEPT_HEADERS_FOREST,
     "", 0},
    {"size of externally secured", "external", SECURED, QUESTION_RIGHT, "", RIGHT_BYPASS_MESSAGE_SIZE_LIMIT, NULL,
     0},
    {"size of a user", "client", ALICE, QUESTION_RIGHT, "", RIGHT_BYPASS_MESSAGE_SIZE_LIMIT, "", 0},
    {"filter of a user", "client", ALICE, QUESTION_RIGHT, "", RIGHT_BYPASS_ANTI_SPAM, NULL, 0},
};

static struct decision ask(const struct policy *p, const struct receive_connector *c, const struct token *token,
                           enum question q, struct span address, enum right right, struct owned_addresses owned)
{
    switch (q) {
    case QUESTION_AUTH: return decide_submit_at_auth(p, c, token, &plain);
    case QUESTION_MAIL: return decide_mail(p, c, token, &plain, address, owned);
    case QUESTION_HEADER_SENDER: return decide_header_sender(p, c, token, &plain, address, owned);
    case QUESTION_RCPT: return decide_rcpt(p, c, token, &plain, address, owned);
    case QUESTION_RIGHT: break;
    }
    return decide_right(p, c, token, &plain, right);
}

static void test_decisions(void **state UNUSED)
{
    struct test_policy t;
    uint64_t seed = 9;
    test_policy_init(&t);
    add_policy(&t);
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct owned_addresses owned = alices;
            struct token token = token_of(rows[i].who);
            char reply[256] = "";
            owned.unavailable = rows[i].directory_down;
            struct decision d = ask(t.policy, test_receive(&t, rows[i].connector), &token, rows[i].question,
                                    span_of(rows[i].address), rows[i].right, owned);
            if (d.code)
                snprintf(reply, sizeof reply, "%d %s %s", d.code, d.enhanced, d.text);
            CHECK_STR(rows[i].name, reply, rows[i].reply ? rows[i].reply : "");
            CHECK_INT(rows[i].name, d.verdict == VERDICT_ALLOW, rows[i].reply == NULL);
            CHECK_INT(rows[i].name, d.verdict == VERDICT_DEFER, rows[i].reply && !strncmp(rows[i].reply, "451", 3));
            CHECK_INT(rows[i].name, decision_replay(&d), d.verdict);
        }
        test_shuffle(&t, &seed);
        test_open(&t);
    }
    test_policy_done(&t);
}

/* A record that was cut short, lengthened or altered never replays as more than it was. */
static void test_replay_of_damaged_records(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct token token = token_of(rows[i].who);
        struct decision d = ask(t.policy, test_receive(&t, rows[i].connector), &token, rows[i].question,
                                span_of(rows[i].address), rows[i].right, alices);
        struct decision shorter = d, longer = d, other = d;
        shorter.step_count--;
        CHECK_INT(rows[i].name, decision_replay(&shorter), VERDICT_DENY);
        longer.steps[longer.step_count++] = (struct decision_step){.kind = STEP_NULL_SENDER, .right = RIGHT_COUNT};
        CHECK_INT(rows[i].name, decision_replay(&longer), VERDICT_DENY);
        for (size_t k = 0; k < other.step_count; k++)
            if (other.steps[k].right != RIGHT_COUNT)
                other.steps[k].right = RIGHT_SEND_EXCH50;
        if (d.right != RIGHT_COUNT)
            CHECK_INT(rows[i].name, decision_replay(&other), VERDICT_DENY);
    }
    test_policy_done(&t);
}

static void test_print(void **state UNUSED)
{
    static const struct {
        const char *name, *connector;
        enum who who;
        enum question question;
        const char *address, *want;
    } prints[] = {
        {"relay refused", "internet", NOBODY, QUESTION_RCPT, "bob@far.test",
         "RCPT on connector \"internet\": refused\n"
         "  the recipient is in no accepted domain: this would be relaying\n"
         "  ms-Exch-SMTP-Accept-Any-Recipient: granted to nobody that this session is\n"
         "  reply: 550 5.7.1 Unable to relay\n"},
        {"relay allowed", "relay", NOBODY, QUESTION_RCPT, "bob@far.test",
         "RCPT on connector \"relay\": allowed\n"
         "  the recipient is in no accepted domain: this would be relaying\n"
         "  ms-Exch-SMTP-Accept-Any-Recipient: granted to NT AUTHORITY\\ANONYMOUS LOGON by an entry of its own\n"},
        {"denied by a group of people", "personal", CAROL, QUESTION_RCPT, "bob@far.test",
         "RCPT on connector \"personal\": refused\n"
         "  the recipient is in no accepted domain: this would be relaying\n"
         "  ms-Exch-SMTP-Accept-Any-Recipient: denied to Team by an entry of its own\n"
         "  reply: 550 5.7.1 Unable to relay\n"},
        {"own address", "client", ALICE, QUESTION_MAIL, "alice@example.com",
         "MAIL FROM on connector \"client\": allowed\n"
         "  ms-Exch-SMTP-Submit: granted to NT AUTHORITY\\Authenticated Users by permission group ExchangeUsers\n"
         "  the sender is in the authoritative domain example.com\n"
         "  ms-Exch-SMTP-Accept-Authoritative-Domain-Sender: granted to nobody that this session is\n"
         "  the address belongs to the authenticated user\n"},
        {"subdomain", "internet", NOBODY, QUESTION_RCPT, "b@x.example.com",
         "RCPT on connector \"internet\": allowed\n"
         "  the recipient is in the accepted domain *.example.com\n"},
    };
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(prints); i++) {
        struct buf out;
        struct token token = token_of(prints[i].who);
        struct decision d = ask(t.policy, test_receive(&t, prints[i].connector), &token, prints[i].question,
                                span_of(prints[i].address), RIGHT_COUNT, alices);
        buf_init(&out, 4096);
        decision_print(&out, t.policy, &d);
        CHECK_SPAN(prints[i].name, buf_span(&out), span_of(prints[i].want));
        buf_done(&out);
    }
    test_policy_done(&t);
}

/* The entry that decided stands in the record, with its place in the ACL. */
static void test_deciding_entry(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    const struct receive_connector *c = test_receive(&t, "denied");
    struct token nobody = token_of(NOBODY);
    struct decision d = decide_mail(t.policy, c, &nobody, &plain, SPAN("x@far.test"), (struct owned_addresses){0});
    assert_non_null(d.entry);
    assert_int_equal(d.right, RIGHT_SUBMIT);
    assert_int_equal(d.entry->kind, PRINCIPAL_EVERYONE);
    assert_int_equal(d.entry->deny, 1);
    assert_ptr_equal(&policy_acl(t.policy, c->acl)[d.steps[0].index], d.entry);
    test_policy_done(&t);
}

static void test_send_rights(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, "SendConnector: Guid=s|Name=out|AddressSpaces=[*]\n"
                 "ADPermission: Connector=S|User=" ANON "|ExtendedRight=ms-Exch-Send-Headers-Routing\n"
                 "ADPermission: Connector=s|User=MS Exchange\\Hub Transport Servers"
                 "|ExtendedRight=ms-Exch-Send-Headers-Organization");
    test_open(&t);
    const struct send_connector *c = policy_send_connector(t.policy, 0);
    struct token nobody = token_of(NOBODY), hub = token_of(HUB);
    assert_int_equal(decide_send_rights(t.policy, c, &nobody), RIGHT_BIT(RIGHT_SEND_HEADERS_ROUTING));
    assert_int_equal(decide_send_rights(t.policy, c, &hub), RIGHT_BIT(RIGHT_SEND_HEADERS_ORGANIZATION));
    struct decision d = decide_send_right(t.policy, c, &hub, RIGHT_SEND_HEADERS_ROUTING);
    assert_int_equal(d.verdict, VERDICT_DENY);
    assert_int_equal(decision_replay(&d), VERDICT_DENY);
    test_policy_done(&t);
}

/* ---- properties ---- */

static void add_random_entry(struct test_policy *t, uint64_t *seed, bool deny)
{
    static const char *const users[] = {
        ANON,         "S-1-5-11",   "Everyone", "MS Exchange\\Externally Secured Servers",
        "user:alice", "group:team", "user:bob", "MS Exchange\\Hub Transport Servers"};
    enum right right = (enum right)test_draw(seed, RIGHT_SEND_HEADERS_ROUTING);
    test_addf(t, "ADPermission: Connector=c|User=%s|ExtendedRight=%.*s|Deny=%s", users[test_draw(seed, 8)],
              SPAN_ARG(right_info(right)->name), deny ? "$true" : "$false");
}

static unsigned verdicts(const struct test_policy *t, enum who w, struct span address)
{
    const struct receive_connector *c = policy_receive_connector(t->policy, 0);
    struct token token = token_of(w);
    unsigned allowed = 0, bit = 0;
    for (unsigned q = 0; q < QUESTION_RIGHT; q++, bit++) {
        struct decision d = ask(t->policy, c, &token, (enum question)q, address, RIGHT_COUNT, alices);
        CHECK_INT("replay", decision_replay(&d), d.verdict);
        CHECK_INT("reply", d.code != 0, d.verdict != VERDICT_ALLOW);
        allowed |= (unsigned)(d.verdict == VERDICT_ALLOW) << bit;
    }
    unsigned rights = decide_rights(t->policy, c, &token, &plain, NULL, NULL);
    for (unsigned r = 0; r < RIGHT_COUNT; r++, bit++) {
        struct decision d = decide_right(t->policy, c, &token, &plain, (enum right)r);
        CHECK_INT("replay", decision_replay(&d), d.verdict);
        CHECK_INT("set of rights", (rights >> r) & 1, d.verdict == VERDICT_ALLOW);
        allowed |= (unsigned)(d.verdict == VERDICT_ALLOW) << bit;
    }
    return allowed;
}

/* Another Deny never allows anything, another Allow never refuses anything; the order of the entries is nothing. */
static void test_acl_properties(void **state UNUSED)
{
    static const struct span addresses[] = {SPAN_INIT(""), SPAN_INIT("alice@example.com"), SPAN_INIT("x@far.test")};
    uint64_t seed = 0xac1;
    for (int round = 0; round < 300; round++) {
        struct test_policy t;
        unsigned before[WHO_COUNT][3];
        bool deny = round % 2;
        test_policy_init(&t);
        test_add(&t, "ReceiveConnector: Guid=c|Name=c|Bindings=[0.0.0.0:25]|RemoteIPRanges=[0.0.0.0/0]\n"
                     "AcceptedDomain: Name=own|DomainName=example.com|DomainType=Authoritative");
        for (uint32_t n = test_draw(&seed, 24); n > 0; n--)
            add_random_entry(&t, &seed, test_draw(&seed, 4) == 0);
        test_open(&t);
        for (unsigned w = 0; w < WHO_COUNT; w++)
            for (size_t a = 0; a < ARRAY_LEN(addresses); a++)
                before[w][a] = verdicts(&t, (enum who)w, addresses[a]);
        test_shuffle(&t, &seed);
        test_open(&t);
        for (unsigned w = 0; w < WHO_COUNT; w++)
            for (size_t a = 0; a < ARRAY_LEN(addresses); a++)
                CHECK_INT("order", verdicts(&t, (enum who)w, addresses[a]), before[w][a]);
        add_random_entry(&t, &seed, deny);
        test_open(&t);
        for (unsigned w = 0; w < WHO_COUNT; w++)
            for (size_t a = 0; a < ARRAY_LEN(addresses); a++) {
                unsigned now = verdicts(&t, (enum who)w, addresses[a]);
                CHECK_INT("monotonic", deny ? now & ~before[w][a] : before[w][a] & ~now, 0);
            }
        test_policy_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),   cmocka_unit_test(test_replay_of_damaged_records),
        cmocka_unit_test(test_print),       cmocka_unit_test(test_deciding_entry),
        cmocka_unit_test(test_send_rights), cmocka_unit_test(test_acl_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
