/*
 * cmd_bdat.c: BDAT (RFC 3030): content in chunks whose length is said before.
 *
 * Invariants: once the length was read, exactly so many octets are passed over or passed on, whatever the reply
 * will be; the reply comes behind them. What is refused is counted, not kept.
 */
#include "smtp/server/internal.h"

#include "base/num.h"

/* Replies and ends the session unless the length is known: the octets to come could not be told from commands. */
static bool parse_chunk(struct smtp_server *s, struct span argument)
{
    struct span length = span_head(argument, span_find(argument, ' '));
    struct span word = span_trim(span_from(argument, length.len));
    uint64_t octets;
    bool last = span_ieq(word, SPAN("LAST"));
    if (!num_parse_u64(length, INT64_MAX, &octets) || (word.len && !last)) {
        respond_error(s, SMTP_REPLY(501, "5.5.4", "Syntax: BDAT octets [LAST]; closing transmission channel"));
        if (s->phase != PHASE_CLOSED)
            session_close(s);
        return false;
    }
    s->chunk = (struct chunk){.left = octets, .last = last};
    return true;
}

static void end_chunk(struct smtp_server *s)
{
    if (s->chunk.refused) {
        session_enter(s, PHASE_COMMAND);
        if (s->chunk.counted)
            respond_error(s, s->chunk.refusal);
        else
            respond(s, s->chunk.refusal);
    } else if (s->chunk.last) {
        content_scan_end(&s->tx.scan);
        content_end(s, s->tx.scan.defects);
    } else {
        session_enter(s, PHASE_COMMAND);
        if (s->tx.content == CONTENT_FAILED)
            respond_refusal(s, s->tx.failure, s->profile->tarpit_ms);
        else
            respond(s, SMTP_REPLY(250, "2.0.0", "Chunk received"));
    }
}

static void begin_chunk(struct smtp_server *s)
{
    session_enter(s, PHASE_BDAT);
    if (s->chunk.left == 0)
        end_chunk(s);
}

/* A chunk that cannot fit is refused before its first octet. */
static void begin_content_chunk(struct smtp_server *s)
{
    if (s->tx.content == CONTENT_TAKEN && !content_fits(s, s->chunk.left))
        content_fail_too_large(s);
    begin_chunk(s);
}

void bdat_refuse(struct smtp_server *s, struct span argument, struct smtp_reply reply, bool counted)
{
    if (!parse_chunk(s, argument))
        return;
    s->chunk.refused = true;
    s->chunk.counted = counted;
    s->chunk.refusal = reply;
    begin_chunk(s);
}

void cmd_bdat(struct smtp_server *s, struct span argument)
{
    if (!parse_chunk(s, argument))
        return;
    if (s->tx.content != CONTENT_NONE) {
        begin_content_chunk(s);
        return;
    }
    s->tx.chunked = true;
    s->tx.scan = content_scan_start(content_max_line(s));
    s->tx.scan.lf_ends_line = content_repairs(s);
    session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_MESSAGE_BEGIN});
}

/* The driver's words, kept for the chunks to come. */
static struct smtp_reply keep_reply(struct smtp_server *s, const struct smtp_answer *a)
{
    struct smtp_reply unavailable = SMTP_REPLY(451, "4.3.0", "Temporary server error, please try again later");
    struct smtp_reply r = answered_refusal(s, a, unavailable);
    if (!envelope_keep(s, &r.enhanced) || !envelope_keep(s, &r.text))
        return unavailable;
    return r;
}

void bdat_begin(struct smtp_server *s, const struct smtp_answer *a)
{
    if (a->verdict != SMTP_ANSWER_OK)
        session_fail_content(s, keep_reply(s, a));
    begin_content_chunk(s);
}

void bdat_feed(struct smtp_server *s, struct span *input)
{
    struct span piece = span_head(*input, s->chunk.left < input->len ? (size_t)s->chunk.left : input->len);
    *input = span_from(*input, piece.len);
    s->chunk.left -= piece.len;
    if (!s->chunk.refused && s->tx.content == CONTENT_TAKEN) {
        if (s->tx.envelope.mail.body != SMTP_BODY_BINARY)
            content_scan(&s->tx.scan, piece, false);
        content_take(s, piece);
    }
    if (s->chunk.left == 0)
        end_chunk(s);
}
