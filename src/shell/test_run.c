/* Running: what arguments bind to, what pipelines give, and that a statement is all or nothing. */
#include "check.h"
#include "shell/test_world.h"

#include <string.h>

/* Text to what is printed; or, with `error`, parts that the error has. */
struct row {
    const char *text, *out;
    enum err_code code;
    const char *says[3];
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct world w;
        const struct row *r = &rows[i];
        world_init(&w);
        enum err_code code = world_run(&w, span_of(r->text));
        if (code && !r->code)
            print_error("error: %s\n", w.error.text);
        CHECK_INT(r->text, code, r->code);
        CHECK_SPAN(r->text, buf_span(&w.out), span_of(r->out));
        for (size_t k = 0; k < ARRAY_LEN(r->says) && r->says[k]; k++) {
            if (!strstr(w.error.text, r->says[k]))
                print_error("error: %s\n", w.error.text);
            CHECK(r->text, strstr(w.error.text, r->says[k]));
        }
        CHECK(r->text, code ? w.error.text[0] != 0 : w.error.text[0] == 0);
        CHECK_INT(r->text, w.committed + w.rolled_back, w.begun);
        world_done(&w);
    }
}

/* The numbers are enum value_kind: 0 null, 1 bool, 2 int, 3 string, 4 list, 5 record. */
static const struct row binds[] = {
    {"Show-Arguments", "\n"},
    {"show-arguments -name x", "Name:3=x\n"},
    {"Show-Arguments x 5", "Name:3=x Number:2=5\n"},
    {"Show-Arguments 5 -Name x", "Name:3=x Number:2=5\n"},
    {"Show-Arguments -No 10MB", "Number:3=10MB\n"},
    {"Show-Arguments -Na x -Nu 007", "Name:3=x Number:3=007\n"},
    {"Show-Arguments -RemoteI a,1", "RemoteIPRanges:4={a, 1}\n"},
    {"Show-Arguments -Force", "Force:1=True\n"},
    {"Show-Arguments -Force x", "Force:1=True Name:3=x\n"},
    {"Show-Arguments -Force:$false -Name:x", "Force:1=False Name:3=x\n"},
    {"Show-Arguments -Force:true", "Force:1=True\n"},
    {"Show-Arguments -Forc", "Force:1=True\n"},
    {"Show-Arguments -Fores 1", "ForestHidden:2=1\n"},
    {"Show-Arguments -Name $null -Number $true", "Name:0= Number:1=True\n"},
    {"Show-Arguments -Name @{Add='x','y'; Remove='z'}", "Name:5=Add>{x, y}Remove>z\n"},
    {"Show-Arguments (Get-Thing alpha).Count", "Name:2=3\n"},
    {"Show-Arguments (Get-Thing *ta).Name", "Name:4={Beta, delta}\n"},
    {"Show-Arguments (Get-Thing *).Tags", "Name:4={red, Blue, red, green, blue, red, 12, Red}\n"},
    {"Show-Arguments (Get-Thing).Count", "Name:2=6\n"},
    {"Show-Arguments -ErrorAction Stop -Verbose:$false x", "Name:3=x\n"},
    {"Show-Arguments -ea stop x", "Name:3=x\n"},
    {"Show-Arguments 'a',(1,2),b", "Name:4={a, 1, 2, b}\n"},

    {"Show-Argument x",
     "",
     ERR_NOT_FOUND,
     {"there is no command \"Show-Argument\"", "did you mean Show-Arguments?"}},
    {"Frobnicate", "", ERR_NOT_FOUND, {"\"Frobnicate\"", "Get-Command"}},
    {"Show-Arguments -Nmae x",
     "",
     ERR_INVALID,
     {"Show-Arguments: there is no parameter -Nmae", "did you mean -Name?"}},
    {"Show-Arguments -Colour x", "", ERR_INVALID, {"-Colour", "there are -Name, -Number", "-ErrorAction"}},
    {"Show-Arguments -Remote x", "", ERR_INVALID, {"-Remote may mean any of -RemoteIPRanges, -RemoteTag"}},
    {"Show-Arguments -Name", "", ERR_INVALID, {"-Name wants a value: -Name <String>"}},
    {"Show-Arguments -Name -Force", "", ERR_INVALID, {"-Name wants a value"}},
    {"Show-Arguments -Name x -name y", "", ERR_INVALID, {"-Name is given twice"}},
    {"Show-Arguments a b c", "", ERR_INVALID, {"Show-Arguments: c stands without the name of its parameter"}},
    {"Show-Arguments a b -Force $false", "", ERR_INVALID, {"-Force is a switch", "-Force:$false"}},
    {"Show-Arguments -Force:maybe", "", ERR_INVALID, {"-Force is a switch"}},
    {"Show-Arguments -ErrorAction Ask", "", ERR_INVALID, {"-ErrorAction is one of Stop"}},
    {"Show-Arguments -WhatIf", "", ERR_INVALID, {"there is no parameter -WhatIf"}},
    {"Show-Arguments $_", "", ERR_INVALID, {"$_ is the present object"}},
    {"Set-Thing", "", ERR_INVALID, {"Set-Thing: -Identity <Name> must be given"}},
    {"New-Secret x 'pw-Secret'", "", ERR_INVALID, {"New-Secret: a value stands without the name"}},
};

