/*
 * test_gate_grants.c: narrowed entries and Send-As through a transaction, as rows: what each ask is answered with,
 * what the directory is asked, which entries are used and count the message.
 */
#include "check.h"
#include "gate/gate.h"
#include "policy/test_support.h"

#include <stdio.h>
#include <string.h>

#define ANON   "NT AUTHORITY\\ANONYMOUS LOGON"
#define SUBMIT "ms-Exch-SMTP-Submit"
#define RELAY  "ms-Exch-SMTP-Accept-Any-Recipient"
#define ANY    "ms-Exch-SMTP-Accept-Any-Sender"
#define OURS   "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"

#define NOT_AS  "550 5.7.1 Client does not have permissions to send as this sender"
#define ANON_AS "550 5.7.1 Anonymous client does not have permissions to send as this sender"
#define NOT_TO  "550 5.7.1 Client does not have permissions to send to this recipient"
#define LATER   "451 4.3.0 Permissions of this sender cannot be checked now, try again later"

static void add_policy(struct test_policy *t, const char *user, const char *entries)
{
    struct span rest = span_of(entries), line;
    test_add(t, "ReceiveConnector: Guid=c|Name=c|Bindings=[0.0.0.0:25]|RemoteIPRanges=[0.0.0.0/0]\n"
                "AcceptedDomain: Name=own|DomainName=example.com|DomainType=Authoritative|Default=$true");
    for (int i = 0; span_split(&rest, '\n', &line); i++)
        test_addf(t, "ADPermission: Guid=e%d|Connector=c|User=%s|ExtendedRight=%.*s", i, user, SPAN_ARG(line));
    test_open(t);
}

static const struct span alices[] = {SPAN_INIT("alice@example.com")};
static const struct gate_user alice = {.guid = SPAN_INIT("alice"), .addresses = alices, .address_count = 1};

/* For several gates at once, none of them for long. */
static uint8_t *fresh_marks(void)
{
    static uint8_t marks[8][POLICY_ACL_MAX];
    static unsigned next;
    return marks[next++ % ARRAY_LEN(marks)];
}

static struct gate begin(const struct test_policy *t, const struct gate_user *user)
{
    struct gate g;
    gate_begin(&g, t->policy, test_receive(t, "c"), 0, fresh_marks());
    gate_now(&g, true, 1000);
    if (user)
        assert_int_equal(gate_log_on(&g, user).answer.verdict, SMTP_ANSWER_OK);
    return g;
}

static void check_reply(const char *row, const struct smtp_answer *a, const char *want)
{
    char got[256] = "";
    if (a->verdict == SMTP_ANSWER_REFUSE)
        snprintf(got, sizeof got, "%d %.*s %.*s", a->reply.code, SPAN_ARG(a->reply.enhanced),
                 SPAN_ARG(a->reply.text));
    CHECK_STR(row, got, want ? want : "");
}

static struct gate_verdict mail(struct gate *g, const char *sender)
{
    struct smtp_mail m = {.address = {.text = span_of(sender)}};
    return gate_mail(g, &m);
}

/* Adds recipients to an envelope. */
static void add_recipients(struct smtp_envelope *e, struct smtp_recipient *list, const char *const *to,
                           size_t count)
{
    for (size_t i = 0; i < count && to[i]; i++) {
        struct span text = span_of(to[i]);
        size_t at = span_rfind(text, '@');
        list[i] = (struct smtp_recipient){
            .address = {.text = text, .domain = at == SIZE_MAX ? SPAN("") : span_from(text, at + 1)}};
        *(i ? &list[i - 1].next : &e->recipients) = &list[i];
        e->recipient_count++;
    }
}

/* ---- whole transactions ---- */

enum { TO_MAX = 4 };

static const struct {
    const char *name, *entries, *sender, *mail;
    struct {
        const char *to, *reply;
    } rcpts[TO_MAX];
    const char *from, *message;
    bool authors_hidden;
} rows[] = {
    {"all met",
     SUBMIT "|Senders=[s@example.com]|Recipients=[*@example.com]\n" OURS "|Senders=[s@example.com]",
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}, {"b@example.com", NULL}},
     "s@example.com",
     NULL,
     false},
    {"another sender",
     SUBMIT "|Senders=[s@example.com]\n" OURS,
     "b@example.com",
     ANON_AS,
     {{0}},
     NULL,
     NULL,
     false},
    {"another recipient",
     SUBMIT "|Recipients=[a@example.com]\n" OURS,
     "s@example.com",
     NULL,
     {{"b@example.com", NOT_TO}, {"a@example.com", NULL}},
     "s@example.com",
     NULL,
     false},
    {"postmaster is a recipient of our domain",
     SUBMIT "|Recipients=[postmaster@example.com]\n" OURS "|Recipients=[postmaster@example.com]",
     "s@example.com",
     NULL,
     {{"Postmaster", NULL}},
     "s@example.com",
     NULL,
     false},
    {"another author",
     SUBMIT "\n" OURS "|Senders=[s@example.com]",
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}},
     "b@example.com",
     ANON_AS,
     false},
    {"an author whom nobody can read, of one who may be one sender",
     SUBMIT "\n" OURS "|Senders=[s@example.com]\n" ANY "|Senders=[s@example.com]",
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}},
     NULL,
     ANON_AS,
     true},
    {"... of one who may be anybody",
     SUBMIT "\n" OURS "\n" ANY,
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}},
     NULL,
     NULL,
     true},
    {"... of one who may be anybody to these recipients",
     SUBMIT "\n" OURS "|Recipients=[*@example.com]\n" ANY "|Recipients=[*@example.com]",
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}},
     NULL,
     NULL,
     true},
    {"author, for all recipients",
     SUBMIT "\n" OURS "\n" ANY "|Recipients=[a@example.com]",
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}},
     "x@far.test",
     NULL,
     false},
    {"author, not for all recipients",
     SUBMIT "\n" OURS "\n" ANY "|Recipients=[a@example.com]",
     "s@example.com",
     NULL,
     {{"a@example.com", NULL}, {"b@example.com", NULL}},
     "x@far.test",
     ANON_AS,
     false},
};

