/*
 * test_narrow.c: narrowed entries: each narrowing, met and unmet and not known yet, of entries that allow and that
 * deny, at each question; then properties over generated ACLs.
 */
#include "check.h"
#include "policy/marks.h"
#include "policy/test_support.h"

#include <string.h>

#define ANON    "NT AUTHORITY\\ANONYMOUS LOGON"
#define SUBMIT  "ms-Exch-SMTP-Submit"
#define RELAY   "ms-Exch-SMTP-Accept-Any-Recipient"
#define ANY     "ms-Exch-SMTP-Accept-Any-Sender"
#define OURS    "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"
#define BYPASS  "ms-Exch-Bypass-Message-Size-Limit"
#define ROUTING "ms-Exch-Accept-Headers-Routing"

enum { NOON = 1000, EVENING = 2000 };

static void add_connector(struct test_policy *t)
{
    test_add(t, "ReceiveConnector: Guid=c|Name=c|Bindings=[0.0.0.0:25]|RemoteIPRanges=[0.0.0.0/0]\n"
                "AcceptedDomain: Name=own|DomainName=example.com|DomainType=Authoritative");
}

/* right;narrowing, one a line, "!" in front of a denial. */
static void add_entries(struct test_policy *t, const char *entries)
{
    struct span rest = span_of(entries), line;
    for (int i = 0; span_split(&rest, '\n', &line); i++) {
        bool deny = span_starts(line, SPAN("!"));
        line = span_from(line, deny ? 1 : 0);
        size_t semicolon = span_find(line, ';');
        struct span narrowing = semicolon == SIZE_MAX ? SPAN("") : span_from(line, semicolon + 1);
        test_addf(t, "ADPermission: Guid=e%d|Connector=c|User=" ANON "|ExtendedRight=%.*s|Deny=%s%s%.*s", i,
                  SPAN_ARG(span_head(line, semicolon)), deny ? "$true" : "$false", narrowing.len ? "|" : "",
                  SPAN_ARG(narrowing));
    }
}

struct asked {
    enum question question;
    const char *sender; /* "": <>; NULL: not known */
    const char *about;  /* recipient; header address */
    enum right right;
    bool tls;
    int64_t now;
    const char *recipients[3]; /* of the message; none: not known */
};

#define FOREIGN "550 5.7.1 Anonymous client does not have permissions to send as this sender"
#define UNKNOWN "530 5.7.1 Client was not authenticated"
#define TLS     "530 5.7.0 Must issue a STARTTLS command first"
#define NOT_TO  "550 5.7.1 Client does not have permissions to send to this recipient"
#define NORELAY "550 5.7.1 Unable to relay"
#define NOTHING "refused"

