/*
 * test_plan_replay.c: Compare-Policy -Replay over facts that are given: which of them count, what is said where
 * there are none, the table, the object, and how far it has come.
 */
#include "check.h"
#include "cmdlet/export.h"
#include "cmdlet/test_support.h"

#include <stdlib.h>
#include <string.h>

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define RELAY     "ms-Exch-SMTP-Accept-Any-Recipient"
#define CLEAR     "192.0.2.7"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };
static const int64_t start = 1790000000000;

/* ---- what was recorded ---- */

struct given {
    struct fact_view view;     /* first */
    size_t count;              /* facts of the client CLEAR */
    const char *user, *sender; /* NULL: nobody, and somebody far away */
    int64_t first_ms, last_ms;
    enum err_code code;
};

static enum err_code visit(struct fact_view *view, int64_t since_ms, facts_each_fn *each, void *context,
                           struct err *err)
{
    const struct given *g = (const struct given *)view;
    for (size_t i = 0; i < g->count; i++) {
        struct fact f = {.question = FACT_OF_RCPT,
                         .code = 250,
                         .count = 1,
                         .first_ms = g->first_ms,
                         .last_ms = g->last_ms,
                         .text = {[FACT_LOCAL] = SPAN_INIT("192.0.2.1:2025"),
                                  [FACT_REMOTE] = SPAN_INIT(CLEAR),
                                  [FACT_HELO] = SPAN_INIT("client.test"),
                                  [FACT_SENDER] = SPAN_INIT("app@far.test"),
                                  [FACT_RECIPIENT] = SPAN_INIT("bob@other.test")}};
        if (g->user) {
            f.text[FACT_USER] = span_of(g->user);
            f.text[FACT_MECHANISM] = SPAN("LOGIN");
        }
        if (g->sender)
            f.text[FACT_SENDER] = span_of(g->sender);
        if (f.last_ms >= since_ms && !each(context, SPAN(CLEAR), &f))
            break;
    }
    return g->code ? err_set(err, g->code, "facts.db cannot be read") : ERR_NONE;
}

/* Each look at the clock takes its time. */
static int64_t clock_ms;
static int64_t ticks(void)
{
    return clock_ms += 200;
}

static size_t told;
static char last_told[100];
static void progress(struct shell_host *host UNUSED, struct span text)
{
    told++;
    assert_true(text.len < sizeof last_told);
    memcpy(last_told, text.ptr ? text.ptr : "", text.len);
    last_told[text.len] = '\0';
}

/* Runs a plan of what the change makes of what there is. */
static enum err_code compare_with(struct bench *b, struct given *g, const char *present, const char *change,
                                  const char *options)
{
    bool recipients = strstr(options, "-Recipients");
    struct buf script, statement;
    bench_init(b, 0);
    buf_init(&script, EXPORT_MAX);
    buf_init(&statement, 4096);
    if (bench_run(b, present) || export_policy(&b->context, recipients, &script, &b->err))
        fail_msg("%s", b->err.text);
    buf_addf(&script, "\n%s\n%c", change, 0);
    buf_addf(&statement, "Compare-Policy f %s%c", options, 0);
    g->view.visit = visit;
    clock_ms = start;
    told = 0;
    b->context.now_ms = ticks;
    b->context.facts = &g->view;
    b->host.progress = progress;
    b->file = script.ptr;
    enum err_code code = bench_run(b, statement.ptr);
    buf_done(&statement);
    buf_done(&script);
    return code;
}