static void test_transactions(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].name;
        struct test_policy t;
        struct arena arena;
        struct smtp_envelope e = {.mail.address.text = span_of(rows[i].sender)};
        struct smtp_recipient list[TO_MAX];
        const char *accepted[TO_MAX] = {NULL};
        size_t n = 0;
        test_policy_init(&t);
        arena_init(&arena, 0);
        add_policy(&t, ANON, rows[i].entries);
        struct gate g = begin(&t, NULL);
        struct gate_verdict v = mail(&g, rows[i].sender);
        check_reply(row, &v.answer, rows[i].mail);
        for (size_t k = 0; k < TO_MAX && rows[i].rcpts[k].to; k++) {
            struct span text = span_of(rows[i].rcpts[k].to);
            struct mail_address address = {
                .text = text, .domain = span_find(text, '@') == SIZE_MAX ? SPAN("") : SPAN("there is one")};
            v = gate_rcpt(&g, span_of(rows[i].sender), gate_recipient_address(t.policy, &address, &arena));
            check_reply(row, &v.answer, rows[i].rcpts[k].reply);
            if (!rows[i].rcpts[k].reply)
                accepted[n++] = rows[i].rcpts[k].to;
        }
        if (n) {
            struct intake_result r = {.from_count = rows[i].from ? 1 : 0,
                                      .from = {span_of(rows[i].from)},
                                      .authors_complete = !rows[i].authors_hidden};
            add_recipients(&e, list, accepted, n);
            gate_rights(&g, &e);
            v = gate_message(&g, &r);
            check_reply(row, &v.answer, rows[i].message);
        }
        arena_clear(&arena);
        test_policy_done(&t);
    }
}

/* A gate that nobody has told the time takes everything that expires for expired. */
static void test_no_time(void **state UNUSED)
{
    struct test_policy t;
    struct gate g;
    test_policy_init(&t);
    add_policy(&t, ANON, SUBMIT "|Expires=#2000");
    gate_begin(&g, t.policy, test_receive(&t, "c"), 0, fresh_marks());
    struct gate_verdict v = mail(&g, "");
    check_reply("no time", &v.answer, "530 5.7.1 Client was not authenticated");
    gate_now(&g, false, 1999);
    v = mail(&g, "");
    check_reply("before", &v.answer, NULL);
    gate_now(&g, false, 2000);
    v = mail(&g, "");
    check_reply("at the moment", &v.answer, "530 5.7.1 Client was not authenticated");
    test_policy_done(&t);
}

/* ---- Send-As ---- */

static void test_send_as(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum gate_send_as says;
        const char *reply;
    } answers[] = {{"may", GATE_SEND_AS_YES, NULL},
                   {"may not", GATE_SEND_AS_NO, NOT_AS},
                   {"away", GATE_SEND_AS_UNAVAILABLE, LATER}};
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t, "S-1-5-11", SUBMIT);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const char *row = answers[i].name;
        struct gate g = begin(&t, &alice);
        struct gate_verdict v = mail(&g, "alice@example.com");
        CHECK("an own address asks nobody", !v.ask_send_as.len && v.answer.verdict == SMTP_ANSWER_OK);
        v = mail(&g, "Sales@example.com");
        CHECK_SPAN(row, v.ask_send_as, SPAN("Sales@example.com"));
        gate_know(&g, v.ask_send_as, answers[i].says);
        v = mail(&g, "Sales@example.com");
        CHECK_INT(row, v.ask_send_as.len, 0);
        check_reply(row, &v.answer, answers[i].reply);
        /* In the header of the same transaction it is known; another author is not. */
        struct intake_result r = {.authors_complete = true,
                                  .from_count = 2,
                                  .from = {SPAN("sales@example.com"), SPAN("boss@example.com")}};
        v = gate_message(&g, &r);
        if (answers[i].says == GATE_SEND_AS_YES) {
            CHECK_SPAN(row, v.ask_send_as, SPAN("boss@example.com"));
            gate_know(&g, v.ask_send_as, GATE_SEND_AS_NO);
            v = gate_message(&g, &r);
            check_reply(row, &v.answer, NOT_AS);
        } else {
            check_reply(row, &v.answer, answers[i].reply);
        }
        v = mail(&g, "sales@example.com");
        CHECK("the next transaction asks anew", v.ask_send_as.len);
    }
    test_policy_done(&t);
}