static const struct {
    const char *name, *entries;
    struct asked asked;
    const char *reply; /* NULL: allowed */
    unsigned pending;
} rows[] = {
    /* Senders, of Submit at MAIL and AUTH */
    {"sender, met", SUBMIT ";Senders=[scan@example.com]\n" OURS, {QUESTION_MAIL, "Scan@EXAMPLE.com"}, NULL},
    {"sender, unmet", SUBMIT ";Senders=[scan@example.com]\n" OURS, {QUESTION_MAIL, "boss@example.com"}, FOREIGN},
    {"sender, null", SUBMIT ";Senders=[scan@example.com]", {QUESTION_MAIL, ""}, FOREIGN},
    {"null sender, met", SUBMIT ";Senders=[<>]", {QUESTION_MAIL, ""}, NULL},
    {"null sender, unmet", SUBMIT ";Senders=[<>]\n" ANY, {QUESTION_MAIL, "a@far.test"}, FOREIGN},
    {"sender's domain, met", SUBMIT ";Senders=[*@example.com]\n" OURS, {QUESTION_MAIL, "any@example.com"}, NULL},
    {"sender's domain, below",
     SUBMIT ";Senders=[*@example.com]\n" ANY,
     {QUESTION_MAIL, "a@b.example.com"},
     FOREIGN},
    {"sender below, met", SUBMIT ";Senders=[*@*.example.com]\n" ANY, {QUESTION_MAIL, "a@c.b.example.com"}, NULL},
    {"sender below, itself", SUBMIT ";Senders=[*@*.example.com]\n" OURS, {QUESTION_MAIL, "a@example.com"}, FOREIGN},
    {"one of several senders",
     SUBMIT ";Senders=[z@z.test,<>,*@y.test,*@*.x.test]\n" ANY,
     {QUESTION_MAIL, "q@y.test"},
     NULL},
    {"sender, not known at AUTH", SUBMIT ";Senders=[scan@example.com]", {QUESTION_AUTH}, NULL},
    {"denied sender, met",
     SUBMIT "\n!" SUBMIT ";Senders=[*@example.com]\n" OURS,
     {QUESTION_MAIL, "a@example.com"},
     UNKNOWN},
    {"denied sender, unmet",
     SUBMIT "\n!" SUBMIT ";Senders=[*@example.com]\n" ANY,
     {QUESTION_MAIL, "a@far.test"},
     NULL},
    {"denied sender, not known at AUTH", SUBMIT "\n!" SUBMIT ";Senders=[*@example.com]", {QUESTION_AUTH}, NULL},
    {"all denied at AUTH", SUBMIT "\n!" SUBMIT, {QUESTION_AUTH}, UNKNOWN},
    {"only narrowed denial at AUTH", "!" SUBMIT ";Senders=[*@example.com]", {QUESTION_AUTH}, UNKNOWN},
    /* of the rights to a sender, at MAIL and at the end of the data */
    {"right to one address",
     SUBMIT "\n" OURS ";Senders=[scan@example.com]",
     {QUESTION_MAIL, "scan@example.com"},
     NULL},
    {"right to another",
     SUBMIT "\n" OURS ";Senders=[scan@example.com]",
     {QUESTION_MAIL, "boss@example.com"},
     FOREIGN},
    {"the null sender needs none", SUBMIT "\n" OURS ";Senders=[scan@example.com]", {QUESTION_MAIL, ""}, NULL},
    {"author, met",
     OURS ";Senders=[scan@example.com]",
     {QUESTION_HEADER_SENDER, "x@far.test", .about = "scan@example.com"},
     NULL},
    {"author, unmet although the sender is met",
     OURS ";Senders=[scan@example.com]",
     {QUESTION_HEADER_SENDER, "scan@example.com", .about = "boss@example.com"},
     FOREIGN},
    {"denied author, met",
     ANY "\n!" ANY ";Senders=[*@bad.test]",
     {QUESTION_HEADER_SENDER, "", .about = "a@bad.test"},
     FOREIGN},
    {"denied author, unmet",
     ANY "\n!" ANY ";Senders=[*@bad.test]",
     {QUESTION_HEADER_SENDER, "", .about = "a@ok.test"},
     NULL},
    /* Recipients */
    {"recipient, not known at MAIL", SUBMIT ";Recipients=[*@far.test]", {QUESTION_MAIL, ""}, NULL, PENDING_SUBMIT},
    {"recipient, not known at AUTH", SUBMIT ";Recipients=[*@far.test]", {QUESTION_AUTH}, NULL},
    {"sender's, not known at MAIL",
     SUBMIT "\n" ANY ";Recipients=[*@far.test]",
     {QUESTION_MAIL, "a@b.test"},
     NULL,
     PENDING_SENDER},
    {"both, not known at MAIL",
     SUBMIT ";Recipients=[*@far.test]\n" ANY ";Recipients=[*@far.test]",
     {QUESTION_MAIL, "a@b.test"},
     NULL,
     PENDING_SUBMIT | PENDING_SENDER},
    {"one for all beside it", SUBMIT ";Recipients=[*@far.test]\n" SUBMIT, {QUESTION_MAIL, ""}, NULL},
    {"a denial not known at MAIL",
     SUBMIT "\n!" SUBMIT ";Recipients=[*@far.test]",
     {QUESTION_MAIL, ""},
     NULL,
     PENDING_SUBMIT},
    {"Submit, recipient met",
     SUBMIT ";Recipients=[*@example.com]",
     {QUESTION_RCPT, "", .about = "a@example.com"},
     NULL},
    {"Submit, recipient unmet",
     SUBMIT ";Recipients=[*@far.test]",
     {QUESTION_RCPT, "", .about = "a@example.com"},
     NOT_TO},
    {"Submit, recipient denied",
     SUBMIT "\n!" SUBMIT ";Recipients=[a@example.com]",
     {QUESTION_RCPT, "", .about = "A@example.com"},
     NOT_TO},
    {"Submit, another denied",
     SUBMIT "\n!" SUBMIT ";Recipients=[a@example.com]",
     {QUESTION_RCPT, "", .about = "b@example.com"},
     NULL},
    {"sender, recipient met",
     SUBMIT "\n" ANY ";Recipients=[a@example.com]",
     {QUESTION_RCPT, "x@b.test", .about = "a@example.com"},
     NULL},
    {"sender, recipient unmet",
     SUBMIT "\n" ANY ";Recipients=[a@example.com]",
     {QUESTION_RCPT, "x@b.test", .about = "b@example.com"},
     NOT_TO},
    {"relay, recipient met",
     SUBMIT "\n" ANY "\n" RELAY ";Recipients=[*@far.test]",
     {QUESTION_RCPT, "x@b.test", .about = "b@far.test"},
     NULL},
    {"relay, recipient unmet",
     SUBMIT "\n" ANY "\n" RELAY ";Recipients=[*@far.test]",
     {QUESTION_RCPT, "x@b.test", .about = "b@far.test.evil.test"},
     NORELAY},
    {"relay, sender met",
     SUBMIT "\n" ANY "\n" RELAY ";Senders=[x@b.test]",
     {QUESTION_RCPT, "x@b.test", .about = "b@far.test"},
     NULL},
    {"relay, sender unmet",
     SUBMIT "\n" ANY "\n" RELAY ";Senders=[x@b.test]",
     {QUESTION_RCPT, "y@b.test", .about = "b@far.test"},
     NORELAY},
    {"relay, sender null",
     SUBMIT "\n" ANY "\n" RELAY ";Senders=[x@b.test]",
     {QUESTION_RCPT, "", .about = "b@far.test"},
     NORELAY},
    {"relay denied",
     SUBMIT "\n" ANY "\n" RELAY "\n!" RELAY ";Recipients=[*@far.test]",
     {QUESTION_RCPT, "x@b.test", .about = "b@far.test"},
     NORELAY},
    {"relay denied elsewhere",
     SUBMIT "\n" ANY "\n" RELAY "\n!" RELAY ";Recipients=[*@far.test]",
     {QUESTION_RCPT, "x@b.test", .about = "b@near.test"},
     NULL},
    {"author, all recipients",
     ANY ";Recipients=[*@far.test]",
     {QUESTION_HEADER_SENDER, "", .about = "x@b.test", .recipients = {"a@far.test", "b@far.test"}},
     NULL},
    {"author, not all recipients",
     ANY ";Recipients=[*@far.test]",
     {QUESTION_HEADER_SENDER, "", .about = "x@b.test", .recipients = {"a@far.test", "b@near.test"}},
     FOREIGN},
    {"author, recipients unknown",
     ANY ";Recipients=[*@far.test]",
     {QUESTION_HEADER_SENDER, "", .about = "x@b.test"},
     FOREIGN},
    {"author denied, one recipient",
     ANY "\n!" ANY ";Recipients=[*@far.test]",
     {QUESTION_HEADER_SENDER, "", .about = "x@b.test", .recipients = {"a@near.test", "b@far.test"}},
     FOREIGN},
    {"author denied, no recipient",
     ANY "\n!" ANY ";Recipients=[*@far.test]",
     {QUESTION_HEADER_SENDER, "", .about = "x@b.test", .recipients = {"a@near.test"}},
     NULL},
    {"author denied, recipients unknown",
     ANY "\n!" ANY ";Recipients=[*@far.test]",
     {QUESTION_HEADER_SENDER, "", .about = "x@b.test"},
     FOREIGN},
    /* of a right alone, where nothing is asked again */
    {"right, recipients unknown",
     BYPASS ";Recipients=[*@far.test]",
     {QUESTION_RIGHT, "", .right = RIGHT_BYPASS_MESSAGE_SIZE_LIMIT},
     NOTHING},
    {"right denied, recipients unknown",
     BYPASS "\n!" BYPASS ";Recipients=[*@far.test]",
     {QUESTION_RIGHT, "", .right = RIGHT_BYPASS_MESSAGE_SIZE_LIMIT},
     NOTHING},
    {"right, sender unknown",
     BYPASS ";Senders=[*@far.test]",
     {QUESTION_RIGHT, NULL, .right = RIGHT_BYPASS_MESSAGE_SIZE_LIMIT},
     NOTHING},
    {"right denied, sender unknown",
     BYPASS "\n!" BYPASS ";Senders=[*@far.test]",
     {QUESTION_RIGHT, NULL, .right = RIGHT_BYPASS_MESSAGE_SIZE_LIMIT},
     NOTHING},
    {"right, all known",
     ROUTING ";Senders=[a@b.test]|Recipients=[*@far.test]",
     {QUESTION_RIGHT, "a@b.test", .right = RIGHT_ACCEPT_HEADERS_ROUTING, .recipients = {"x@far.test"}},
     NULL},
    {"right, sender unmet",
     ROUTING ";Senders=[a@b.test]|Recipients=[*@far.test]",
     {QUESTION_RIGHT, "b@b.test", .right = RIGHT_ACCEPT_HEADERS_ROUTING, .recipients = {"x@far.test"}},
     NOTHING},
    /* TLS */
    {"TLS, met", SUBMIT ";RequireTls=$true", {QUESTION_MAIL, "", .tls = true}, NULL},
    {"TLS, unmet", SUBMIT ";RequireTls=$true", {QUESTION_MAIL, ""}, TLS},
    {"TLS, unmet at AUTH", SUBMIT ";RequireTls=$true", {QUESTION_AUTH}, TLS},
    {"TLS, unmet, recipients unknown", SUBMIT ";RequireTls=$true|Recipients=[a@b.test]", {QUESTION_MAIL, ""}, TLS},
    {"sender, unmet, recipients unknown",
     SUBMIT ";Senders=[a@b.test]|Recipients=[a@b.test]",
     {QUESTION_MAIL, "x@b.test"},
     FOREIGN},
    {"TLS for the sender", SUBMIT "\n" ANY ";RequireTls=$true", {QUESTION_MAIL, "a@b.test"}, TLS},
    {"TLS for relaying", SUBMIT "\n" RELAY ";RequireTls=$true", {QUESTION_RCPT, "", .about = "a@far.test"}, TLS},
    {"TLS would not help this sender",
     SUBMIT ";RequireTls=$true|Senders=[a@b.test]",
     {QUESTION_MAIL, "x@b.test"},
     UNKNOWN},
    {"denied under TLS, met", SUBMIT "\n!" SUBMIT ";RequireTls=$true", {QUESTION_MAIL, "", .tls = true}, UNKNOWN},
    {"denied under TLS, unmet", SUBMIT "\n!" SUBMIT ";RequireTls=$true", {QUESTION_MAIL, ""}, NULL},
    /* Expires */
    {"expires, before", SUBMIT ";Expires=#1500", {QUESTION_MAIL, ""}, NULL},
    {"expires, the moment before", SUBMIT ";Expires=#1001", {QUESTION_MAIL, ""}, NULL},
    {"expires, at the moment", SUBMIT ";Expires=#1000", {QUESTION_MAIL, ""}, UNKNOWN},
    {"expires, after", SUBMIT ";Expires=#1500", {QUESTION_MAIL, "", .now = EVENING}, UNKNOWN},
    {"denial expires, before", SUBMIT "\n!" SUBMIT ";Expires=#1500", {QUESTION_MAIL, ""}, UNKNOWN},
    {"denial expires, after", SUBMIT "\n!" SUBMIT ";Expires=#1500", {QUESTION_MAIL, "", .now = EVENING}, NULL},
    {"expired is not helped by TLS", SUBMIT ";Expires=#5|RequireTls=$true", {QUESTION_MAIL, ""}, UNKNOWN},
    /* MessageRate is no condition */
    {"rate", SUBMIT ";MessageRate=#1", {QUESTION_MAIL, ""}, NULL},
    {"comment", SUBMIT ";Comment=a note", {QUESTION_MAIL, ""}, NULL},
};