static void test_binding(void **state)
{
    (void)state;
    check_rows(binds, ARRAY_LEN(binds));
}

#define NAMES " | Select-Object -ExpandProperty Name"

static const struct row pipelines[] = {
    {"Get-Thing" NAMES, "alpha\nBeta\ngamma\ndelta\nit's\ncaf\u00e9\n"},
    {"'alpha','Beta' | Get-Thing" NAMES, "alpha\nBeta\n"},
    {"Get-Thing | where {$_.Enabled -eq $false}" NAMES, "Beta\nit's\n"},
    {"Get-Thing | where Enabled" NAMES, "alpha\ngamma\ndelta\ncaf\u00e9\n"},
    {"Get-Thing | ? Name -like '*TA'" NAMES, "Beta\ndelta\n"},
    {"Get-Thing | where -Property Name -clike '*ta' | where Count -gt 3" NAMES, "Beta\n"},
    {"Get-Thing | where {$_.Size -ge 1MB}" NAMES, "alpha\ngamma\ndelta\n"},
    {"Get-Thing | where {$_.Size -gt '10MB'}" NAMES, "gamma\n"},
    {"Get-Thing | where {$_.Size -eq 'Unlimited' -or $_.Size -lt 1KB}" NAMES, "gamma\nit's\n"},
    {"Get-Thing | where {$_.Age -lt '00:01:00'}" NAMES, "alpha\nit's\ncaf\u00e9\n"},
    {"Get-Thing | where {$_.Since -ge '1970-01-01T00:05:00Z'}" NAMES, "Beta\ngamma\n"},
    {"Get-Thing | where {$_.Tags -contains 'BLUE'}" NAMES, "alpha\ndelta\n"},
    {"Get-Thing | where {$_.Tags -ccontains 'blue'}" NAMES, "delta\n"},
    {"Get-Thing | where {$_.Tags -notcontains 'red'}" NAMES, "gamma\nit's\n"},
    {"Get-Thing | where {'green' -in $_.Tags}" NAMES, "delta\n"},
    {"Get-Thing | where Name -in alpha,gamma" NAMES, "alpha\ngamma\n"},
    {"Get-Thing | where {$_.Tags -like 'g*'}" NAMES, "delta\n"},
    {"Get-Thing | where {$_.Tags.Count -ge 2}" NAMES, "alpha\ndelta\n"},
    {"Get-Thing | where {$_.Note -eq $null}" NAMES, "alpha\n"},
    {"Get-Thing | where {!$_.Note}" NAMES, "alpha\nit's\n"},
    {"Get-Thing | where {$_.Name -match '^[a-b]' -and -not ($_.Count -eq 3)}" NAMES, "Beta\n"},
    {"Get-Thing | where {$_.Count -eq 3 -or $_.Count -eq 20 -and $_.Enabled}" NAMES, "alpha\ndelta\n"},
    {"Get-Thing | where {$_.Count -eq 3 -xor $_.Enabled}" NAMES, "gamma\ncaf\u00e9\n"},
    {"Get-Thing | where {$_.Password -eq 'hush'}" NAMES, ""},
    {"Get-Thing | where {$_.Nothing}" NAMES, ""},
    {"Get-Thing | where {(Get-Thing $_.Name).Count -eq 100}" NAMES, "gamma\n"},
    {"Get-Thing | Sort-Object Name" NAMES, "alpha\nBeta\ncaf\u00e9\ndelta\ngamma\nit's\n"},
    {"Get-Thing | sort Count,Size -Desc" NAMES, "gamma\nBeta\nalpha\ndelta\nit's\ncaf\u00e9\n"},
    {"Get-Thing | sort Enabled" NAMES, "Beta\nit's\nalpha\ngamma\ndelta\ncaf\u00e9\n"},
    {"Get-Thing | sort Enabled -Descending" NAMES, "alpha\ngamma\ndelta\ncaf\u00e9\nBeta\nit's\n"},
    {"Get-Thing | sort Size | select -Last 1" NAMES, "gamma\n"},
    {"3,1,2 | sort", "1\n2\n3\n"},
    {"1,2,3,4,5 | select -First 2", "1\n2\n"},
    {"1,2,3,4,5 | select -Skip 1 -First 1 -Last 1", "2\n5\n"},
    {"1,2,3 | select -First 0", ""},
    {"1,2,3 | select -First 9 -Last 9", "1\n2\n3\n"},
    {"Get-Thing alpha | select -ExpandProperty Tags", "red\nBlue\n"},
    {"Get-Thing | Measure-Object | select -ExpandProperty Count", "6\n"},
    {"Get-Thing | measure Count -Sum -Average -Minimum -Maximum | fl",
     "\nCount    : 6\nProperty : Count\nAverage  : 19.833\nSum      : 119\nMaximum  : 100\nMinimum  : -7\n\n"},
    {"Get-Thing *a | where Name -ne gamma | measure Size -Sum | fl Sum", "\nSum : 11328KB\n\n"},
    {"echo 'x',2", "x\n2\n"},
    {"'x' | Write-Output", "x\n"},
    {"'a' -eq 'A'", "True\n"},
    {"(Get-Thing alpha).Size -gt 9MB", "True\n"},
    {"$null", ""},
    {"Get-Thing alpha | select Name,Nothing | ConvertTo-Json -Compress", "{\"Name\":\"alpha\",\"Nothing\":null}\n"},
    {"Get-Thing alpha | select C*,na*,Name | ConvertTo-Json -Compress", "{\"Count\":3,\"Name\":\"alpha\"}\n"},

    {"Get-Thing | where", "", ERR_INVALID, {"where {$_.Name -eq 'x'} or where Name -eq 'x' is expected"}},
    {"Get-Thing | where {$_.Name} -eq x", "", ERR_INVALID, {"an operator belongs into the { }"}},
    {"Get-Thing | where Name -eq x -ne y", "", ERR_INVALID, {"one operator at a time"}},
    {"Get-Thing | where {$_.Size -gt 'big'}", "", ERR_INVALID, {"\"10MB\" and \"big\" cannot be compared"}},
    {"Get-Thing | where {$_.Name -eq 'a','b'}", "", ERR_INVALID, {"wants -in"}},
    {"Get-Thing | where {$_.Name -match '('}", "", ERR_INVALID, {"\"(\" is not a usable regular expression"}},
    {"Get-Thing | select -First x", "", ERR_INVALID, {"-First wants a whole number"}},
    {"Get-Thing | select -First -1", "", ERR_INVALID, {"-First wants a whole number"}},
    {"Get-Thing | select -ExpandProperty Colour", "", ERR_INVALID, {"no property Colour"}},
    {"Get-Thing | select @{n='x'}", "", ERR_INVALID, {"-Property wants names"}},
    {"Get-Thing | sort {$_.Name}", "", ERR_INVALID, {"-Property wants names"}},
    {"Get-Thing | measure Name -Sum", "", ERR_INVALID, {"Name is not a number"}},
    {"Get-Thing | measure Size -Sum", "", ERR_INVALID, {"Size is not a number in every object"}},
    {"Get-Thing | measure Colour", "", ERR_INVALID, {"no object has a property Colour"}},
    {"Write-Output", "", ERR_INVALID, {"Write-Output"}},
    {"Get-Thing zeta", "", ERR_NOT_FOUND, {"\"zeta\" could not be found"}},
    {"Get-Thing | Get-Thin", "", ERR_NOT_FOUND, {"did you mean Get-Thing?"}},
};

