/* options.c: the command line from one table: name, the modes that know it, kind, place, range, help. */
#include "options.h"

#include "base/num.h"
#include "message.h"

#include <string.h>

enum kind { KIND_TEXT, KIND_NUMBER, KIND_FLAG, KIND_TLS };

enum { LOAD = 1 << MODE_LOAD, IDLE = 1 << MODE_IDLE, SINK = 1 << MODE_SINK, CHECK = 1 << MODE_CHECK };

struct option {
    const char *name;
    unsigned modes;
    enum kind kind;
    size_t at; /* offset in struct options */
    uint64_t min, max;
    const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option table[] = {
    {"connect", LOAD | IDLE, KIND_TEXT, AT(connect), 0, 0, "ADDRESS:PORT of the server (IPv4)"},
    {"sessions", LOAD | IDLE, KIND_NUMBER, AT(sessions), 1, 60000, "sessions at a time (50)"},
    {"messages", LOAD, KIND_NUMBER, AT(messages), 1, 100000000, "messages in all (1000)"},
    {"seconds", LOAD, KIND_NUMBER, AT(seconds), 1, 86400, "begin no message after so long, and end"},
    {"per-connection", LOAD, KIND_NUMBER, AT(per_connection), 1, 1000000, "messages of a connection (1)"},
    {"size", LOAD, KIND_NUMBER, AT(size), MESSAGE_SIZE_MIN, 1 << 30, "bytes of a message, K and M allowed (4K)"},
    {"recipients", LOAD, KIND_NUMBER, AT(recipients), 1, 10000, "recipients of a message (1)"},
    {"opening", IDLE, KIND_NUMBER, AT(opening), 1, 60000, "sessions on their way at a time (50)"},
    {"tls", LOAD | IDLE | SINK, KIND_TLS, AT(tls), 0, 0, "none, starttls or implicit (none)"},
    {"user", LOAD | IDLE, KIND_TEXT, AT(user), 0, 0, "AUTH PLAIN as this user"},
    {"password", LOAD | IDLE, KIND_TEXT, AT(password), 0, 0, "its password"},
    {"sender", LOAD, KIND_TEXT, AT(sender), 0, 0, "MAIL FROM (bench@example.com)"},
    {"domain", LOAD, KIND_TEXT, AT(domain), 0, 0, "recipients are r1@DOMAIN, r2@DOMAIN, ... (sink.test)"},
    {"pipelining", LOAD, KIND_FLAG, AT(pipelining), 0, 0, "MAIL, RCPT and DATA in one write"},
    {"resume", LOAD | IDLE, KIND_FLAG, AT(resume), 0, 0, "resume TLS sessions"},
    {"leave", LOAD, KIND_FLAG, AT(leave), 0, 0, "do not wait for the 221"},
    {"deadline", LOAD | IDLE, KIND_NUMBER, AT(deadline), 1, 86400, "seconds until the rest is given up (120)"},
    {"acknowledged", LOAD | CHECK, KIND_TEXT, AT(acknowledged), 0, 0, "ledger of the ids that got their 250"},
    {"run", LOAD | SINK, KIND_TEXT, AT(run), 0, 0, "name of the run in each id (bench)"},
    {"listen", SINK, KIND_TEXT, AT(listen), 0, 0, "ADDRESS:PORT, port 0 for a free one"},
    {"certificate", SINK, KIND_TEXT, AT(certificate), 0, 0, "PEM file: STARTTLS is offered"},
    {"key", SINK, KIND_TEXT, AT(key), 0, 0, "PEM file of its key"},
    {"expect", SINK, KIND_NUMBER, AT(expect), 1, 100000000, "say \"complete\" after this many ids"},
    {"forget", SINK, KIND_NUMBER, AT(forget), 1, UINT32_MAX, "lie: of N messages acknowledge one and forget it"},
    {"twice", SINK, KIND_NUMBER, AT(twice), 1, UINT32_MAX, "of N messages keep one twice"},
    {"received", SINK | CHECK, KIND_TEXT, AT(received), 0, 0, "ledger of the ids that arrived"},
};

static const char *const modes[] = {
    [MODE_LOAD] = "load", [MODE_IDLE] = "idle", [MODE_SINK] = "sink", [MODE_CHECK] = "check"};
static const char *const tls_uses[] = {
    [TLS_NONE] = "none", [TLS_STARTTLS] = "starttls", [TLS_IMPLICIT] = "implicit"};

static bool word_index(const char *const *words, size_t count, const char *s, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(words[i], s) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static enum err_code set_number(const struct option *o, const char *text, uint64_t *ret, struct err *err)
{
    struct span s = span_of(text);
    uint64_t factor = 1, n;
    if (span_ends(s, SPAN("K")) || span_ends(s, SPAN("M")))
        factor = s.ptr[s.len - 1] == 'K' ? 1U << 10 : 1U << 20;
    if (!num_parse_u64(span_head(s, s.len - (factor > 1)), o->max / factor, &n) || n * factor < o->min)
        return err_set(err, ERR_INVALID, "--%s %s: it must be a number from %llu to %llu", o->name, text,
                       (unsigned long long)o->min, (unsigned long long)o->max);
    *ret = n * factor;
    return ERR_NONE;
}

static enum err_code set(const struct option *o, const char *text, struct options *opt, struct err *err)
{
    void *at = (char *)opt + o->at;
    unsigned index;
    switch (o->kind) {
    case KIND_NUMBER: return set_number(o, text, at, err);
    case KIND_TEXT: *(const char **)at = text; return ERR_NONE;
    case KIND_FLAG: *(bool *)at = true; return ERR_NONE;
    case KIND_TLS:
        if (!word_index(tls_uses, ARRAY_LEN(tls_uses), text, &index))
            return err_set(err, ERR_INVALID, "--tls %s: it must be none, starttls or implicit", text);
        *(enum tls_use *)at = (enum tls_use)index;
        return ERR_NONE;
    }
    ASSERT_NEVER("all kinds are handled");
}

static const struct option *find(const char *arg, enum mode mode)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strncmp(arg, "--", 2) == 0 && strcmp(table[i].name, arg + 2) == 0 && (table[i].modes & 1U << mode))
            return &table[i];
    return NULL;
}