static struct decision ask(const struct policy *p, const struct asked *a)
{
    static const struct session_facts nobody;
    const struct receive_connector *c = policy_receive_connector(p, 0);
    const struct token token = token_build(&nobody);
    const struct span sender = span_of(a->sender), about = span_of(a->about);
    const struct owned_addresses nothing = {0};
    uint8_t marks[256] = {0};
    struct conditions when = {.tls = a->tls,
                              .now_ms = a->now ? a->now : NOON,
                              .sender = a->sender ? &sender : NULL,
                              .marks = a->recipients[0] ? marks : NULL,
                              .pending = PENDING_SUBMIT | PENDING_SENDER};
    assert_true(c->acl.count <= sizeof marks);
    for (size_t i = 0; i < ARRAY_LEN(a->recipients) && a->recipients[i]; i++)
        marks_add_recipient(p, c, marks, span_of(a->recipients[i]));
    switch (a->question) {
    case QUESTION_AUTH: return decide_submit_at_auth(p, c, &token, &when);
    case QUESTION_MAIL: return decide_mail(p, c, &token, &when, sender, nothing);
    case QUESTION_HEADER_SENDER: return decide_header_sender(p, c, &token, &when, about, nothing);
    case QUESTION_RCPT: return decide_rcpt(p, c, &token, &when, about, nothing);
    case QUESTION_RIGHT: break;
    }
    unsigned set = decide_rights(p, c, &token, &when, NULL, NULL);
    struct decision d = decide_right(p, c, &token, &when, a->right);
    CHECK_INT("set of rights", (set >> a->right) & 1, d.verdict == VERDICT_ALLOW);
    return d;
}

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        char reply[160] = "";
        struct buf out;
        test_policy_init(&t);
        add_connector(&t);
        add_entries(&t, rows[i].entries);
        test_open(&t);
        struct decision d = ask(t.policy, &rows[i].asked);
        if (d.code)
            snprintf(reply, sizeof reply, "%d %s %s", d.code, d.enhanced, d.text);
        else if (d.verdict != VERDICT_ALLOW)
            snprintf(reply, sizeof reply, NOTHING);
        CHECK_STR(rows[i].name, reply, rows[i].reply ? rows[i].reply : "");
        CHECK_INT(rows[i].name, d.pending, rows[i].pending);
        CHECK_INT(rows[i].name, decision_replay(&d), d.verdict);
        buf_init(&out, 8192);
        decision_print(&out, t.policy, &d);
        CHECK(rows[i].name, !out.failed);
        buf_done(&out);
        test_policy_done(&t);
    }
}

