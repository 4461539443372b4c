/*
 * plan_cmdlets.c: Export-, Compare-, Import-, Confirm- and Undo-Policy: what `mailreeve export`, `plan` and `apply`
 * run, and what a shell can run as well.
 */
#include "base/num.h"
#include "cmdlet/export.h"
#include "cmdlet/pending.h"
#include "cmdlet/plan_internal.h"

enum { EXPORT, COMPARE, IMPORT, CONFIRM, UNDO };

static enum err_code emit_buffer(struct shell_call *call, const struct buf *b, struct err *err)
{
    struct span text = buf_span(b);
    if (text.len && text.ptr[text.len - 1] == '\n')
        text.len--; /* the shell ends the line */
    text = arena_dup(call->arena, text);
    if (b->failed || !text.ptr)
        return err_set(err, ERR_LIMIT, "%s: the text is too large", call->command->name);
    call->emit(call, value_string(text));
    return ERR_NONE;
}

/* ---- Export-Policy ---- */

static enum err_code run_export(struct shell_call *call, struct err *err)
{
    struct buf b;
    buf_init(&b, EXPORT_MAX);
    enum err_code code = export_policy(cmdlet_context(call), cmdlet_switch(call, "Recipients"), &b, err);
    if (!code)
        code = emit_buffer(call, &b, err);
    buf_done(&b);
    return code;
}

/* ---- Compare-Policy, Import-Policy ---- */

static enum err_code read_script(struct shell_call *call, struct plan_script *ret, struct err *err)
{
    const struct value *file = cmdlet_argument(call, "File");
    struct err why = {0};
    if (!file || file->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "%s -File: the name of a file is expected", call->command->name);
    enum err_code code = ERR_UNAVAILABLE;
    if (call->host && call->host->ask)
        code = call->host->ask(call->host, SHELL_ASK_FILE, file->s, call->arena, &ret->text, &why);
    if (code)
        return err_set(err, code, "%s -File: %s", call->command->name,
                       why.text[0] ? why.text : "nobody is there to read it");
    ret->name = file->s;
    ret->recipients = cmdlet_switch(call, "Recipients");
    return ERR_NONE;
}

/* For whoever must decide by it: the generation of what was compared, and what there is to do. */
static void put_counts(struct shell_call *call, const struct plan *p, struct buf *out)
{
    if (cmdlet_switch(call, "Counted"))
        buf_addf(out, "%llu %zu %zu %zu %zu\n",
                 (unsigned long long)object_store_generation(cmdlet_context(call)->policy), p->added, p->set,
                 p->removed, p->count);
}

/* -Replay; 0 where it is not given. */
static enum err_code replay_time(struct shell_call *call, int64_t *ret, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "Replay");
    int64_t ms = given && given->kind == VALUE_TIMESPAN ? given->i : -1;
    struct buf text;
    *ret = 0;
    if (!given)
        return ERR_NONE;
    if (given->kind == VALUE_STRING && !plan_parse_time(given->s, &ms))
        ms = -1;
    if (ms >= PLAN_REPLAY_MIN_MS && ms <= PLAN_REPLAY_MAX_MS) {
        *ret = ms;
        return ERR_NONE;
    }
    buf_init(&text, 1024);
    value_print(&text, *given);
    err_set(
        err, ERR_INVALID,
        "%s -Replay %.*s: a time back from now is expected, from one minute to 30 days (what clients did is kept "
        "so long): 7d, 12h, 30m, or 7.00:00:00",
        call->command->name, SPAN_ARG(span_head(buf_span(&text), 64)));
    buf_done(&text);
    return ERR_INVALID;
}

static enum err_code make(struct shell_call *call, struct plan *ret, struct buf *out, struct err *err)
{
    struct plan_script script = {0};
    int64_t replay_ms;
    enum err_code code = replay_time(call, &replay_ms, err);
    if (!code)
        code = read_script(call, &script, err);
    if (!code)
        code = plan_make(cmdlet_context(call), &script, replay_ms, cmdlet_switch(call, "Quiet") ? NULL : call->host,
                         call->arena, ret, err);
    if (code)
        return code;
    put_counts(call, ret, out);
    if (cmdlet_switch(call, "AsJson"))
        plan_print_json(out, ret);
    else
        plan_print_text(out, ret);
    return ERR_NONE;
}

static enum err_code run_compare(struct shell_call *call, struct err *err)
{
    struct buf b;
    struct plan plan = {0};
    buf_init(&b, EXPORT_MAX);
    enum err_code code = make(call, &plan, &b, err);
    if (!code)
        code = emit_buffer(call, &b, err);
    plan_done(&plan);
    buf_done(&b);
    return code;
}

