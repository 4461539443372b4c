/* help.c: Get-Help and Get-Command, from the tables of commands. */
#include "shell/internal.h"

enum { HELP_WIDTH = 100, HELP_MAX = 4 << 20 };

static const char begin_text[] =
    "The Mailreeve Management Shell speaks the cmdlets of the Exchange Management Shell, in a small part of "
    "PowerShell.\n"
    "\n"
    "  Get-Command                            what there is; Get-Command *Connector, Get-Command -Noun Mailbox\n"
    "  Get-Help New-ReceiveConnector          what a command does and takes; -Parameter Bindings for one "
    "parameter\n"
    "  Get-ReceiveConnector                   the receive connectors; | fl for all that is known of them\n"
    "  Get-ReceiveConnector | where {$_.Enabled -eq $false} | ft Name,Bindings\n"
    "  Set-Mailbox alice -EmailAddresses @{Add='a.smith@example.com'}\n"
    "  Get-Queue | ConvertTo-Json -AsArray    for programs\n"
    "\n"
    "A statement that fails changes nothing. -WhatIf says what would be done. # begins a comment; a ` at the end "
    "of a\n"
    "line continues it, as do an open bracket, a pipe and a comma.\n";

/* ---- text ---- */

/* Words of a paragraph, in lines that begin with `indent` blanks. *column: where the line stands. */
static void put_words(struct buf *b, struct span text, int indent, size_t *column)
{
    struct span rest = text, word;
    while (span_split(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        bool fits = *column + 1 + word.len <= HELP_WIDTH;
        if (*column && !fits)
            buf_add_char(b, '\n');
        if (*column && fits)
            buf_addf(b, " ");
        else
            buf_addf(b, "%*s", indent, "");
        *column = (*column && fits ? *column + 1 : (size_t)indent) + word.len;
        buf_add(b, word);
    }
}

static void put_paragraphs(struct buf *b, const char *text, int indent)
{
    struct span rest = span_of(text), line;
    while (span_split(&rest, '\n', &line)) {
        size_t column = 0;
        put_words(b, line, indent, &column);
        buf_add_char(b, '\n');
    }
}

/* As it is, with each line moved in. */
static void put_lines(struct buf *b, const char *text, int indent)
{
    struct span rest = span_of(text), line;
    while (span_split(&rest, '\n', &line))
        buf_addf(b, "%*s%.*s\n", line.len ? indent : 0, "", SPAN_ARG(line));
}

/* ---- parameters ---- */

static bool is_positional(const struct shell_parameter *p)
{
    return p->flags & (PARAMETER_POSITION_0 | PARAMETER_POSITION_1);
}

/* -Name <Value>, with brackets around what may be left out. */
static void put_parameter_syntax(struct buf *b, const struct shell_parameter *p)
{
    bool required = p->flags & PARAMETER_REQUIRED, positional = is_positional(p);
    buf_addf(b, "%s%s-%s%s", required ? "" : "[", positional ? "[" : "", p->name, positional ? "]" : "");
    if (!(p->flags & PARAMETER_SWITCH))
        buf_addf(b, " %s", p->syntax ? p->syntax : "<Value>");
    buf_addf(b, "%s", required ? "" : "]");
}

static void put_syntax_of(struct buf *b, const struct shell_parameter *p, size_t *column)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4096);
    put_parameter_syntax(&text, p);
    put_words(b, buf_span(&text), 8, column);
}

static void put_syntax(struct buf *b, const struct shell_command *c)
{
    size_t column = 0;
    put_words(b, span_of(c->name), 4, &column);
    for (size_t i = 0; i < c->parameter_count; i++)
        if (!(c->parameters[i].flags & PARAMETER_HIDDEN))
            put_syntax_of(b, &c->parameters[i], &column);
    for (size_t i = 0; i < bind_common_count; i++)
        if (bind_has_common(c, i))
            put_syntax_of(b, &bind_common[i], &column);
    buf_add_char(b, '\n');
}