static void test_print(void **state UNUSED)
{
    struct test_policy t;
    struct buf out;
    test_policy_init(&t);
    add_connector(&t);
    add_entries(&t, SUBMIT ";Expires=#5|RequireTls=$true\n" SUBMIT ";Senders=[b@b.test]\n" SUBMIT
                           ";Recipients=[*@far.test]\n!" SUBMIT ";Senders=[<>]\n" ANY ";MessageRate=#3");
    test_open(&t);
    struct decision d = ask(t.policy, &(struct asked){QUESTION_MAIL, "a@b.test"});
    buf_init(&out, 4096);
    decision_print(&out, t.policy, &d);
    CHECK_STR("print", arena_cstr(&t.arena, buf_span(&out)),
              "MAIL FROM on connector \"c\": allowed\n"
              "  " SUBMIT ": the entry that denies it to " ANON " does not apply: it is not for this sender\n"
              "  " SUBMIT ": the entry that grants it to " ANON
              " does not apply: it has expired, it is for connections under TLS\n"
              "  " SUBMIT ": the entry that grants it to " ANON " does not apply: it is not for this sender\n"
              "  " SUBMIT ": granted to " ANON " by a narrowed entry, as far as can be said now\n"
              "  the sender is in no domain of ours\n"
              "  " ANY ": granted to " ANON " by a narrowed entry\n");
    buf_done(&out);
    test_policy_done(&t);
}

