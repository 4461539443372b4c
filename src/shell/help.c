/* help.c: Get-Help and Get-Command, from the tables of commands. */
#include "shell/internal.h"

static const char begin_text[] =
    "The Mailreeve Management Shell speaks the cmdlets of the Exchange Management Shell, in a small part of "
    "PowerShell.\n\n"
    "  Get-Command                        what there is; Get-Command *Connector, Get-Command -Noun Mailbox\n"
    "  Get-Help New-ReceiveConnector      what a cmdlet does, and its parameters\n"
    "  Get-ReceiveConnector | fl          all properties of all receive connectors\n"
    "  Get-ReceiveConnector | where {$_.Enabled -eq $false} | ft Name,Bindings\n"
    "  Set-Mailbox alice -EmailAddresses @{Add='a.smith@example.com'}\n\n"
    "A statement that fails changes nothing. -WhatIf says what would be done. # begins a comment, ` at the end of "
    "a line continues it.\n";

static void put_syntax(struct buf *b, const struct shell_command *c)
{
    buf_addf(b, "SYNTAX\n    %s", c->name);
    for (size_t i = 0; i < c->parameter_count; i++) {
        const struct shell_parameter *p = &c->parameters[i];
        bool required = p->flags & PARAMETER_REQUIRED,
             positional = p->flags & (PARAMETER_POSITION_0 | PARAMETER_POSITION_1);
        if (p->flags & PARAMETER_HIDDEN)
            continue;
        buf_addf(b, " %s%s-%s%s%s%s%s", required ? "" : "[", positional ? "[" : "", p->name, positional ? "]" : "",
                 p->flags & PARAMETER_SWITCH ? "" : " ",
                 p->flags & PARAMETER_SWITCH ? ""
                 : p->syntax                 ? p->syntax
                                             : "<Value>",
                 required ? "" : "]");
    }
    buf_addf(b, "%s%s\n\n", c->changes ? " [-WhatIf]" : "", c->confirms ? " [-Confirm:$false]" : "");
}

static void put_parameter(struct buf *b, const struct shell_parameter *p)
{
    buf_addf(b, "    -%s %s\n        %s%s\n\n", p->name,
             p->syntax && !(p->flags & PARAMETER_SWITCH) ? p->syntax : "",
             p->flags & PARAMETER_REQUIRED ? "Required. " : "", p->help ? p->help : "");
}

static void put_help(struct buf *b, const struct shell_command *c, struct span only)
{
    if (!only.len) {
        buf_addf(b, "NAME\n    %s\n\nSYNOPSIS\n    %s\n\n", c->name, c->synopsis);
        put_syntax(b, c);
        buf_addf(b, "DESCRIPTION\n    %s\n\nPARAMETERS\n", c->description ? c->description : c->synopsis);
    }
    for (size_t i = 0; i < c->parameter_count; i++)
        if (!(c->parameters[i].flags & PARAMETER_HIDDEN) &&
            (!only.len || shell_like(span_of(c->parameters[i].name), only)))
            put_parameter(b, &c->parameters[i]);
    if (!only.len && c->examples)
        buf_addf(b, "EXAMPLES\n%s\n", c->examples);
}

static enum err_code help_run(struct shell_call *call, struct err *err)
{
    const struct stage *st = call->pipeline;
    const struct shell_table *t = st->run->table;
    struct span name = record_string(call->arguments, SPAN("Name")),
                only = record_string(call->arguments, SPAN("Parameter"));
    const struct shell_command *c = name.len ? shell_find_command(t, name) : NULL;
    struct buf b;
    buf_init(&b, 1 << 20);
    if (c) {
        put_help(&b, c, only);
    } else if (!name.len) {
        buf_addf(&b, "%s", begin_text);
    } else {
        const struct shell_command *k;
        for (size_t i = 0; (k = shell_command_at(t, i)); i++)
            if (shell_like(span_of(k->name), name))
                buf_addf(&b, "%-36s %s\n", k->name, k->synopsis);
    }
    struct span text = b.failed ? (struct span){NULL, 0} : arena_dup(call->arena, buf_span(&b));
    bool none = b.len == 0;
    buf_done(&b);
    if (none)
        return err_set(err, ERR_NOT_FOUND, "Get-Help: nothing is known of `%.*s`; Get-Command lists what there is",
                       SPAN_ARG(name));
    if (!text.ptr)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    call->emit(call, value_string(text));
    return ERR_NONE;
}

static enum err_code get_command_run(struct shell_call *call, struct err *err)
{
    const struct stage *st = call->pipeline;
    struct span name = record_string(call->arguments, SPAN("Name")),
                noun = record_string(call->arguments, SPAN("Noun")),
                verb = record_string(call->arguments, SPAN("Verb"));
    const struct shell_command *c;
    for (size_t i = 0; (c = shell_command_at(st->run->table, i)); i++) {
        struct span whole = span_of(c->name);
        size_t dash = span_find(whole, '-');
        if ((name.len && !shell_like(whole, name)) || (verb.len && !shell_like(span_head(whole, dash), verb)) ||
            (noun.len && !shell_like(span_from(whole, dash + 1), noun)))
            continue;
        struct record *r = record_new(call->arena, SPAN("Command"));
        if (!r || !record_set(r, SPAN("Name"), value_string(whole)) ||
            !record_set(r, SPAN("Synopsis"), value_of(c->synopsis)))
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        call->emit(call, value_record(r));
    }
    return ERR_NONE;
}

static const struct shell_parameter help_parameters[] = {
    {"Name", NULL, PARAMETER_POSITION_0, "<Command>", "The command, or a pattern with *."},
    {"Parameter", NULL, 0, "<Name>", "Only about this parameter, wildcards allowed."},
    {"Full", NULL, PARAMETER_SWITCH, NULL, "Accepted; help is always complete."},
    {"Examples", NULL, PARAMETER_SWITCH, NULL, "Accepted; help is always complete."},
};
static const struct shell_parameter get_command_parameters[] = {
    {"Name", NULL, PARAMETER_POSITION_0, "<Pattern>", "Names, wildcards allowed."},
    {"Noun", NULL, 0, "<Pattern>", "What it is about."},
    {"Verb", NULL, 0, "<Pattern>", "What it does."},
};
static const char *const help_aliases[] = {"help", "man", NULL};
static const char *const get_command_aliases[] = {"gcm", NULL};

const struct shell_command help_command = {.name = "Get-Help",
                                           .aliases = help_aliases,
                                           .parameters = help_parameters,
                                           .parameter_count = ARRAY_LEN(help_parameters),
                                           .synopsis = "Explains a command.",
                                           .description = "Without a name: how to begin.",
                                           .run = help_run};
const struct shell_command get_command_command = {.name = "Get-Command",
                                                  .aliases = get_command_aliases,
                                                  .parameters = get_command_parameters,
                                                  .parameter_count = ARRAY_LEN(get_command_parameters),
                                                  .synopsis = "Lists the commands.",
                                                  .description = "All, or those that fit the patterns.",
                                                  .run = get_command_run};