static void test_pipelines(void **state)
{
    (void)state;
    check_rows(pipelines, ARRAY_LEN(pipelines));
}

/* What is changed, asked and said. */
static const struct {
    const char *text, *answer;
    bool commit_fails, no_transaction;
    enum err_code code;
    int kept, asked;
    const char *err, *warnings, *says;
} transactions[] = {
    {"Set-Thing Beta -Enabled $true", .kept = 1},
    {"Get-Thing | Set-Thing -Enabled $true", .code = ERR_DENIED, .says = "alpha is kept"},
    {"Get-Thing | sort Name -Descending | Set-Thing", .code = ERR_DENIED, .says = "alpha is kept"},
    {"Set-Thing Beta; Set-Thing alpha; Set-Thing gamma", .code = ERR_DENIED, .kept = 1},
    {"Get-Thing | where Name -ne alpha | Set-Thing", .kept = 5},
    {"Set-Thing Beta", .commit_fails = true, .code = ERR_UNAVAILABLE, .says = "busy"},
    {"Set-Thing Beta -WhatIf", .warnings = "warn: Beta\n"},
    {"Set-Thing Beta -WhatIf:$false", .kept = 1},
    {"Remove-Thing Beta", .answer = "y", .kept = 1, .asked = 1,
     .warnings = "ask: Are you sure? Remove-Thing \"Beta\"\n"},
    {"Remove-Thing Beta", .answer = "n", .asked = 1, .warnings = "ask: Are you sure? Remove-Thing \"Beta\"\n"},
    {"Remove-Thing Beta", .asked = 1, .code = ERR_UNAVAILABLE, .says = "add -Confirm:$false",
     .warnings = "ask: Are you sure? Remove-Thing \"Beta\"\n"},
    {"Get-Thing *ta | Remove-Thing", .answer = "yes", .kept = 2, .asked = 2,
     .warnings = "ask: Are you sure? Remove-Thing \"Beta\"\nask: Are you sure? Remove-Thing \"delta\"\n"},
    {"Remove-Thing Beta -Confirm:$false", .kept = 1},
    {"Remove-Thing Beta -Confirm:$false -Verbose", .kept = 1, .err = "VERBOSE: Remove-Thing \"Beta\"\n"},
    {"Remove-Thing Beta -WhatIf", .warnings = "warn: Beta\n"},
    {"Set-Thing Beta -Confirm", .answer = "Y", .kept = 1, .asked = 1,
     .warnings = "ask: Are you sure? Set-Thing \"Beta\"\n"},
    /* -ErrorAction: what only reads goes on, what changes is undone without an error */
    {"'Beta','zeta','delta' | Get-Thing -ErrorAction SilentlyContinue | Set-Thing", .kept = 2},
    {"'Beta','zeta','delta' | Get-Thing -ErrorAction Continue | Set-Thing", .kept = 2,
     .err = "The thing \"zeta\" could not be found\n"},
    {"'Beta','zeta','delta' | Get-Thing | Set-Thing", .code = ERR_NOT_FOUND},
    {"'Beta','alpha' | Set-Thing -ErrorAction SilentlyContinue; Set-Thing delta", .kept = 1},
    {"'Beta','alpha' | Set-Thing -ErrorAction Continue; Set-Thing delta", .kept = 1, .err = "alpha is kept\n"},
    {"Set-Thing broken -ErrorAction SilentlyContinue", .code = ERR_IO, .says = "disk"},
    {"'alpha' | Set-Thing -ErrorAction SilentlyContinue", .no_transaction = true, .code = ERR_DENIED},
    {"Set-Thing Beta -Nonsense 1 -ErrorAction SilentlyContinue", .code = ERR_INVALID},
    {"Get-Thing | where {(Set-Thing $_.Name)}", .code = ERR_DENIED},
};