/* More unmet entries than have room: the record stays whole and says how many there were. */
static void test_many_entries(void **state UNUSED)
{
    struct test_policy t;
    struct buf out;
    test_policy_init(&t);
    add_connector(&t);
    for (int i = 0; i < 200; i++)
        test_addf(&t,
                  "ADPermission: Guid=m%d|Connector=c|User=" ANON "|ExtendedRight=" SUBMIT "|Senders=[a%d@b.test]",
                  i, i);
    test_open(&t);
    struct decision d = ask(t.policy, &(struct asked){QUESTION_MAIL, "a@b.test"});
    assert_int_equal(d.step_count, DECISION_UNMET_MAX + 1);
    assert_int_equal(d.steps[DECISION_UNMET_MAX].more, 200 - DECISION_UNMET_MAX);
    assert_int_equal(decision_replay(&d), VERDICT_DENY);
    buf_init(&out, 4096);
    decision_print(&out, t.policy, &d);
    assert_non_null(strstr(arena_cstr(&t.arena, buf_span(&out)), "; 196 more entries do not apply\n"));
    buf_done(&out);
    test_policy_done(&t);
}

static void count(void *context, const struct policy_ace *entry)
{
    assert_non_null(entry);
    ++*(int *)context;
}

/* An entry is used once a transaction; those that count messages are gone through once; what counts none wins. */
static void test_marks(void **state UNUSED)
{
    struct test_policy t;
    int fresh = 0;
    uint8_t marks[16] = {0};
    uint32_t at = 0;
    test_policy_init(&t);
    add_connector(&t);
    add_entries(&t, SUBMIT ";MessageRate=#3\n" SUBMIT ";MessageRate=#7\n" ANY "\n" ANY ";MessageRate=#9\n" RELAY
                           ";MessageRate=#2");
    test_open(&t);
    const struct receive_connector *c = policy_receive_connector(t.policy, 0);
    struct decision mail = ask(t.policy, &(struct asked){QUESTION_MAIL, "a@b.test"});
    struct decision rcpt = ask(t.policy, &(struct asked){QUESTION_RCPT, "a@b.test", .about = "b@far.test"});
    marks_use_decision(c, marks, &mail, count, &fresh);
    assert_int_equal(fresh, 2);
    marks_use_decision(c, marks, &mail, count, &fresh);
    assert_int_equal(fresh, 2);
    const struct policy_ace *e = marks_next_rated(t.policy, c, marks, &at);
    assert_true(e && e->right == RIGHT_SUBMIT && e->rate == 7);
    assert_null(marks_next_rated(t.policy, c, marks, &at));
    marks_use_decision(c, marks, &rcpt, count, &fresh);
    at = 0;
    e = marks_next_rated(t.policy, c, marks, &at);
    assert_true(e && e->right == RIGHT_ACCEPT_ANY_RECIPIENT && e->rate == 2);
    assert_null(marks_next_rated(t.policy, c, marks, &at));
    test_policy_done(&t);
}

