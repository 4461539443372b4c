/*
 * sendmail_options.c: the command line of sendmail(1), as Sendmail, Postfix and Exim share it: single letters that
 * may be joined, values behind them or in the next word. Options that steer what Mailreeve has no use for are taken
 * and ignored; an unknown one is an error, since it may have meant something.
 */
#include "cli/sendmail.h"

#include "smtp/params.h"

#include <stdio.h>
#include <string.h>

enum option_kind {
    OPTION_FLAG,     /* nothing follows; others may be joined */
    OPTION_VALUE,    /* the rest of the word, or the next one */
    OPTION_ATTACHED, /* the rest of the word, which may be empty */
};

static const struct {
    char letter;
    enum option_kind kind;
    bool ignored;
} options[] = {
    {'t', OPTION_FLAG, false},     {'i', OPTION_FLAG, false},  {'f', OPTION_VALUE, false},
    {'r', OPTION_VALUE, false},    {'F', OPTION_VALUE, false}, {'B', OPTION_VALUE, false},
    {'N', OPTION_VALUE, false},    {'R', OPTION_VALUE, false}, {'V', OPTION_VALUE, false},
    {'b', OPTION_VALUE, false},    {'o', OPTION_VALUE, false}, {'I', OPTION_FLAG, false},
    {'q', OPTION_ATTACHED, false}, {'O', OPTION_VALUE, true},  {'A', OPTION_VALUE, true},
    {'C', OPTION_VALUE, true},     {'L', OPTION_VALUE, true},  {'X', OPTION_VALUE, true},
    {'h', OPTION_VALUE, true},     {'p', OPTION_VALUE, true},  {'d', OPTION_ATTACHED, true},
    {'e', OPTION_ATTACHED, true},  {'G', OPTION_FLAG, true},   {'U', OPTION_FLAG, true},
    {'m', OPTION_FLAG, true},      {'n', OPTION_FLAG, true},   {'c', OPTION_FLAG, true},
    {'v', OPTION_FLAG, true},      {'x', OPTION_FLAG, true},
};

#define KNOWN                                                                                                      \
    "-t -i -oi -f -F -B -N -R -V -bm -bs -bp -bi -q --state, and without effect -A -C -L -O -o -X -e -h -m -n -v"

