/*
 * test_trail.c: what the audit trail says of a statement, that it is bound to the change, and that no secret gets
 * into it; policies on trial.
 */
#include "check.h"
#include "cmdlet/pending.h"
#include "cmdlet/test_support.h"
#include "cmdlet/trail.h"
#include "cmdlet/transaction.h"

#include <string.h>

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define MARKER    "Zaubernuss"

struct watched {
    struct bench b;
    struct object_store *policy, *recipients;
    struct trail trail;
};

static void set_up(struct watched *w, unsigned flags)
{
    bench_init(&w->b, flags);
    w->policy = w->b.context.policy;
    w->recipients = w->b.context.recipients;
    trail_init(&w->trail, w->policy, w->recipients, &w->b.context);
    trail_set_caller(&w->trail, "alice");
    w->b.context.policy = &w->trail.policy.store;
    w->b.context.recipients = w->recipients == w->policy ? w->b.context.policy : &w->trail.recipients.store;
}

static void tear_down(struct watched *w)
{
    trail_done(&w->trail);
    w->b.context.policy = w->policy;
    w->b.context.recipients = w->recipients;
    bench_done(&w->b);
}

static void print(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static enum err_code run(struct watched *w, const char *text)
{
    struct script script;
    const struct shell shell = {.table = &w->b.table,
                                .host = &w->b.host,
                                .context = &w->b.context,
                                .transaction = &cmdlet_transaction,
                                .output = {.out = print, .context = &w->b.out}};
    buf_clear(&w->b.out);
    enum err_code code = syntax_parse(span_of(text), &w->b.arena, &script, NULL, &w->b.err);
    for (size_t i = 0; !code && i < script.count; i++) {
        trail_set_statement(&w->trail, &w->b.table, &script.statements[i]);
        code = shell_execute(&shell, &script.statements[i], &w->b.err);
    }
    return code;
}

static void run_ok(struct watched *w, const char *text)
{
    if (run(w, text))
        fail_msg("`%s`: %s", text, w->b.err.text);
}

static bool has(const struct watched *w, const char *text)
{
    return w->b.out.len && memmem(w->b.out.ptr, w->b.out.len, text, strlen(text));
}

static void check_has(const char *row, const struct watched *w, const char *text)
{
    if (!has(w, text))
        fail_msg("%s: no `%s` in:\n%.*s", row, text, (int)w->b.out.len, w->b.out.ptr ? w->b.out.ptr : "");
}

#define LOG "Get-AdminAuditLog | ConvertTo-Json -Compress -Depth 5 -AsArray"

static void test_entries(void **state UNUSED)
{
    static const struct {
        const char *name, *before, *script;
        const char *has[6], *lacks[3];
        int count; /* of entries */
    } rows[] = {
        {"a property", "", "Set-ReceiveConnector 'Default mail' -MaxMessageSize 25MB",
         .has = {"\"Caller\":\"alice\"", "\"CmdletName\":\"Set-ReceiveConnector\"",
                 "\"ObjectModified\":\"ReceiveConnector\\\\Default mail\"",
                 "[{\"Name\":\"MaxMessageSize\",\"OldValue\":\"10MB\",\"NewValue\":\"25MB\"}]",
                 "\"CmdletParameters\":[\"'Default mail'\",\"-MaxMessageSize 25MB\"]",
                 "\"Statement\":\"Set-ReceiveConnector 'Default mail' -MaxMessageSize 25MB\""},
         .count = 1},
        {"the value that was there", "", "Set-ReceiveConnector 'Default mail' -MaxMessageSize 10MB", .count = 0},
        {"what reads", "", "Get-ReceiveConnector | ft; Get-AdminAuditLog", .count = 0},
        {"what would be", "", "Set-ReceiveConnector 'Default mail' -MaxMessageSize 25MB -WhatIf", .count = 0},
        {"an object with its ACL", "",
         "New-ReceiveConnector x -Bindings 0.0.0.0:2999 -RemoteIPRanges 10.0.0.1 "
         "-PermissionGroups AnonymousUsers",
         .has = {"\"Action\":\"New\"", "{\"Name\":\"Bindings\",\"OldValue\":null,\"NewValue\":\"{0.0.0.0:2999}\"}",
                 "\"NewValue\":\"Allow ms-Exch-SMTP-Submit to NT AUTHORITY\\\\ANONYMOUS LOGON\""},
         .lacks = {"MaxMessageSize"}, .count = 1},
        {"an entry", "",
         "Get-ReceiveConnector 'Client mail' | Add-ADPermission -User " ANONYMOUS
         " -ExtendedRights ms-Exch-SMTP-Submit",
         .has = {"\"ObjectModified\":\"ReceiveConnector\\\\Client mail\"", "\"CmdletName\":\"Add-ADPermission\"",
                 "\"Action\":\"Set\"", "Get-ReceiveConnector 'Client mail' | Add-ADPermission"},
         .count = 1},
        {"a narrowed entry", "",
         "Get-ReceiveConnector 'Client mail' | Add-ADPermission -User " ANONYMOUS
         " -ExtendedRights ms-Exch-SMTP-Submit -Recipients *@a.test -RequireTls",
         .has = {"to NT AUTHORITY\\\\ANONYMOUS LOGON (Recipients: {*@a.test}, RequireTls: True)\""}, .count = 1},
        {"removal", "New-SendConnector out -AddressSpaces '*'",
         "Get-SendConnector out | Remove-SendConnector -Confirm:$false",
         .has = {"\"Action\":\"Remove\"", "\"CmdletName\":\"Remove-SendConnector\"",
                 "\"OldValue\":\"{*}\",\"NewValue\":null", "\"OldValue\":\"Allow ms-Exch-Send-Headers-Routing to"},
         .count = 1},
        {"a recipient", "", "New-Mailbox bob -Password " MARKER,
         .has = {"\"ObjectModified\":\"Mailbox\\\\bob\"",
                 "{\"Name\":\"Password\",\"OldValue\":null,\"NewValue\":\"changed\"}", "-Password ***"},
         .count = 1},
        {"a new password", "New-Mailbox bob -Password p", "Get-Mailbox bob | Set-Mailbox -Password:'" MARKER "'",
         .has = {"{\"Name\":\"Password\",\"OldValue\":null,\"NewValue\":\"changed\"}", "Set-Mailbox -Password ***"},
         .count = 1},
        {"a name for people only", "New-Mailbox bob -Password p", "Set-Mailbox bob -DisplayName B",
         .has = {"\"NewValue\":\"B\""}, .lacks = {"changed", "\"Password\""}, .count = 1},
        {"in brackets", "", "(New-Mailbox bob -Password '" MARKER "') | Set-Mailbox -DisplayName B",
         .has = {"\"Statement\":\"(...) | Set-Mailbox -DisplayName B\""}, .count = 1},
        {"with a comment inside", "",
         "New-Mailbox bob `\n -Password x <# " MARKER " #>; Set-Mailbox bob -DisplayName b", .count = 2},
        {"both stores",
         "New-Mailbox bob -Password p; Get-ReceiveConnector 'Client mail' | Add-ADPermission -User bob "
         "-ExtendedRights ms-Exch-SMTP-Accept-Any-Sender",
         "Remove-Mailbox bob -Confirm:$false",
         .has = {"\"ObjectModified\":\"Mailbox\\\\bob\"", "\"ObjectModified\":\"ReceiveConnector\\\\Client mail\""},
         .count = 2},
        {"many", "",
         "New-Mailbox a -Password p; New-Mailbox b -Password p; Get-Mailbox | Set-Mailbox -DisplayName x",
         .count = 4},
        {"a smart host's password", "",
         "New-SendConnector o -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 "
         "-SmartHostAuthMechanism "
         "BasicAuth -AuthenticationUserName u -AuthenticationPassw " MARKER,
         .has = {"\"Name\":\"AuthenticationPassword\",\"OldValue\":null,\"NewValue\":\"changed\"",
                 "-AuthenticationPassw ***"},
         .count = 1},
        {"members", "New-Mailbox bob -Password p; New-DistributionGroup g",
         "Add-DistributionGroupMember g -Member bob", .has = {"\"Name\":\"Members\",\"OldValue\":\"{}\""},
         .count = 1},
    };
    static const unsigned flags[] = {0, BENCH_SQLITE};
    for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(flags); i++) {
        const char *name = rows[i / 2].name;
        struct watched w;
        set_up(&w, flags[i % 2]);
        if (rows[i / 2].before[0])
            run_ok(&w, rows[i / 2].before);
        run_ok(&w, "Get-AdminAuditLog | Measure-Object | Select-Object -ExpandProperty Count");
        int before = w.b.out.ptr[0] - '0';
        if (run(&w, rows[i / 2].script) && rows[i / 2].count)
            fail_msg("%s: %s", name, w.b.err.text);
        run_ok(&w, "Get-AdminAuditLog | Measure-Object | Select-Object -ExpandProperty Count");
        CHECK_INT(name, w.b.out.ptr[0] - '0' - before, rows[i / 2].count);
        char log[120];
        snprintf(log, sizeof log, "Get-AdminAuditLog -ResultSize %d | ConvertTo-Json -Compress -Depth 5 -AsArray",
                 rows[i / 2].count ? rows[i / 2].count : 1);
        run_ok(&w, log);
        if (has(&w, MARKER))
            fail_msg("%s: a secret in:\n%.*s", name, (int)w.b.out.len, w.b.out.ptr);
        if (!rows[i / 2].before[0] && !rows[i / 2].count)
            CHECK_SPAN(name, buf_span(&w.b.out), SPAN("[]\n"));
        for (size_t k = 0; k < ARRAY_LEN(rows[i / 2].has) && rows[i / 2].has[k]; k++)
            check_has(name, &w, rows[i / 2].has[k]);
        for (size_t k = 0; k < ARRAY_LEN(rows[i / 2].lacks) && rows[i / 2].lacks[k]; k++)
            if (has(&w, rows[i / 2].lacks[k]))
                fail_msg("%s: there is `%s` in:\n%.*s", name, rows[i / 2].lacks[k], (int)w.b.out.len, w.b.out.ptr);
        tear_down(&w);
    }
}

