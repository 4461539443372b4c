/* fact.c: a fact's texts, and what of them makes it another fact than the next. */
#include "store/facts/facts.h"

#include "base/cursor.h"

#include <string.h>

const struct facts_limits facts_limits_default = {
    .of_client = {32, 32, 64},
    .rows = 100000,
    .age_ms = INT64_C(30) * 24 * 3600 * 1000,
};

/* Up to which level a text counts, and how. */
enum part { WHOLE_TEXT, DOMAIN_TEXT, NO_TEXT };

static const struct {
    uint16_t max; /* octets that are kept */
    uint8_t counts[FACT_LEVELS];
} texts[FACT_TEXTS] = {
    [FACT_CONNECTOR] = {64, {WHOLE_TEXT, WHOLE_TEXT, WHOLE_TEXT}},
    [FACT_LOCAL] = {IP_ENDPOINT_TEXT_MAX, {WHOLE_TEXT, WHOLE_TEXT, WHOLE_TEXT}},
    [FACT_REMOTE] = {IP_TEXT_MAX, {WHOLE_TEXT, WHOLE_TEXT, NO_TEXT}},
    [FACT_HELO] = {255, {NO_TEXT, NO_TEXT, NO_TEXT}},
    [FACT_TLS] = {16, {WHOLE_TEXT, WHOLE_TEXT, WHOLE_TEXT}},
    [FACT_CIPHER] = {64, {NO_TEXT, NO_TEXT, NO_TEXT}},
    [FACT_MECHANISM] = {32, {WHOLE_TEXT, WHOLE_TEXT, WHOLE_TEXT}},
    [FACT_USER] = {320, {NO_TEXT, NO_TEXT, NO_TEXT}}, /* part of the client */
    [FACT_CERTIFICATE] = {64, {WHOLE_TEXT, NO_TEXT, NO_TEXT}},
    [FACT_SENDER] = {320, {WHOLE_TEXT, DOMAIN_TEXT, NO_TEXT}},
    [FACT_RECIPIENT] = {320, {WHOLE_TEXT, DOMAIN_TEXT, NO_TEXT}},
    [FACT_MISTAKE] = {64, {WHOLE_TEXT, WHOLE_TEXT, WHOLE_TEXT}},
};

static const struct span questions[FACT_QUESTIONS] = {
    [FACT_OF_SESSION] = SPAN_INIT("Session"), [FACT_OF_AUTH] = SPAN_INIT("Auth"),
    [FACT_OF_MAIL] = SPAN_INIT("Mail"),       [FACT_OF_RCPT] = SPAN_INIT("Rcpt"),
    [FACT_OF_MESSAGE] = SPAN_INIT("Message"),
};

struct span fact_question_name(enum fact_question question)
{
    return question < FACT_QUESTIONS ? questions[question] : SPAN("");
}

bool fact_question_find(struct span name, enum fact_question *ret)
{
    for (unsigned i = 0; i < FACT_QUESTIONS; i++)
        if (span_eq(questions[i], name)) {
            *ret = (enum fact_question)i;
            return true;
        }
    return false;
}

void fact_trim(struct fact *f)
{
    for (unsigned i = 0; i < FACT_TEXTS; i++)
        f->text[i] = span_head(f->text[i], texts[i].max);
}

void fact_print_network(struct buf *out, struct span remote)
{
    enum { HOST_PART = 8 /* octets of an IPv6 address */ };
    struct ip_addr a;
    char text[IP_TEXT_MAX];
    if (!ip_parse(remote, &a) || ip_is_v4(a)) {
        buf_add(out, remote);
        return;
    }
    memset(a.bytes + HOST_PART, 0, sizeof a.bytes - HOST_PART);
    buf_addf(out, "%s/64", ip_print(a, text));
}

/* With its length ahead, and without regard to case. */
static void add_text(struct buf *out, struct span s)
{
    put_u16(out, (uint16_t)s.len);
    char *to = buf_reserve(out, s.len);
    if (!to)
        return;
    for (size_t i = 0; i < s.len; i++) { /* once for each text of each fact: without a call */
        char c = s.ptr[i];
        to[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    buf_commit(out, s.len);
}

static struct span domain_of(struct span address)
{
    size_t at = span_rfind(address, '@');
    return at == SIZE_MAX ? SPAN("") : span_from(address, at);
}

void fact_print_key(struct buf *out, const struct fact *f, enum fact_level level)
{
    put_u8(out, (uint8_t)f->question);
    put_u16(out, (uint16_t)f->code);
    for (unsigned i = 0; i < FACT_TEXTS; i++) {
        struct span text = span_head(f->text[i], texts[i].max);
        if (texts[i].counts[level] != NO_TEXT)
            add_text(out, texts[i].counts[level] == DOMAIN_TEXT ? domain_of(text) : text);
    }
}