static enum err_code take_mode(struct sendmail_options *o, const char *value, struct err *err)
{
    static const struct {
        char letter;
        enum sendmail_mode mode;
    } modes[] = {{'m', SENDMAIL_SEND}, {'s', SENDMAIL_SMTP}, {'p', SENDMAIL_QUEUE}, {'i', SENDMAIL_IDLE}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (value[0] == modes[i].letter && !value[1]) {
            o->mode = modes[i].mode;
            return ERR_NONE;
        }
    return err_set(err, ERR_INVALID,
                   "-b%s is not known; -bm (send), -bs (SMTP on standard input) and -bp (list the queue) are; the "
                   "server is started with: mailreeve serve",
                   value);
}

/* One of the words, in the protocol's spelling; NULL: none. */
static const char *word_of(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (span_ieq(span_of(value), span_of(*words)))
            return *words;
    return NULL;
}

static enum err_code take_word(const char *value, const char *const *words, char letter, const char **ret,
                               struct err *err)
{
    *ret = word_of(value, words);
    return *ret ? ERR_NONE
                : err_set(err, ERR_INVALID, "-%c %s: %s or %s is expected", letter, value, words[0], words[1]);
}

static enum err_code take_ret(struct sendmail_options *o, const char *value, struct err *err)
{
    static const char *const words[] = {"FULL", "HDRS", NULL};
    return take_word(span_ieq(span_of(value), SPAN("hdr")) ? "HDRS" : value, words, 'R', &o->ret, err);
}

static enum err_code take_body(struct sendmail_options *o, const char *value, struct err *err)
{
    static const char *const words[] = {"7BIT", "8BITMIME", NULL};
    return take_word(value, words, 'B', &o->body, err);
}

static enum err_code take_notify(struct sendmail_options *o, const char *value, struct err *err)
{
    unsigned notify;
    o->notify = value;
    return smtp_notify_parse(span_of(value), &notify)
               ? ERR_NONE
               : err_set(err, ERR_INVALID, "-N %s: never, or a list of success, failure and delay is expected",
                         value);
}

static enum err_code take(struct sendmail_options *o, char letter, const char *value, struct err *err)
{
    switch (letter) {
    case 't': o->from_header = true; break;
    case 'i': o->dot_is_text = true; break;
    case 'I':
    case 'q': o->mode = SENDMAIL_IDLE; break;
    case 'f':
    case 'r': o->sender = value; break;
    case 'F': o->full_name = value; break;
    case 'V': o->envid = value; break;
    case 'o': o->dot_is_text = o->dot_is_text || strcmp(value, "i") == 0; break;
    case 'b': return take_mode(o, value, err);
    case 'B': return take_body(o, value, err);
    case 'R': return take_ret(o, value, err);
    case 'N': return take_notify(o, value, err);
    default: break;
    }
    return ERR_NONE;
}

/* One word of options; *at is where the next one begins. */
static enum err_code take_word_of_options(struct sendmail_options *o, int argc, char **argv, int *at,
                                          struct err *err)
{
    const char *p = argv[(*at)++] + 1;
    while (*p) {
        size_t i = 0;
        while (i < ARRAY_LEN(options) && options[i].letter != *p)
            i++;
        if (i == ARRAY_LEN(options))
            return err_set(err, ERR_INVALID, "unknown option -%c; known are " KNOWN, *p);
        const char *value = ++p;
        if (options[i].kind != OPTION_FLAG)
            p += strlen(p);
        if (options[i].kind == OPTION_VALUE && !*value) {
            if (*at == argc)
                return err_set(err, ERR_INVALID, "-%c needs a value", options[i].letter);
            value = argv[(*at)++];
        }
        enum err_code code = options[i].ignored ? ERR_NONE : take(o, options[i].letter, value, err);
        if (code)
            return code;
    }
    return ERR_NONE;
}

static bool take_state(struct sendmail_options *o, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (strncmp(word, "--state=", 8) == 0)
        o->state = word + 8;
    else if (strcmp(word, "--state") == 0 && *at + 1 < argc)
        o->state = argv[++*at];
    else
        return false;
    ++*at;
    return true;
}

enum err_code sendmail_parse(int argc, char **argv, struct sendmail_options *ret, struct err *err)
{
    struct sendmail_options o = {0};
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    enum err_code code = ERR_NONE;
    bool literal = false; /* "--": what follows is no option, whatever it looks like */
    int at = 1;
    if (strcmp(name, "mailq") == 0)
        o.mode = SENDMAIL_QUEUE;
    else if (strcmp(name, "newaliases") == 0)
        o.mode = SENDMAIL_IDLE;
    while (!code && at < argc && argv[at][0] == '-' && argv[at][1]) {
        if (strcmp(argv[at], "--") == 0) {
            literal = true;
            at++;
            break;
        }
        if (take_state(&o, argc, argv, &at))
            continue;
        code = argv[at][1] == '-' ? err_set(err, ERR_INVALID, "unknown option %s; known are " KNOWN, argv[at])
                                  : take_word_of_options(&o, argc, argv, &at, err);
    }
    o.recipients = argv + at;
    o.recipient_count = argc - at;
    for (int i = 0; !code && !literal && i < o.recipient_count; i++)
        if (o.recipients[i][0] == '-')
            code = err_set(err, ERR_INVALID, "%s stands behind an address: options go in front of all of them",
                           o.recipients[i]);
    if (code)
        return code;
    if (o.mode == SENDMAIL_SEND && !o.from_header && !o.recipient_count)
        return err_set(err, ERR_INVALID,
                       "no recipient: give addresses, or -t to take them from To, Cc and Bcc of the message");
    *ret = o;
    return ERR_NONE;
}