static void put_parameter(struct buf *b, const struct shell_parameter *p)
{
    const char *value = p->flags & PARAMETER_SWITCH ? "" : p->syntax ? p->syntax : "<Value>";
    buf_addf(b, "    -%s%s%s\n", p->name, *value ? " " : "", value);
    put_paragraphs(b, p->help ? p->help : "", 8);
    if (p->flags & (PARAMETER_REQUIRED | PARAMETER_PIPELINE) || is_positional(p) || p->alias)
        buf_addf(b, "        (%s%s%s%s%s%s)\n", p->flags & PARAMETER_REQUIRED ? "required" : "optional",
                 p->flags & PARAMETER_POSITION_0   ? ", first without its name"
                 : p->flags & PARAMETER_POSITION_1 ? ", second without its name"
                                                   : "",
                 p->flags & PARAMETER_PIPELINE ? ", or the object of the pipeline" : "", p->alias ? ", also -" : "",
                 p->alias ? p->alias : "", p->flags & PARAMETER_SWITCH ? ", a switch" : "");
    buf_add_char(b, '\n');
}

/* Those whose name fits the pattern; false when there is none. */
static bool put_parameters(struct buf *b, const struct shell_command *c, struct span pattern)
{
    size_t before = b->len;
    for (size_t i = 0; i < c->parameter_count; i++)
        if (!(c->parameters[i].flags & PARAMETER_HIDDEN) && shell_like(span_of(c->parameters[i].name), pattern))
            put_parameter(b, &c->parameters[i]);
    for (size_t i = 0; i < bind_common_count; i++)
        if (bind_has_common(c, i) && shell_like(span_of(bind_common[i].name), pattern))
            put_parameter(b, &bind_common[i]);
    return b->len != before || b->failed;
}

/* ---- Get-Help ---- */

static void put_name(struct buf *b, const struct shell_command *c)
{
    buf_addf(b, "NAME\n    %s\n", c->name);
    for (const char *const *a = c->aliases; a && *a; a++)
        buf_addf(b, "%s%s", a == c->aliases ? "    also: " : ", ", *a);
    buf_addf(b, "%s\nSYNOPSIS\n", c->aliases && *c->aliases ? "\n" : "");
    put_paragraphs(b, c->synopsis, 4);
}

static void put_examples(struct buf *b, const struct shell_command *c)
{
    buf_add(b, SPAN("EXAMPLES\n"));
    put_lines(b, c->examples ? c->examples : "There is no example.", 4);
}

static void put_command(struct buf *b, const struct shell_command *c)
{
    put_name(b, c);
    buf_add(b, SPAN("\nSYNTAX\n"));
    put_syntax(b, c);
    buf_add(b, SPAN("\nDESCRIPTION\n"));
    put_paragraphs(b, c->description ? c->description : c->synopsis, 4);
    buf_add(b, SPAN("\nPARAMETERS\n"));
    put_parameters(b, c, SPAN("*"));
    if (c->examples)
        put_examples(b, c);
}

static enum err_code help_about(struct shell_call *call, struct buf *b, const struct shell_command *c,
                                struct err *err)
{
    const struct value *only = builtin_argument(call, "Parameter");
    if (only && only->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "Get-Help: -Parameter wants the name of a parameter, or a pattern");
    if (only && !put_parameters(b, c, only->s))
        return err_set(err, ERR_NOT_FOUND, "Get-Help: %s has no parameter \"%.*s\"", c->name,
                       SPAN_ARG(span_head(only->s, 60)));
    if (!only && builtin_flag(call, "Examples")) {
        put_name(b, c);
        buf_add_char(b, '\n');
        put_examples(b, c);
    } else if (!only) {
        put_command(b, c);
    }
    return ERR_NONE;
}

static enum err_code fail_no_help(const struct shell_table *t, struct span name, struct err *err)
{
    struct suggestion near = {.typed = name};
    const struct shell_command *c;
    char hint[96];
    for (size_t i = 0; (c = shell_command_at(t, i)); i++)
        suggest_offer(&near, c->name);
    return err_set(err, ERR_NOT_FOUND, "Get-Help: there is no command \"%.*s\"%s", SPAN_ARG(span_head(name, 80)),
                   near.best ? suggest_text(&near, "", hint) : "; Get-Command lists those there are");
}