/* ERR_CONFLICT when the policy is not the one that was compared with. */
static enum err_code check_generation(struct shell_call *call, struct err *err)
{
    static const struct schema_property p = {"Generation", SCHEMA_INT, .max = INT64_MAX};
    const struct value *given = cmdlet_argument(call, "Generation");
    struct value v = value_null();
    enum err_code code = given ? cmdlet_parse(call, &p, *given, NULL, &v, err) : ERR_NONE;
    if (!code && given && (uint64_t)v.i != object_store_generation(cmdlet_context(call)->policy))
        code =
            err_set(err, ERR_CONFLICT,
                    "the policy was changed since the plan was shown; nothing was applied: look at the plan again");
    return code;
}

static enum err_code confirm(struct shell_call *call, const struct plan *p, bool *ret, struct err *err)
{
    struct span answer = SPAN(""), question = arena_printf(call->arena, "Apply it? %zu object%s would be removed",
                                                           p->removed, p->removed == 1 ? "" : "s");
    enum err_code code = ERR_NONE;
    *ret = true;
    if (p->removed && !call->no_confirm && !call->what_if) {
        code = call->host->ask(call->host, SHELL_ASK_CONFIRM, question, call->arena, &answer, err);
        *ret = answer.len && ascii_lower(answer.ptr[0]) == 'y';
    }
    return code;
}

/* ERR_CONFLICT when a policy waits for its confirmation: there is one to go back to at a time. */
static enum err_code check_pending(struct shell_call *call, struct err *err)
{
    struct pending p = {0};
    enum err_code code = pending_read(cmdlet_context(call)->policy, &p, err);
    if (!code && p.deadline_ms) {
        struct buf at;
        buf_init(&at, 64);
        value_print(&at, value_time(p.deadline_ms));
        code =
            err_set(err, ERR_CONFLICT,
                    "a policy that was applied waits for its confirmation until %.*s; first confirm it (mailreeve "
                    "apply --confirm, Confirm-Policy) or undo it (mailreeve apply --rollback, Undo-Policy)",
                    SPAN_ARG(buf_span(&at)));
        buf_done(&at);
    }
    return code;
}

/* -ConfirmWithin; 0 where it is not given. */
static enum err_code confirm_within(struct shell_call *call, int64_t *ret, struct err *err)
{
    static const struct schema_property p = {"ConfirmWithin", SCHEMA_TIMESPAN, .min = PENDING_WITHIN_MIN_MS,
                                             .max = PENDING_WITHIN_MAX_MS};
    const struct value *given = cmdlet_argument(call, "ConfirmWithin");
    struct value v = value_timespan(0);
    enum err_code code = given ? cmdlet_parse(call, &p, *given, NULL, &v, err) : ERR_NONE;
    *ret = v.i;
    return code;
}

/* A mailbox that was removed would come back without its password. */
static enum err_code check_no_recipients(const struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < PLAN_CLASSES; k++)
            if (plan_classes[k].class == p->changes[i].class && plan_classes[k].noun &&
                plan_classes[k].noun->recipients)
                return err_set(
                    err, ERR_DENIED,
                    "changes to recipients cannot be rolled back by themselves, since passwords could not "
                    "come back; apply them first, without a time to confirm in");
    return ERR_NONE;
}

static enum err_code store(struct shell_call *call, const struct plan *p, int64_t within, struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    cmdlet_note_force(call);
    if (p->forced && !c->forced) /* the script says so itself */
        c->forced = call->host;
    enum err_code code = within ? check_no_recipients(p, err) : ERR_NONE;
    if (!code && within && p->count)
        code = pending_begin(c, within, err);
    return code ? code : plan_apply(c, p, err);
}

static enum err_code run_import(struct shell_call *call, struct err *err)
{
    struct buf b;
    struct plan plan = {0};
    bool confirmed = false;
    int64_t within;
    buf_init(&b, EXPORT_MAX);
    enum err_code code = confirm_within(call, &within, err);
    if (!code)
        code = check_pending(call, err);
    if (!code)
        code = check_generation(call, err);
    if (!code)
        code = make(call, &plan, &b, err);
    if (!code)
        code = confirm(call, &plan, &confirmed, err);
    if (!code && confirmed && !call->what_if)
        code = store(call, &plan, within, err);
    if (!code && confirmed)
        code = emit_buffer(call, &b, err);
    plan_done(&plan);
    buf_done(&b);
    return code;
}

/* ---- Confirm-Policy, Undo-Policy ---- */

static enum err_code run_confirm(struct shell_call *call, struct err *err)
{
    enum err_code code = call->what_if ? ERR_NONE : pending_confirm(cmdlet_context(call), err);
    if (!code)
        call->emit(call, value_of("Confirmed: the policy stays as it is."));
    return code;
}

