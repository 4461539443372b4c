/*
 * dispatch.c: from a line to a verb, through one table of verbs and one ordered list of gates.
 *
 * Invariants: a verb runs only when all its gates are open, so none of them checks these things again; the first
 * closed gate of the list replies. Of a line that is refused nothing is executed, but for the octets that BDAT
 * announces: they are passed over.
 */
#include "smtp/server/internal.h"

enum command_flag {
    NEEDS_HELLO = 1 << 0,
    NEEDS_TLS = 1 << 1, /* where the connector requires it */
    NEEDS_CHUNKING = 1 << 2,
    NOT_LOGGED_ON = 1 << 3,
    NOT_IN_CONTENT = 1 << 4,
    NOT_IN_MAIL = 1 << 5,
    NEEDS_MAIL = 1 << 6,
    NEEDS_RCPT = 1 << 7,
    NO_ARGUMENT = 1 << 8,
    NEEDS_ARGUMENT = 1 << 9,
    LONG_LINE = 1 << 10, /* up to max_auth_line */
};

static const struct verb_rule {
    void (*run)(struct smtp_server *s, struct span argument);
    unsigned flags;
} rules[SMTP_VERB_COUNT] = {
    [SMTP_VERB_EHLO] = {cmd_ehlo, 0},
    [SMTP_VERB_HELO] = {cmd_helo, 0},
    [SMTP_VERB_STARTTLS] = {cmd_starttls, NEEDS_HELLO | NO_ARGUMENT},
    [SMTP_VERB_AUTH] = {cmd_auth,
                        NEEDS_HELLO | NEEDS_TLS | NOT_LOGGED_ON | NOT_IN_MAIL | NEEDS_ARGUMENT | LONG_LINE},
    [SMTP_VERB_MAIL] = {cmd_mail, NEEDS_HELLO | NEEDS_TLS | NOT_IN_MAIL},
    [SMTP_VERB_RCPT] = {cmd_rcpt, NEEDS_HELLO | NEEDS_TLS | NEEDS_MAIL | NOT_IN_CONTENT},
    [SMTP_VERB_DATA] = {cmd_data, NEEDS_HELLO | NEEDS_TLS | NEEDS_MAIL | NEEDS_RCPT | NOT_IN_CONTENT | NO_ARGUMENT},
    [SMTP_VERB_BDAT] = {cmd_bdat, NEEDS_HELLO | NEEDS_TLS | NEEDS_CHUNKING | NEEDS_MAIL | NEEDS_RCPT},
    [SMTP_VERB_RSET] = {cmd_rset, NO_ARGUMENT},
    [SMTP_VERB_NOOP] = {cmd_noop, 0},
    [SMTP_VERB_VRFY] = {cmd_vrfy, NEEDS_TLS | NEEDS_ARGUMENT},
    [SMTP_VERB_EXPN] = {cmd_expn, 0},
    [SMTP_VERB_HELP] = {cmd_help, 0},
    [SMTP_VERB_QUIT] = {cmd_quit, 0},
};

static bool hello_said(const struct smtp_server *s, struct span argument UNUSED)
{
    return s->hello;
}

static bool tls_suffices(const struct smtp_server *s, struct span argument UNUSED)
{
    return s->tls || !s->profile->require_tls;
}

static bool chunking_offered(const struct smtp_server *s, struct span argument UNUSED)
{
    return s->profile->chunking;
}

static bool not_logged_on(const struct smtp_server *s, struct span argument UNUSED)
{
    return !s->authenticated;
}

static bool not_in_content(const struct smtp_server *s, struct span argument UNUSED)
{
    return s->tx.content == CONTENT_NONE;
}

static bool not_in_mail(const struct smtp_server *s, struct span argument UNUSED)
{
    return !s->tx.mail;
}

static bool in_mail(const struct smtp_server *s, struct span argument UNUSED)
{
    return s->tx.mail;
}

static bool has_recipient(const struct smtp_server *s, struct span argument UNUSED)
{
    return s->tx.envelope.recipient_count > 0;
}

static bool without_argument(const struct smtp_server *s UNUSED, struct span argument)
{
    return argument.len == 0;
}

static bool with_argument(const struct smtp_server *s UNUSED, struct span argument)
{
    return argument.len > 0;
}

