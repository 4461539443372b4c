/* command.c: the verbs. Invariant: the argument lies in the line, so what a client said is never copied here. */
#include "smtp/command.h"

static const struct span names[SMTP_VERB_COUNT] = {
    [SMTP_VERB_EHLO] = SPAN_INIT("EHLO"),         [SMTP_VERB_HELO] = SPAN_INIT("HELO"),
    [SMTP_VERB_STARTTLS] = SPAN_INIT("STARTTLS"), [SMTP_VERB_AUTH] = SPAN_INIT("AUTH"),
    [SMTP_VERB_MAIL] = SPAN_INIT("MAIL"),         [SMTP_VERB_RCPT] = SPAN_INIT("RCPT"),
    [SMTP_VERB_DATA] = SPAN_INIT("DATA"),         [SMTP_VERB_BDAT] = SPAN_INIT("BDAT"),
    [SMTP_VERB_RSET] = SPAN_INIT("RSET"),         [SMTP_VERB_NOOP] = SPAN_INIT("NOOP"),
    [SMTP_VERB_VRFY] = SPAN_INIT("VRFY"),         [SMTP_VERB_EXPN] = SPAN_INIT("EXPN"),
    [SMTP_VERB_HELP] = SPAN_INIT("HELP"),         [SMTP_VERB_QUIT] = SPAN_INIT("QUIT"),
};

struct smtp_command smtp_command_parse(struct span line)
{
    struct span word = span_head(line, span_find(line, ' '));
    struct smtp_command c = {SMTP_VERB_EHLO, span_trim(span_from(line, word.len))};
    while (c.verb < SMTP_VERB_COUNT && !span_ieq(word, names[c.verb]))
        c.verb++;
    return c;
}

struct span smtp_verb_name(enum smtp_verb verb)
{
    ASSERT(verb < SMTP_VERB_COUNT);
    return names[verb];
}