static void test_transactions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(transactions); i++) {
        struct world w;
        const char *row = transactions[i].text;
        world_init(&w);
        w.answer = transactions[i].answer;
        w.commit_fails = transactions[i].commit_fails;
        w.no_transaction = transactions[i].no_transaction;
        CHECK_INT(row, world_run(&w, span_of(row)), transactions[i].code);
        CHECK_INT(row, w.kept, transactions[i].kept);
        CHECK_INT(row, w.asked, transactions[i].asked);
        CHECK_SPAN(row, buf_span(&w.err), span_of(transactions[i].err));
        CHECK_SPAN(row, buf_span(&w.warnings), span_of(transactions[i].warnings));
        CHECK(row, !transactions[i].says || strstr(w.error.text, transactions[i].says));
        CHECK_SPAN(row, buf_span(&w.out), SPAN(""));
        CHECK_INT(row, w.committed + w.rolled_back, w.begun);
        CHECK(row, w.no_transaction || w.changes == 0);
        world_done(&w);
    }
}

static void test_nothing_is_printed_before_the_commit(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.commit_fails = true;
    CHECK_INT("commit fails", world_run(&w, SPAN("Get-Thing")), ERR_UNAVAILABLE);
    CHECK_SPAN("commit fails", buf_span(&w.out), SPAN(""));
    world_done(&w);
}