/* A statement that fails leaves no entry, wherever it fails. */
static void test_failures(void **state UNUSED)
{
    struct watched w;
    set_up(&w, 0);
    assert_int_equal(run(&w, "Set-ReceiveConnector 'Client mail' -Bindings 0.0.0.0:2025"), ERR_CONFLICT);
    assert_int_equal(run(&w, "Get-ReceiveConnector | Set-ReceiveConnector -Comment c -Name same"), ERR_EXISTS);
    run_ok(&w, LOG);
    CHECK_SPAN("none", buf_span(&w.b.out), SPAN("[]\n"));
    tear_down(&w);
}

static void test_query(void **state UNUSED)
{
    static const struct {
        const char *name, *query;
        int count; /* -1: an error */
    } rows[] = {
        {"all", "", 4},
        {"how many", "-ResultSize 3", 3},
        {"cmdlet", "-Cmdlets Set-TransportConfig", 1},
        {"cmdlets", "-Cmdlets set-transport*,New-Mailbox", 2},
        {"object", "-ObjectIds bob", 2},
        {"object with its class", "-ObjectIds mailbox\\*", 2},
        {"user", "-UserIds alice", 4},
        {"no such user", "-UserIds nobody", 0},
        {"since the beginning", "-StartDate 2023-11-14", 4},
        {"as Exchange writes it", "-StartDate '11/14/2023'", 4},
        {"from later on", "-StartDate 2023-11-15T00:00:00Z", 0},
        {"until before", "-EndDate '2023-11-14 22:13'", 0},
        {"until then", "-StartDate 2023-11-14T22:13 -EndDate 2023-11-14T23:59:59.999", 4},
        {"the other name", "| Out-Null", -1},
        {"no date", "-StartDate yesterday", -1},
        {"no day", "-StartDate 2023-02-30", -1},
        {"half a time", "-StartDate 2023-02-20T1", -1},
        {"half a date", "-StartDate 2/2", -1},
        {"a short date of theirs", "-EndDate '1/2/2023 10:00'", 0},
        {"no size", "-ResultSize 0", -1},
    };
    struct watched w;
    set_up(&w, 0);
    run_ok(&w, "New-Mailbox bob -Password p; Set-TransportConfig -MaxSendSize 5MB; Set-Mailbox bob -DisplayName B; "
               "Set-ReceiveConnector 'Default mail' -Comment x");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[200];
        snprintf(text, sizeof text, "Get-AdminAuditLog %s | Measure-Object | Select-Object -ExpandProperty Count",
                 rows[i].query);
        enum err_code code = run(&w, text);
        CHECK_INT(rows[i].name, code != ERR_NONE, rows[i].count < 0);
        if (!code)
            CHECK_INT(rows[i].name, w.b.out.ptr[0] - '0', rows[i].count);
    }
    run_ok(&w, "Search-AdminAuditLog -ResultSize 1 | fl ObjectModified, Changes");
    check_has("the newest first", &w, "Default mail");
    check_has("for people", &w, "Comment:  -> x");
    tear_down(&w);
}