static enum err_code run_undo(struct shell_call *call, struct err *err)
{
    cmdlet_context(call)->forced = call->host; /* to what was there before, whatever it was */
    enum err_code code = call->what_if ? ERR_NONE : pending_roll_back(cmdlet_context(call), err);
    if (!code)
        call->emit(call, value_of("Rolled back: the policy is what it was before."));
    return code;
}

/* ---- the table ---- */

#define RECIPIENTS(help)                                                                                           \
    {                                                                                                              \
        "Recipients", NULL, PARAMETER_SWITCH, NULL, help                                                           \
    }
#define SCRIPT                                                                                                     \
    {"File", NULL, PARAMETER_POSITION_0 | PARAMETER_REQUIRED, "<File>",                                            \
     "The script, read as whoever runs the shell can read it."},                                                   \
        RECIPIENTS("The script says all recipients too: those it does not make are removed."),                     \
        {"AsJson", NULL, PARAMETER_SWITCH, NULL, "Shows the differences as JSON."},                                \
    {                                                                                                              \
        "Counted", NULL, PARAMETER_HIDDEN | PARAMETER_SWITCH, NULL, "A line of numbers in front."                  \
    }

static const struct shell_parameter export_parameters[] = {
    RECIPIENTS("Mailboxes, contacts, groups and their members as well."),
};
static const struct shell_parameter compare_parameters[] = {
    SCRIPT,
    {"Replay", NULL, 0, "<7d|12h|30m|d.hh:mm:ss>",
     "Also lists the clients of that time back whose sessions would come out differently."},
};
static const struct shell_parameter import_parameters[] = {
    SCRIPT,
    {"ConfirmWithin", NULL, 0, "<hh:mm:ss>", "Rolls back by itself unless Confirm-Policy comes within that time."},
    CMDLET_FORCE,
    {"Quiet", NULL, PARAMETER_HIDDEN | PARAMETER_SWITCH, NULL, "Without the script's warnings."},
    {"Generation", NULL, PARAMETER_HIDDEN, "<Int>", "Only if the policy is still of this generation."},
};

const struct shell_command plan_commands[PLAN_COMMANDS] = {
    [EXPORT] = {.name = "Export-Policy",
                .parameters = export_parameters,
                .parameter_count = ARRAY_LEN(export_parameters),
                .synopsis = "Shows the whole policy as one script of cmdlets.",
                .description =
                    "What has its default is left out. Passwords are never shown. The text depends on the "
                    "policy alone, so it can be kept under version control.",
                .examples = "    Export-Policy -Recipients\n",
                .run = run_export},
    [COMPARE] =
        {.name = "Compare-Policy",
         .parameters = compare_parameters,
         .parameter_count = ARRAY_LEN(compare_parameters),
         .synopsis = "Shows what a policy script would change.",
         .description =
             "The script says the whole policy: objects that it does not make would be removed.\n"
             "With -Replay, what clients did is run against the policy in force and against that of the script, "
             "by the code that decides about live sessions: which connector serves the client, whether TLS and "
             "AUTH are offered as it used them, whether its senders, recipients and the size of its messages "
             "are accepted. The two are compared with each other, not with what was answered at the time. Not "
             "replayed are passwords (taken to be right), rates and limits on connections, ciphers, and the "
             "From: field; what else could not be replayed is counted. A time of which nothing is recorded is an "
             "error.",
         .examples = "    Compare-Policy policy.ps1\n"
                     "    Compare-Policy policy.ps1 -Replay 7d\n",
         .run = run_compare},
    [IMPORT] = {.name = "Import-Policy",
                .parameters = import_parameters,
                .parameter_count = ARRAY_LEN(import_parameters),
                .synopsis = "Makes the policy what a script says.",
                .description =
                    "The script says the whole policy: objects that it does not make are removed, after a "
                    "confirmation unless -Confirm:$false is given. All of it happens, or nothing. "
                    "Passwords that the script does not give stay as they are.",
                .examples = "    Import-Policy policy.ps1\n"
                            "    Import-Policy policy.ps1 -ConfirmWithin 00:05:00; # look, and then\n"
                            "    Confirm-Policy\n",
                .changes = true,
                .run = run_import},
    [CONFIRM] = {.name = "Confirm-Policy",
                 .synopsis = "Keeps the policy that Import-Policy -ConfirmWithin has made.",
                 .description = "Until then it is rolled back by itself when its time is over.",
                 .examples = "    Confirm-Policy\n",
                 .changes = true,
                 .run = run_confirm},
    [UNDO] = {.name = "Undo-Policy",
              .synopsis = "Rolls back the policy that Import-Policy -ConfirmWithin has made.",
              .description =
                  "The policy is again what it was before; what else was changed in it since then is undone "
                  "as well. Asks for confirmation unless -Confirm:$false is given.",
              .examples = "    Undo-Policy -Confirm:$false\n",
              .confirms = true,
              .changes = true,
              .run = run_undo},
};