static void test_send_as_is_not_asked(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t, "Everyone", SUBMIT "\n" ANY);
    struct gate nobody = begin(&t, NULL), user = begin(&t, &alice);
    struct gate_verdict v = mail(&nobody, "bob@example.com");
    CHECK("for nobody", !v.ask_send_as.len);
    check_reply("for nobody", &v.answer, ANON_AS);
    v = mail(&user, "bob@far.test");
    CHECK("where a right says yes", !v.ask_send_as.len && v.answer.verdict == SMTP_ANSWER_OK);
    v = mail(&user, "");
    CHECK("for the null sender", !v.ask_send_as.len && v.answer.verdict == SMTP_ANSWER_OK);
    test_policy_done(&t);
}

/* The right to the sender was for certain recipients: whoever may send as the owner may write to the others. */
static void test_send_as_at_rcpt(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t, "Everyone", SUBMIT "\n" OURS "|Recipients=[a@example.com]");
    struct gate g = begin(&t, &alice);
    struct gate_verdict v = mail(&g, "sales@example.com");
    CHECK("MAIL", !v.ask_send_as.len && v.answer.verdict == SMTP_ANSWER_OK);
    v = gate_rcpt(&g, SPAN("sales@example.com"), SPAN("a@example.com"));
    CHECK("covered", !v.ask_send_as.len && v.answer.verdict == SMTP_ANSWER_OK);
    v = gate_rcpt(&g, SPAN("sales@example.com"), SPAN("b@example.com"));
    CHECK_SPAN("asks", v.ask_send_as, SPAN("sales@example.com"));
    gate_know(&g, v.ask_send_as, GATE_SEND_AS_YES);
    v = gate_rcpt(&g, SPAN("sales@example.com"), SPAN("b@example.com"));
    check_reply("may", &v.answer, NULL);
    test_policy_done(&t);
}

/* ---- use and rate ---- */

struct seen {
    const struct test_policy *t;
    char text[64];
};

static void note(void *context, const struct policy_ace *entry)
{
    struct seen *s = context;
    size_t at = strlen(s->text);
    snprintf(s->text + at, sizeof s->text - at, "%.*s ", SPAN_ARG(policy_text(s->t->policy, entry->id)));
}

static void test_use(void **state UNUSED)
{
    struct test_policy t;
    struct seen seen = {.t = &t};
    struct arena arena;
    static const char *const to[] = {"b@far.test"};
    struct smtp_recipient list[1];
    struct smtp_envelope e = {.mail.address.text = SPAN("x@far.test")};
    uint32_t at = 0;
    test_policy_init(&t);
    arena_init(&arena, 0);
    add_policy(&t, ANON,
               SUBMIT "|MessageRate=#3\n" ANY "\n" RELAY "|Recipients=[*@far.test]\n" OURS "|MessageRate=#2\n"
                      "ms-Exch-Accept-Headers-Routing\nms-Exch-Bypass-Anti-Spam");
    struct gate g = begin(&t, NULL);
    g.used = note;
    g.used_context = &seen;
    mail(&g, "x@far.test");
    gate_rcpt(&g, SPAN("x@far.test"), SPAN("b@far.test"));
    gate_rcpt(&g, SPAN("x@far.test"), SPAN("c@far.test"));
    CHECK_STR("envelope", seen.text, "e0 e1 e2 ");
    add_recipients(&e, list, to, 1);
    gate_rights(&g, &e);
    CHECK_STR("header firewall", seen.text, "e0 e1 e2 e4 ");
    const struct policy_ace *rated = gate_next_rated(&g, &at);
    CHECK("Submit counts", rated && rated->rate == 3);
    CHECK("and nothing else", !gate_next_rated(&g, &at));
    struct intake_result r = {
        .authors_complete = true, .from_count = 2, .from = {SPAN("y@far.test"), SPAN("a@example.com")}};
    CHECK_INT("authors", gate_message(&g, &r).answer.verdict, SMTP_ANSWER_OK);
    CHECK_STR("authors", seen.text, "e0 e1 e2 e4 e3 ");
    at = 0;
    rated = gate_next_rated(&g, &at);
    CHECK("the author's right counts at the end", rated && rated->rate == 2 && !gate_next_rated(&g, &at));
    mail(&g, "x@far.test");
    CHECK_STR("once more in the next transaction", seen.text, "e0 e1 e2 e4 e3 e0 e1 ");
    arena_clear(&arena);
    test_policy_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions),    cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_send_as),         cmocka_unit_test(test_send_as_is_not_asked),
        cmocka_unit_test(test_send_as_at_rcpt), cmocka_unit_test(test_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