/* ---- policies on trial ---- */

#define POLICY                                                                                                     \
    "New-AcceptedDomain other.example -DomainName other.example\nNew-ReceiveConnector 'Client mail' -Usage "       \
    "Custom "                                                                                                      \
    "-Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.1\n"

static struct span export_text(struct watched *w)
{
    run_ok(w, "Export-Policy");
    return arena_dup(&w->b.arena, buf_span(&w->b.out));
}

static enum err_code roll_back(struct watched *w)
{
    enum err_code code = object_store_begin(w->b.context.policy, &w->b.err);
    if (!code)
        code = pending_roll_back(&w->b.context, &w->b.err);
    if (!code)
        return object_store_commit(w->b.context.policy, &w->b.err);
    object_store_rollback(w->b.context.policy);
    return code;
}

static void test_trial(void **state UNUSED)
{
    static const unsigned flags[] = {0, BENCH_SQLITE};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct watched w;
        struct pending p;
        set_up(&w, flags[i]);
        run_ok(&w, "New-SendConnector old -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 "
                   "-SmartHostAuthMechanism BasicAuth -AuthenticationUserName u -AuthenticationPassword " MARKER);
        struct span before = export_text(&w);
        w.b.file = POLICY;
        CHECK_INT("none", run(&w, "Confirm-Policy"), ERR_NOT_FOUND);
        CHECK_INT("none", run(&w, "Undo-Policy -Confirm:$false"), ERR_NOT_FOUND);
        CHECK_INT("too short", run(&w, "Import-Policy f -Confirm:$false -ConfirmWithin 00:00:00.100"), ERR_INVALID);
        run_ok(&w, "Import-Policy f -Confirm:$false -ConfirmWithin 10:00:00");
        struct span after = export_text(&w);
        assert_false(span_eq(before, after));
        CHECK_INT("waits", pending_read(w.b.context.policy, &p, &w.b.err), ERR_NONE);
        assert_true(p.deadline_ms == p.applied_ms + 36000000);
        CHECK_INT("one at a time", run(&w, "Import-Policy f -Confirm:$false"), ERR_CONFLICT);
        assert_non_null(strstr(w.b.err.text, "apply --confirm"));
        /* what others do meanwhile, a name of the old policy included, is no hindrance */
        run_ok(&w,
               "Set-ReceiveConnector 'Client mail' -Name 'Default mail'; New-ReceiveConnector 'Client mail' -Usage "
               "Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.2; New-SendConnector old -AddressSpaces "
               "x.example");
        CHECK_INT("undone", roll_back(&w), ERR_NONE);
        CHECK_SPAN("as before", export_text(&w), before);
        struct record **all;
        size_t count;
        assert_int_equal(object_store_list(w.policy, SPAN("SendConnector"), &w.b.arena, &all, &count, &w.b.err), 0);
        CHECK_SPAN("with its secret", record_get(all[0], SPAN("AuthenticationPassword"))->s, SPAN(MARKER));
        CHECK_INT("waits no more", pending_read(w.b.context.policy, &p, &w.b.err), ERR_NONE);
        assert_true(p.deadline_ms == 0);
        run_ok(&w, "Import-Policy f -Confirm:$false -ConfirmWithin 10:00:00; Confirm-Policy");
        CHECK_SPAN("kept", export_text(&w), after);
        CHECK_INT("confirmed", run(&w, "Undo-Policy -Confirm:$false"), ERR_NOT_FOUND);
        w.b.file = before.ptr;
        run_ok(&w, "Get-AdminAuditLog -Cmdlets Confirm-Policy | fl");
        check_has("the confirmation", &w, "Note\\pending-policy");
        tear_down(&w);
    }
}