/* In the order in which they are tried. */
static const struct gate {
    unsigned flag;
    bool (*open)(const struct smtp_server *s, struct span argument);
    struct smtp_reply reply;
    bool sequence; /* closed behind a refused MAIL or RCPT it is no error: the client had pipelined */
    bool refusal;  /* the policy's, and so with a code */
} gates[] = {
    {NEEDS_HELLO, hello_said, {503, SPAN_INIT("5.5.2"), SPAN_INIT("Send hello first")}},
    {NEEDS_TLS,
     tls_suffices,
     {530, SPAN_INIT("5.7.0"), SPAN_INIT("Must issue a STARTTLS command first")},
     .refusal = true},
    {NEEDS_CHUNKING, chunking_offered, {502, SPAN_INIT("5.5.1"), SPAN_INIT("CHUNKING is not offered here")}},
    {NOT_LOGGED_ON, not_logged_on, {503, SPAN_INIT("5.5.2"), SPAN_INIT("Already authenticated")}},
    {NOT_IN_CONTENT, not_in_content, {503, SPAN_INIT("5.5.1"), SPAN_INIT("Need BDAT LAST or RSET first")}},
    {NOT_IN_MAIL, not_in_mail, {503, SPAN_INIT("5.5.2"), SPAN_INIT("Not during a mail transaction")}},
    {NEEDS_MAIL, in_mail, {503, SPAN_INIT("5.5.2"), SPAN_INIT("Need mail command")}, .sequence = true},
    {NEEDS_RCPT, has_recipient, {503, SPAN_INIT("5.5.2"), SPAN_INIT("Need rcpt command")}, .sequence = true},
    {NO_ARGUMENT, without_argument, {501, SPAN_INIT("5.5.4"), SPAN_INIT("No argument is allowed here")}},
    {NEEDS_ARGUMENT, with_argument, {501, SPAN_INIT("5.5.4"), SPAN_INIT("An argument is missing")}},
};

static const struct gate *first_closed_gate(const struct smtp_server *s, unsigned flags, struct span argument)
{
    for (size_t i = 0; i < ARRAY_LEN(gates); i++)
        if ((flags & gates[i].flag) && !gates[i].open(s, argument))
            return &gates[i];
    return NULL;
}

static void run_command(struct smtp_server *s, const struct smtp_command *c)
{
    const struct verb_rule *rule = &rules[c->verb];
    const struct gate *closed = first_closed_gate(s, rule->flags, c->argument);
    bool counted = closed && !(closed->sequence && s->tx.excused);
    if (!closed)
        rule->run(s, c->argument);
    else if (c->verb == SMTP_VERB_BDAT)
        bdat_refuse(s, c->argument, closed->reply, counted);
    else if (counted)
        respond_error(s, closed->refusal ? refusal_coded(s, closed->reply) : closed->reply);
    else
        respond(s, closed->reply);
}

static void refuse_line(struct smtp_server *s, enum line_defect defect)
{
    session_event(s, SMTP_EVENT_BAD_LINE, line_defect_text(defect));
    if (defect == LINE_NO_MEMORY)
        respond_no_memory(s, SPAN("line"));
    else
        respond_error_about(s, 500, "5.5.2", "Syntax error", line_defect_text(defect));
}

static size_t max_command_line(const struct smtp_server *s)
{
    return s->profile->max_command_line ? s->profile->max_command_line : SMTP_COMMAND_LINE_DEFAULT;
}

/* A command line without defect. Gives whether it may have held a secret. */
static bool take_command(struct smtp_server *s, struct span line)
{
    struct smtp_command c = smtp_command_parse(line);
    bool known = c.verb != SMTP_VERB_UNKNOWN;
    if (line.len + 2 > max_command_line(s) && !(known && rules[c.verb].flags & LONG_LINE))
        refuse_line(s, LINE_TOO_LONG);
    else if (known)
        run_command(s, &c);
    else
        respond_error(s, SMTP_REPLY(500, "5.3.3", "Unrecognized command"));
    return !known || c.verb == SMTP_VERB_AUTH; /* what is no verb may be a password behind a refused AUTH */
}

void dispatch_line(struct smtp_server *s, const struct line *line)
{
    bool secret = true;
    arena_reset(&s->scratch);
    show_line(s, line);
    if (s->phase == PHASE_AUTH && !line->defect)
        auth_response(s, line->text);
    else if (s->phase == PHASE_AUTH)
        auth_broken(s);
    else if (!line->defect)
        secret = take_command(s, line->text);
    if (line->defect)
        refuse_line(s, line->defect);
    line_release(&s->line, secret);
}
