/*
 * manual.c: `mailreeve manual [PAGE]`: the manual pages, for the build to install: mailreeve(8) from the table of
 * commands, mailreeve-cmdlets(7) from the table of cmdlets, and a page for each class of objects from the schema.
 * So they say what Get-Help says.
 *
 * Text is escaped for roff character by character, and every control line is written here: no text can begin one.
 */
#include "cli/cli.h"
#include "cmdlet/table.h"
#include "schema/schema.h"

#include <stdio.h>

enum { PAGE_MAX = 8 << 20, PAGE_ARENA_MAX = 64 << 20, PAGE_NAME_MAX = 64 };

struct manual {
    struct buf out;
    struct arena arena;
    struct shell_table table;
    const struct cli_command *commands;
    size_t command_count;
};

/* ---- roff ---- */

static const struct {
    char c;
    const char *roff;
} escapes[] = {{'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};

static void put_char(struct buf *b, char c)
{
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
        if (escapes[i].c == c) {
            buf_addf(b, "%s", escapes[i].roff);
            return;
        }
    buf_add_char(b, c);
}

/* Part of a line. */
static void put_text(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        put_char(b, text.ptr[i]);
}

/* Whole lines; a dot that begins one is protected. Blank lines become paragraphs where the text is filled. */
static void put_lines(struct buf *b, const char *text, bool filled)
{
    struct span rest = span_of(text), line;
    while (span_split(&rest, '\n', &line)) {
        if (line.len == 0 && (filled || rest.len == 0))
            continue;
        if (line.len && line.ptr[0] == '.')
            buf_add(b, SPAN("\\&"));
        put_text(b, line);
        buf_add_char(b, '\n');
    }
}

static void put_literal(struct buf *b, const char *text)
{
    buf_add(b, SPAN(".PP\n.nf\n"));
    put_lines(b, text, false);
    buf_add(b, SPAN(".fi\n"));
}

static void put_title(struct buf *b, const char *name, char section, const char *what)
{
    buf_addf(b,
             ".\\\" Made by `mailreeve manual`.\n.TH \"%s\" %c \"\" \"mailreeve %s\" \"Mailreeve\"\n.nh\n.ad "
             "l\n.SH NAME\n",
             name, section, MAILREEVE_VERSION);
    put_text(b, span_of(name));
    buf_addf(b, " \\- ");
    put_text(b, span_of(what));
    buf_add_char(b, '\n');
}

/* ---- mailreeve(8) ---- */

static void print_commands(struct manual *m)
{
    struct buf *b = &m->out;
    put_title(b, "mailreeve", '8', "SMTP submission and relay server with receive connectors");
    buf_add(b, SPAN(".SH SYNOPSIS\n"));
    for (size_t i = 0; i < m->command_count; i++) {
        buf_addf(b, "%s.B mailreeve %s\n", i ? ".br\n" : "", m->commands[i].name);
        put_lines(b, m->commands[i].synopsis, true);
    }
    buf_add(b, SPAN(".SH DESCRIPTION\n"));
    put_lines(
        b,
        "Mailreeve answers, for every session, who may send what through which port, encrypted or not, and why, "
        "with the receive connectors and permissions of Exchange Server 2007.\n",
        true);
    buf_add(b, SPAN(".SH COMMANDS\n"));
    for (size_t i = 0; i < m->command_count; i++) {
        buf_addf(b, ".SS %s\n", m->commands[i].name);
        put_lines(b, m->commands[i].help, true);
        put_literal(b, m->commands[i].details);
    }
    buf_add(b, SPAN(".SH \"EXIT STATUS\"\n0 done, 1 failed, 2 the command line is wrong.\n.SH ENVIRONMENT\n.TP\n"
                    ".B MAILREEVE_STATE\nThe state folder where \\-\\-state is not given.\n.SH FILES\n.TP\n"
                    ".I /var/lib/mailreeve\nThe state folder where neither is.\n.SH \"SEE ALSO\"\n"
                    ".BR mailreeve\\-cmdlets (7)"));
    for (size_t i = 0; i < SCHEMA_CLASSES; i++) {
        buf_add(b, SPAN(",\n.BR mailreeve\\-"));
        for (const char *c = schema_classes[i]->name; *c; c++)
            buf_add_char(b, ascii_lower(*c));
        buf_add(b, SPAN(" (7)"));
    }
    buf_add_char(b, '\n');
}

/* ---- mailreeve-cmdlets(7) ---- */

static void put_syntax(struct buf *b, const struct shell_parameter *p)
{
    bool required = p->flags & PARAMETER_REQUIRED, named = !(p->flags & PARAMETER_SWITCH) && p->syntax;
    buf_addf(b, "%s\\-%s", required ? "" : "[", p->name);
    if (named) {
        buf_add_char(b, ' ');
        put_text(b, span_of(p->syntax));
    }
    buf_addf(b, "%s\n", required ? "" : "]");
}

static void put_parameter(struct buf *b, const struct shell_parameter *p)
{
    buf_addf(b, ".TP\n.B \\-%s", p->name);
    if (!(p->flags & PARAMETER_SWITCH)) {
        buf_add_char(b, ' ');
        put_text(b, span_of(p->syntax));
    }
    buf_add_char(b, '\n');
    put_lines(b, p->help, true);
}

static void put_cmdlet(struct buf *b, const struct shell_command *c)
{
    buf_addf(b, ".SS ");
    put_text(b, span_of(c->name));
    buf_add_char(b, '\n');
    put_lines(b, c->synopsis, true);
    buf_add(b, SPAN(".PP\n.B "));
    put_text(b, span_of(c->name));
    buf_add_char(b, '\n');
    for (size_t i = 0; i < c->parameter_count; i++)
        if (!(c->parameters[i].flags & PARAMETER_HIDDEN))
            put_syntax(b, &c->parameters[i]);
    buf_add(b, SPAN(".PP\n"));
    put_lines(b, c->description, true);
    for (size_t i = 0; i < c->parameter_count; i++)
        if (!(c->parameters[i].flags & PARAMETER_HIDDEN))
            put_parameter(b, &c->parameters[i]);
    put_literal(b, c->examples);
}

static void print_cmdlets(struct manual *m)
{
    struct buf *b = &m->out;
    const struct shell_command *c;
    put_title(b, "mailreeve-cmdlets", '7', "the cmdlets of the management shell");
    buf_add(b, SPAN(".SH DESCRIPTION\n"));
    put_lines(
        b,
        "They run in `mailreeve shell', which speaks a small part of PowerShell. All take -Verbose and "
        "-ErrorAction; those that change something -WhatIf, and those that ask -Confirm:$false. In the shell, "
        "Get-Help NAME shows the same.\n",
        true);
    buf_add(b, SPAN(".SH CMDLETS\n"));
    for (size_t i = 0; (c = shell_command_at(&m->table, i)); i++)
        put_cmdlet(b, c);
    buf_add(b, SPAN(".SH \"SEE ALSO\"\n.BR mailreeve (8)\n"));
}

/* ---- a class ---- */

static void put_property(struct manual *m, const struct schema_property *p)
{
    const char *syntax = schema_syntax(p, &m->arena), *help = schema_help(p, &m->arena);
    buf_addf(&m->out, ".TP\n.B %s", p->name);
    if (syntax && *syntax) {
        buf_add_char(&m->out, ' ');
        put_text(&m->out, span_of(syntax));
    }
    buf_add_char(&m->out, '\n');
    put_lines(&m->out, help ? help : "", true);
    if (p->flags & (SCHEMA_READ_ONLY | SCHEMA_CREATE_ONLY))
        buf_addf(&m->out, "%s\n",
                 p->flags & SCHEMA_READ_ONLY ? "It is shown only." : "It is given to New\\- alone.");
}

static void print_class(struct manual *m, const struct schema_class *k, const char *name)
{
    struct buf *b = &m->out;
    const struct shell_command *c;
    struct span what =
        arena_printf(&m->arena, "the properties of %s %s", k->label[0] == 'a' ? "an" : "a", k->label);
    put_title(b, name, '7', what.ptr ? what.ptr : "");
    buf_add(b, SPAN(".SH SYNOPSIS\n"));
    for (size_t i = 0; (c = shell_command_at(&m->table, i)); i++) {
        size_t dash = span_find(span_of(c->name), '-');
        if (dash == SIZE_MAX || !span_eq(span_from(span_of(c->name), dash + 1), span_of(k->name)))
            continue;
        buf_add(b, SPAN(".B "));
        put_text(b, span_of(c->name));
        buf_add(b, SPAN("\n.br\n"));
    }
    buf_add(b, SPAN(".SH PROPERTIES\n"));
    for (size_t i = 0; i < k->count; i++)
        if (!(k->properties[i].flags & SCHEMA_HIDDEN) || (k->properties[i].flags & SCHEMA_WRITE_ONLY))
            put_property(m, &k->properties[i]);
    buf_add(b, SPAN(".SH \"SEE ALSO\"\n.BR mailreeve (8),\n.BR mailreeve\\-cmdlets (7)\n"));
}

/* ---- pages ---- */

static void class_page_name(const struct schema_class *k, char ret[static PAGE_NAME_MAX])
{
    int n = snprintf(ret, PAGE_NAME_MAX, "mailreeve-");
    for (const char *c = k->name; *c && n < PAGE_NAME_MAX - 1; c++)
        ret[n++] = ascii_lower(*c);
    ret[n] = '\0';
}

static void print_list(void)
{
    char name[PAGE_NAME_MAX];
    printf("mailreeve.8\nmailreeve-cmdlets.7\n");
    for (size_t i = 0; i < SCHEMA_CLASSES; i++) {
        class_page_name(schema_classes[i], name);
        printf("%s.7\n", name);
    }
}

/* False: there is no such page. */
static bool print_page(struct manual *m, struct span page)
{
    char name[PAGE_NAME_MAX];
    if (span_eq(page, SPAN("mailreeve.8"))) {
        print_commands(m);
        return true;
    }
    if (span_eq(page, SPAN("mailreeve-cmdlets.7"))) {
        print_cmdlets(m);
        return true;
    }
    for (size_t i = 0; i < SCHEMA_CLASSES; i++) {
        class_page_name(schema_classes[i], name);
        if (span_starts(page, span_of(name)) && span_eq(span_from(page, span_of(name).len), SPAN(".7"))) {
            print_class(m, schema_classes[i], name);
            return true;
        }
    }
    return false;
}

int cli_manual(int argc, char **argv, const struct cli_command *commands, size_t count)
{
    struct manual m = {.commands = commands, .command_count = count};
    struct err err = {0};
    int status = CLI_FAILED;
    if (argc < 2) {
        print_list();
        return CLI_OK;
    }
    buf_init(&m.out, PAGE_MAX);
    arena_init(&m.arena, PAGE_ARENA_MAX);
    if (cmdlet_table(&m.arena, &m.table, &err)) {
        fprintf(stderr, "mailreeve manual: %s\n", err.text);
    } else if (!print_page(&m, span_of(argv[1]))) {
        fprintf(stderr, "mailreeve manual: there is no page %s; `mailreeve manual` lists those there are\n",
                argv[1]);
        status = CLI_USAGE;
    } else if (m.out.failed) {
        fprintf(stderr, "mailreeve manual: out of memory\n");
    } else {
        fwrite(m.out.ptr, 1, m.out.len, stdout);
        status = fflush(stdout) == 0 && !ferror(stdout) ? CLI_OK : CLI_FAILED;
    }
    buf_done(&m.out);
    arena_clear(&m.arena);
    return status;
}