/* What a mode cannot do without, and values that do not go together. */
static enum err_code check(const struct options *o, struct err *err)
{
    char address[16];
    uint16_t port;
    bool client = o->mode == MODE_LOAD || o->mode == MODE_IDLE;
    const char *endpoint = client ? o->connect : o->listen;
    if (o->mode == MODE_CHECK) {
        if (!o->acknowledged || !o->received)
            return err_set(err, ERR_INVALID, "check needs --acknowledged FILE and --received FILE");
        return ERR_NONE;
    }
    if (!endpoint || !options_split_address(endpoint, address, &port))
        return err_set(err, ERR_INVALID, "--%s %s: it must be ADDRESS:PORT with an IPv4 address",
                       client ? "connect" : "listen", endpoint ? endpoint : "(missing)");
    if (!o->user != !o->password)
        return err_set(err, ERR_INVALID, "--user and --password go together");
    if (!o->certificate != !o->key)
        return err_set(err, ERR_INVALID, "--certificate and --key go together");
    if (o->mode == MODE_SINK && o->tls == TLS_IMPLICIT && !o->certificate)
        return err_set(err, ERR_INVALID, "--tls implicit needs --certificate and --key");
    struct span run = span_of(o->run);
    bool plain = run.len > 0 && run.len <= MESSAGE_RUN_MAX;
    for (size_t i = 0; i < run.len; i++)
        plain = plain && ascii_is_alnum(run.ptr[i]);
    if (!plain)
        return err_set(err, ERR_INVALID, "--run %s: it must be 1 to %d letters and digits", o->run,
                       MESSAGE_RUN_MAX);
    return ERR_NONE;
}

enum err_code options_parse(int argc, char *const *argv, struct options *ret, struct err *err)
{
    struct options o = {.sessions = 50,
                        .messages = 1000,
                        .per_connection = 1,
                        .size = 4096,
                        .recipients = 1,
                        .opening = 50,
                        .sender = "bench@example.com",
                        .domain = "sink.test",
                        .deadline = 120,
                        .run = "bench"};
    unsigned mode;
    if (argc < 2 || !word_index(modes, ARRAY_LEN(modes), argv[1], &mode))
        return err_set(err, ERR_INVALID, "the first argument must be load, idle, sink or check");
    o.mode = (enum mode)mode;
    for (int i = 2; i < argc; i++) {
        const struct option *known = find(argv[i], o.mode);
        if (!known)
            return err_set(err, ERR_INVALID, "%s: `%s` has no such option", argv[i], modes[mode]);
        bool flag = known->kind == KIND_FLAG;
        if (!flag && i + 1 == argc)
            return err_set(err, ERR_INVALID, "%s needs a value", argv[i]);
        enum err_code code = set(known, flag ? "" : argv[++i], &o, err);
        if (code != ERR_NONE)
            return code;
    }
    enum err_code code = check(&o, err);
    if (code == ERR_NONE)
        *ret = o;
    return code;
}

bool options_split_address(const char *s, char *ret_address, uint16_t *ret_port)
{
    struct span all = span_of(s);
    size_t colon = span_rfind(all, ':');
    uint32_t port;
    if (colon == SIZE_MAX || colon == 0 || colon > 15 ||
        !num_parse_u32(span_from(all, colon + 1), UINT16_MAX, &port))
        return false;
    memcpy(ret_address, s, colon);
    ret_address[colon] = 0;
    *ret_port = (uint16_t)port;
    return true;
}

void options_usage(struct buf *out)
{
    buf_addf(out, "usage: smtp-load load|idle|sink|check [options]\n");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        buf_addf(out, "  --%-16s", table[i].name);
        for (unsigned m = 0; m < ARRAY_LEN(modes); m++)
            buf_addf(out, "%-6s", table[i].modes & 1U << m ? modes[m] : "");
        buf_addf(out, "%s\n", table[i].help);
    }
}