static const struct {
    const char *text, *names; /* with blanks between */
    size_t from;
} completions[] = {
    {"Get-T", "Get-Thing", 0},
    {"get-", "Get-Thing Get-Help Get-Command", 0},
    {"  Sho", "Show-Arguments", 2},
    {"Get-Thing | Sho", "Show-Arguments", 12},
    {"Get-Thing; Set-T", "Set-Thing", 11},
    {"X (Rem", "Remove-Thing", 3},
    {"Get-Thing -", "-Identity -Small -Verbose -ErrorAction", 10},
    {"Show-Arguments x -Rem", "-RemoteIPRanges -RemoteTag", 17},
    {"Get-Thing | Set-Thing -W", "-WhatIf", 22},
    {"Show-Arguments 'a | b' -N", "-Name -Number", 23},
    {"Show-Arguments 'a -N", "", 0},
    {"where {$_.", "", 0},
    {"Get-Thing al", "", 0},
    {"Frob -N", "", 0},
    {"Get-Thing \xff", "", 0},
};

static void test_completions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(completions); i++) {
        struct arena arena;
        struct buf b;
        struct span *names;
        size_t from = 0;
        arena_init(&arena, 1 << 20);
        buf_init(&b, 1 << 16);
        size_t n = shell_completions(&world_table, span_of(completions[i].text), &arena, &names, &from);
        for (size_t k = 0; k < n; k++)
            buf_addf(&b, "%s%.*s", k ? " " : "", SPAN_ARG(names[k]));
        CHECK_SPAN(completions[i].text, buf_span(&b), span_of(completions[i].names));
        CHECK_INT(completions[i].text, from, completions[i].from);
        buf_done(&b);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binding),      cmocka_unit_test(test_pipelines),
        cmocka_unit_test(test_transactions), cmocka_unit_test(test_nothing_is_printed_before_the_commit),
        cmocka_unit_test(test_completions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