/* ---- properties ---- */

static const char *const narrowings[] = {"",
                                         "|Senders=[a@example.com]",
                                         "|Senders=[*@far.test,<>]",
                                         "|Recipients=[*@example.com]",
                                         "|Recipients=[b@far.test,*@*.far.test]",
                                         "|RequireTls=$true",
                                         "|Expires=#1500",
                                         "|Senders=[*@example.com]|Recipients=[*@far.test]|RequireTls=$true"};

struct generated {
    enum right right;
    bool deny;
    size_t narrowing;
};

static void add_generated(struct test_policy *t, const struct generated *e, bool narrowed)
{
    test_addf(t, "ADPermission: Connector=c|User=" ANON "|ExtendedRight=%.*s|Deny=%s%s",
              SPAN_ARG(right_info(e->right)->name), e->deny ? "$true" : "$false",
              narrowed ? narrowings[e->narrowing] : "");
}

static struct generated generate(uint64_t *seed)
{
    return (struct generated){(enum right)test_draw(seed, RIGHT_SEND_HEADERS_ROUTING), test_draw(seed, 4) == 0,
                              test_draw(seed, ARRAY_LEN(narrowings))};
}

static const struct asked everything[] = {
    {QUESTION_AUTH},
    {QUESTION_AUTH, .tls = true},
    {QUESTION_MAIL, "a@example.com"},
    {QUESTION_MAIL, "a@far.test", .tls = true, .now = EVENING},
    {QUESTION_MAIL, ""},
    {QUESTION_RCPT, "a@example.com", .about = "b@far.test", .tls = true},
    {QUESTION_RCPT, "", .about = "x@example.com"},
    {QUESTION_HEADER_SENDER, "", .about = "a@example.com", .recipients = {"x@example.com", "b@far.test"}},
    {QUESTION_HEADER_SENDER, "", .about = "a@far.test", .tls = true},
    {QUESTION_RIGHT, NULL, .right = RIGHT_BYPASS_ANTI_SPAM},
    {QUESTION_RIGHT, "a@example.com", .right = RIGHT_ACCEPT_HEADERS_FOREST, .tls = true,
     .recipients = {"b@far.test"}},
};