/* Help about the command of that name, or a line for each that the pattern fits. */
static enum err_code help_named(struct shell_call *call, struct buf *b, struct span name, struct err *err)
{
    const struct shell_table *t = run_of(call)->shell->table;
    const struct shell_command *exact = shell_find_command(t, name), *c, *last = NULL;
    size_t found = 0;
    if (exact)
        return help_about(call, b, exact, err);
    for (size_t i = 0; (c = shell_command_at(t, i)); i++)
        if (shell_like(span_of(c->name), name)) {
            found++;
            last = c;
            buf_addf(b, "%-34s %s\n", c->name, c->synopsis);
        }
    if (found == 0)
        return fail_no_help(t, name, err);
    if (found > 1)
        return ERR_NONE;
    buf_clear(b);
    return help_about(call, b, last, err);
}

static enum err_code help_run(struct shell_call *call, struct err *err)
{
    const struct value *name = builtin_argument(call, "Name");
    struct buf b;
    enum err_code code = ERR_NONE;
    buf_init(&b, HELP_MAX);
    if (!name)
        buf_add(&b, span_of(begin_text));
    else if (name->kind == VALUE_STRING)
        code = help_named(call, &b, name->s, err);
    else
        code =
            err_set(err, ERR_INVALID, "Get-Help: the name of a command is expected, such as Get-Help New-Mailbox");
    if (!code)
        return builtin_emit_text(call, &b, err);
    buf_done(&b);
    return code;
}

/* ---- Get-Command ---- */

/* True when the argument was not given, or fits (one of) its patterns. */
static bool fits(const struct shell_call *call, const char *argument, struct span text)
{
    const struct value *v = builtin_argument(call, argument);
    if (v && v->kind == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++)
            if (v->list.items[i].kind == VALUE_STRING && shell_like(text, v->list.items[i].s))
                return true;
        return false;
    }
    return !v || (v->kind == VALUE_STRING && shell_like(text, v->s));
}

static enum err_code commands_run(struct shell_call *call, struct err *err)
{
    const struct shell_table *t = run_of(call)->shell->table;
    const struct shell_command *c;
    for (size_t i = 0; (c = shell_command_at(t, i)); i++) {
        struct span name = span_of(c->name);
        size_t dash = span_find(name, '-');
        struct span noun = dash == SIZE_MAX ? SPAN("") : span_from(name, dash + 1);
        if (!fits(call, "Name", name) || !fits(call, "Verb", span_head(name, dash)) || !fits(call, "Noun", noun))
            continue;
        struct record *r = record_new(call->arena, SPAN("Command"));
        if (!r || !record_set(r, SPAN("Name"), value_string(name)) ||
            !record_set(r, SPAN("Synopsis"), value_of(c->synopsis)))
            return run_no_memory(err);
        call->emit(call, value_record(r));
    }
    return ERR_NONE;
}

static const struct shell_parameter help_parameters[] = {
    {"Name", NULL, PARAMETER_POSITION_0, "<Command>", "The command, or a pattern with * and ?."},
    {"Parameter", NULL, 0, "<Name>", "Only about this parameter; * and ? may stand in the name."},
    {"Examples", NULL, PARAMETER_SWITCH, NULL, "Only the examples."},
    {"Full", NULL, PARAMETER_SWITCH | PARAMETER_HIDDEN, NULL, "Help is always complete."},
    {"Detailed", NULL, PARAMETER_SWITCH | PARAMETER_HIDDEN, NULL, "Help is always complete."},
};
static const struct shell_parameter commands_parameters[] = {
    {"Name", NULL, PARAMETER_POSITION_0, "<Patterns>", "Only names that fit, with * and ?."},
    {"Noun", NULL, 0, "<Patterns>", "Only what is about this, such as Mailbox or *Connector."},
    {"Verb", NULL, 0, "<Patterns>", "Only what does this, such as Get or New."},
};
static const char *const help_aliases[] = {"help", "man", NULL};
static const char *const commands_aliases[] = {"gcm", NULL};

BUILTIN(builtin_help, "Get-Help", help_aliases, help_parameters, "Explains a command.",
        "Without a name it says how to begin; a pattern lists the commands that it fits.",
        "Get-Help New-ReceiveConnector\nGet-Help Set-Mailbox -Parameter Email*\nGet-Help *Domain", help_run, NULL);
BUILTIN(builtin_commands, "Get-Command", commands_aliases, commands_parameters, "Lists the commands.",
        "All of them, or those that fit every pattern given.", "Get-Command *Connector\nGet-Command -Verb New",
        commands_run, NULL);
