/* session.c: a fact as the session that explain holds, as far as the fact goes; or why it cannot be one. */
#include "replay/internal.h"

static bool is_line(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool are_lines(const struct fact *f)
{
    for (unsigned i = 0; i < FACT_TEXTS; i++)
        if (!is_line(f->text[i]))
            return false;
    return true;
}

static bool refuse(enum replay_skip why, enum replay_skip *ret)
{
    *ret = why;
    return false;
}

/* How far the client came, by what the fact is about. */
static enum explain_stage stage_of(const struct fact *f)
{
    switch (f->question) {
    case FACT_OF_MAIL:
    case FACT_OF_MESSAGE: return EXPLAIN_MAIL;
    case FACT_OF_RCPT: return EXPLAIN_RCPT;
    case FACT_OF_SESSION:
    case FACT_OF_AUTH:
    case FACT_QUESTIONS: break;
    }
    if (f->text[FACT_USER].len)
        return EXPLAIN_AUTH;
    return !f->text[FACT_HELO].len ? EXPLAIN_CONNECT : f->text[FACT_TLS].len ? EXPLAIN_HELLO_TLS : EXPLAIN_HELLO;
}

bool replay_session_of(const struct fact *f, int64_t now_ms, struct replay_session *ret, enum replay_skip *ret_skip)
{
    struct replay_session t = {.last = stage_of(f), .fact = f};
    struct explain_session *s = &t.session;
    if (f->text[FACT_MISTAKE].len)
        return refuse(REPLAY_SKIP_MISTAKE, ret_skip);
    if (f->question == FACT_OF_SESSION && f->code)
        return refuse(REPLAY_SKIP_TURNED_AWAY, ret_skip);
    if (f->question == FACT_OF_AUTH && (f->code != 235 || !f->text[FACT_USER].len))
        return refuse(REPLAY_SKIP_LOGON, ret_skip);
    if (!ip_parse(f->text[FACT_REMOTE], &s->remote) || !ip_parse_endpoint(f->text[FACT_LOCAL], &s->local) ||
        !are_lines(f) || (f->question == FACT_OF_RCPT && !f->text[FACT_RECIPIENT].len))
        return refuse(REPLAY_SKIP_MALFORMED, ret_skip);
    s->tls = f->text[FACT_TLS].len;
    s->client = (struct gate_tls){.certificate = s->tls && f->text[FACT_CERTIFICATE].len,
                                  .trusted = false, /* nobody looks: see replay_fact */
                                  .fingerprint = f->text[FACT_CERTIFICATE]};
    s->auth = f->text[FACT_USER].len;
    s->user = f->text[FACT_USER];
    s->mechanism = f->text[FACT_MECHANISM];
    s->helo = f->text[FACT_HELO]; /* empty: EHLO without a name */
    s->sender = s->header_from = f->text[FACT_SENDER];
    s->recipient = f->text[FACT_RECIPIENT];
    s->now_ms = now_ms;
    *ret = t;
    return true;
}

const char *replay_skip_text(enum replay_skip s)
{
    static const char *const texts[REPLAY_SKIPS] = {
        [REPLAY_SKIP_LOGON] = "failed logons: passwords are not recorded",
        [REPLAY_SKIP_TURNED_AWAY] = "connections that a limit of the moment turned away",
        [REPLAY_SKIP_MISTAKE] = "connections that came to nothing by a mistake of the client",
        [REPLAY_SKIP_PARTNER] =
            "client certificates where DomainSecureEnabled counts: their names are not recorded",
        [REPLAY_SKIP_UNREADABLE] =
            "sessions that depend on certificates, keys or recipients that cannot be read now",
        [REPLAY_SKIP_MALFORMED] = "facts that no session could have left",
    };
    return s < REPLAY_SKIPS ? texts[s] : "";
}

const char *replay_skip_name(enum replay_skip s)
{
    static const char *const names[REPLAY_SKIPS] = {
        [REPLAY_SKIP_LOGON] = "failed-logon",     [REPLAY_SKIP_TURNED_AWAY] = "turned-away",
        [REPLAY_SKIP_MISTAKE] = "client-mistake", [REPLAY_SKIP_PARTNER] = "certificate-names-unknown",
        [REPLAY_SKIP_UNREADABLE] = "unreadable",  [REPLAY_SKIP_MALFORMED] = "malformed",
    };
    return s < REPLAY_SKIPS ? names[s] : "";
}