/* The client CLEAR loses its relay. */
static enum err_code compare(struct bench *b, struct given *g, const char *options)
{
    return compare_with(
        b, g,
        "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges " CLEAR
        " -PermissionGroups AnonymousUsers; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY,
        "Remove-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY " -Confirm:$false", options);
}

static bool has(struct bench *b, const char *text)
{
    return memmem(b->out.ptr, b->out.len, text, strlen(text)) != NULL;
}

static void spans(void **state UNUSED)
{
    static const struct {
        const char *name, *options;
        struct given given;
        enum err_code code;
        const char *says; /* in the error, or the output */
        const char *lacks;
    } rows[] = {
        {"in the time",
         "-Replay 1h",
         {.count = 1, .first_ms = -2 * HOUR, .last_ms = -MINUTE},
         ERR_NONE,
         "550 5.7.1 Unable to relay",
         "nothing is known"},
        {"the last of it in the time",
         "-Replay 1m",
         {.count = 1, .first_ms = -2 * HOUR, .last_ms = -MINUTE / 2},
         ERR_NONE,
         "550 5.7.1 Unable to relay",
         "nothing is known"},
        {"a time from before anything was recorded",
         "-Replay 7d",
         {.count = 1, .first_ms = -2 * HOUR, .last_ms = -MINUTE},
         ERR_NONE,
         "Recorded is what clients did since 2026-09-21T",
         NULL},
        {"all of it before",
         "-Replay 1h",
         {.count = 1, .first_ms = -4 * HOUR, .last_ms = -2 * HOUR},
         ERR_NOT_FOUND,
         "Compare-Policy -Replay 01:00:00: no client was here in that time, and the last one that was came at "
         "2026-09-21T",
         NULL},
        {"never anything", "-Replay 1h", {.count = 0}, ERR_NOT_FOUND, "no client was ever here", NULL},
        {"not readable", "-Replay 1h", {.count = 0, .code = ERR_IO}, ERR_IO, "facts.db cannot be read", NULL},
        {"not asked for", "", {.count = 1, .last_ms = -MINUTE}, ERR_NONE, "remove", "replay"},
        {"no unit that is one",
         "-Replay 7x",
         {.count = 1},
         ERR_INVALID,
         "Compare-Policy -Replay 7x: a time back",
         NULL},
        {"a number alone", "-Replay 7", {.count = 1}, ERR_INVALID, "-Replay 7: a time back", NULL},
        {"too short", "-Replay 59s", {.count = 1}, ERR_INVALID, "from one minute", NULL},
        {"too long", "-Replay 31d", {.count = 1}, ERR_INVALID, "to 30 days", NULL},
        {"nothing", "-Replay ''", {.count = 1}, ERR_INVALID, "7d, 12h, 30m", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        struct given g = rows[i].given;
        g.first_ms += start;
        g.last_ms += start;
        CHECK_INT(rows[i].name, compare(&b, &g, rows[i].options), rows[i].code);
        CHECK(rows[i].name, rows[i].code ? strstr(b.err.text, rows[i].says) != NULL
                                         : has(&b, *rows[i].options ? rows[i].says : "Apps"));
        CHECK(rows[i].name, !rows[i].lacks || !has(&b, rows[i].lacks));
        CHECK_INT(rows[i].name, told, 0); /* it is over at once */
        bench_done(&b);
    }
}

static void table(void **state UNUSED)
{
    struct bench b;
    struct given g = {.count = 3, .first_ms = start - HOUR, .last_ms = start - MINUTE};
    assert_int_equal(compare(&b, &g, "-Replay 1h"), ERR_NONE);
    assert_true(has(&b, "\n! " CLEAR "  (nobody)  3 recipients  2026-09-21T"));
    assert_true(has(&b, "  accepted  550 5.7.1 Unable to relay\n    " RELAY ": "));
    assert_true(has(&b, "(as from <app@far.test> to <bob@other.test>)"));
    assert_true(has(
        &b,
        "\nReplayed 3 facts of 1 client (0 sessions, 0 messages, 3 recipients); something changes for 1 client."));
    bench_done(&b);
}

static void object(void **state UNUSED)
{
    static const char *const parts[] = {"\"Window\": \"01:00:00\"",
                                        "\"RecordedSince\": \"2026-09-21T",
                                        "\"Facts\": 3",
                                        "\"Dialogues\": 1",
                                        "\"RemoteIP\": \"" CLEAR "\"",
                                        "\"Change\": \"Refused\"",
                                        "\"DecidedBy\": \"" RELAY "\"",
                                        "\"Recipients\": 3"};
    struct bench b;
    struct given g = {.count = 3, .first_ms = start - HOUR, .last_ms = start - MINUTE};
    assert_int_equal(compare(&b, &g, "-AsJson -Replay 1h"), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        CHECK(parts[i], has(&b, parts[i]));
    bench_done(&b);
}

/* Now and then, and at the end the line is empty again. */
static void long_work(void **state UNUSED)
{
    struct bench b;
    struct given g = {.count = 20000, .first_ms = start - HOUR, .last_ms = start - MINUTE};
    assert_int_equal(compare(&b, &g, "-Replay 1h"), ERR_NONE);
    assert_true(has(&b, "20000 recipients"));
    assert_true(told > 2 && told < 12);
    assert_string_equal(last_told, "");
    bench_done(&b);
}

/* Users, their groups and what they may send as are those of the store, or of the script that says them. */
static void recipients(void **state UNUSED)
{
#define GRANT "Add-ADPermission Apps -User outer@example.com -ExtendedRights " RELAY
    static const char present[] =
        "New-Mailbox alice@example.com -PrimarySmtpAddress alice@example.com -Password 'long enough 1'; "
        "New-Mailbox info@example.com -PrimarySmtpAddress info@example.com -Password 'long enough 1'; "
        "New-DistributionGroup inner -PrimarySmtpAddress inner@example.com; "
        "New-DistributionGroup outer -PrimarySmtpAddress outer@example.com; "
        "Add-DistributionGroupMember inner -Member alice@example.com; "
        "Add-DistributionGroupMember outer -Member inner@example.com; "
        "Add-ADPermission info@example.com -User outer@example.com -ExtendedRights Send-As; "
        "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges " CLEAR
        " -AuthMechanism BasicAuth; "
        "Add-ADPermission Apps -User 'NT AUTHORITY\\Authenticated Users' -ExtendedRights "
        "ms-Exch-SMTP-Submit; " GRANT;
    static const struct {
        const char *name, *user, *sender, *change, *options, *says;
    } rows[] = {
        {"nothing changes", "alice@example.com", "alice@example.com", "", "-Replay 1h",
         "would come out as it does now"},
        {"a member of a group in a group", "alice@example.com", "alice@example.com",
         "Remove-ADPermission Apps -User outer@example.com -ExtendedRights " RELAY " -Confirm:$false", "-Replay 1h",
         "550 5.7.1 Unable to relay"},
        {"who is none loses nothing", "info@example.com", "info@example.com",
         "Remove-ADPermission Apps -User outer@example.com -ExtendedRights " RELAY " -Confirm:$false", "-Replay 1h",
         "would come out as it does now"},
        {"the script takes a member out", "alice@example.com", "alice@example.com",
         "Remove-DistributionGroupMember inner -Member alice@example.com -Confirm:$false", "-Recipients -Replay 1h",
         "550 5.7.1 Unable to relay"},
        {"the script leaves all as it is", "alice@example.com", "info@example.com", "", "-Recipients -Replay 1h",
         "would come out as it does now"},
        {"the script takes Send-As away", "alice@example.com", "info@example.com",
         "Remove-ADPermission info@example.com -User outer@example.com -ExtendedRights Send-As -Confirm:$false",
         "-Recipients -Replay 1h", "5.7.1 Client does not have permissions to send as this sender"},
        {"the script takes the mailbox away", "alice@example.com", "alice@example.com",
         "Remove-Mailbox alice@example.com -Confirm:$false", "-Recipients -Replay 1h", "535 5.7.3"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        struct given g = {.count = 2,
                          .first_ms = start - HOUR,
                          .last_ms = start - MINUTE,
                          .user = rows[i].user,
                          .sender = rows[i].sender};
        if (compare_with(&b, &g, present, rows[i].change, rows[i].options))
            fail_msg("%s: %s", rows[i].name, b.err.text);
        if (!has(&b, rows[i].says) || !has(&b, "Replayed 2 facts of 1 client "))
            fail_msg("%s: %.*s", rows[i].name, (int)b.out.len, b.out.ptr);
        bench_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(spans), cmocka_unit_test(table),
                                              cmocka_unit_test(object), cmocka_unit_test(recipients),
                                              cmocka_unit_test(long_work)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