static void test_trial_refusals(void **state UNUSED)
{
    struct watched w;
    set_up(&w, 0);
    w.b.file = POLICY "New-Mailbox a -PrimarySmtpAddress a@other.example\n";
    CHECK_INT("recipients", run(&w, "Import-Policy f -Recipients -Confirm:$false -ConfirmWithin 00:05:00"),
              ERR_DENIED);
    w.b.file = POLICY;
    run_ok(&w, "Import-Policy f -Confirm:$false -ConfirmWithin 00:00:01");
    for (int i = 0; i < 3; i++)
        w.b.context.now_ms(); /* the bench's clock goes on by a second each time */
    CHECK_INT("too late", run(&w, "Confirm-Policy"), ERR_CONFLICT);
    CHECK_INT("undone all the same", roll_back(&w), ERR_NONE);
    run_ok(&w, "Import-Policy f -Confirm:$false; Import-Policy f -Confirm:$false -ConfirmWithin 00:00:01");
    CHECK_INT("nothing to do, nothing to undo", roll_back(&w), ERR_NOT_FOUND);
    CHECK_INT("not what was shown", run(&w, "Import-Policy f -Confirm:$false -Generation 1"), ERR_CONFLICT);
    tear_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_entries), cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_query), cmocka_unit_test(test_trial),
                                       cmocka_unit_test(test_trial_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