static unsigned verdicts(const struct test_policy *t)
{
    unsigned allowed = 0;
    for (size_t i = 0; i < ARRAY_LEN(everything); i++) {
        struct decision d = ask(t->policy, &everything[i]);
        CHECK_INT("replay", decision_replay(&d), d.verdict);
        allowed |= (unsigned)(d.verdict == VERDICT_ALLOW) << i;
    }
    return allowed;
}

/*
 * Narrowing an entry that allows never allows anything more, narrowing one that denies never refuses anything more;
 * the order of the entries is nothing.
 */
static void test_narrowing_is_monotonic(void **state UNUSED)
{
    uint64_t seed = 0x9a3;
    for (int round = 0; round < 600; round++) {
        struct generated entries[16];
        size_t n = 1 + test_draw(&seed, ARRAY_LEN(entries)), which = test_draw(&seed, (uint32_t)n);
        unsigned verdict[2];
        for (size_t i = 0; i < n; i++)
            entries[i] = generate(&seed);
        for (int narrowed = 0; narrowed < 2; narrowed++) {
            struct test_policy t;
            test_policy_init(&t);
            add_connector(&t);
            for (size_t i = 0; i < n; i++)
                add_generated(&t, &entries[i], i != which || narrowed);
            test_open(&t);
            verdict[narrowed] = verdicts(&t);
            test_shuffle(&t, &seed);
            test_open(&t);
            CHECK_INT("order", verdicts(&t), verdict[narrowed]);
            test_policy_done(&t);
        }
        unsigned more = verdict[1] & ~verdict[0], less = verdict[0] & ~verdict[1];
        CHECK_INT("monotonic", entries[which].deny ? less : more, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_narrowing_is_monotonic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
