/*
 * fuzz_client.c: the client against any server. The first three octets choose options, message and pieces, the rest
 * is a script for test_driver.h.
 *
 * Properties: the same actions for any split of the server's octets and of the body; a message ends once, with a
 * result for each recipient or with none; nothing happens after close(); no more than a bounded output; no line
 * that is shown as sent has the password.
 */
#include "smtp/client/test_driver.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct smtp_client_recipient recipients[] = {
    {.address = SPAN_INIT("a@far.test"), .orcpt = SPAN_INIT("rfc822;a@far.test"), .notify = 6},
    {.address = SPAN_INIT("bad address\r\n@far.test")},
    {.address = SPAN_INIT("b@far.test")},
    {.address = SPAN_INIT("\xc3\xbc@far.test")},
};
static const struct span body = SPAN_INIT("Subject: x\r\n\r\n.\r\n..\r\na\rb\nc\r\r\n\n.\n\r.\r\n.end");

static bool bit(uint8_t byte, unsigned n)
{
    return byte >> n & 1;
}

/* The password is "pass", the user "user". */
static void check_secret(struct span lines)
{
    static const struct span secrets[] = {SPAN_INIT("pass"), SPAN_INIT("cGFzcw"), SPAN_INIT("AHVzZXIA")};
    struct span line;
    while (lines.len && span_split(&lines, '\n', &line))
        for (size_t i = 0; span_starts(line, SPAN(">")) && i < ARRAY_LEN(secrets); i++)
            ASSERT(!memmem(line.ptr, line.len, secrets[i].ptr, secrets[i].len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct secret password;
    secret_init(&password, 100);
    ASSERT(secret_set(&password, SPAN("pass")));
    struct smtp_client_options options = {
        .lmtp = bit(data[0], 0),
        .force_helo = bit(data[0], 1),
        .tls_active = bit(data[0], 2),
        .auth_without_tls = bit(data[0], 3),
        .tls = data[0] >> 4 & 3 ? (data[0] >> 4 & 3) - 1 : SMTP_CLIENT_TLS_NONE,
        .helo_name = SPAN("me.test"),
        .own_name = bit(data[1], 5) ? SPAN("far.test") : SPAN(""),
        .user = bit(data[0], 6) ? SPAN("user") : SPAN(""),
        .password = &password,
    };
    struct smtp_client_message message = {
        .sender = SPAN("s@near.test"),
        .recipients = recipients,
        .recipient_count = 1 + (data[1] & 3),
        .size = body.len,
        .envid = SPAN("id"),
        .ret = SMTP_CLIENT_RET_HDRS,
        .eight_bit = bit(data[1], 2),
        .utf8 = bit(data[1], 3),
        .binary = bit(data[1], 4),
    };
    struct test_play play = {
        .options = &options,
        .message = &message,
        .body = body,
        .script = span_make(data + 3, size - 3),
        .piece = SIZE_MAX / 2,
        .body_piece = message.binary ? 7 : SIZE_MAX / 2, /* a chunk is a piece: there the split shows */
    };
    struct test_driver whole, split;
    driver_play(&whole, &play);
    play.piece = 1 + data[2] % 7;
    if (!message.binary)
        play.body_piece = 1 + data[2] / 7 % 11;
    driver_play(&split, &play);

    ASSERT(whole.client && split.client);
    ASSERT(span_eq(buf_span(&whole.transcript), buf_span(&split.transcript)));
    ASSERT(span_eq(buf_span(&whole.lines), buf_span(&split.lines)));
    check_secret(buf_span(&whole.lines));
    ASSERT(whole.after_close == 0 && !whole.transcript.failed);
    ASSERT(whole.given <= whole.done + whole.failed + 1);
    size_t open = whole.given - whole.done - whole.failed; /* its results may be incomplete */
    ASSERT(whole.results >= whole.done * message.recipient_count);
    ASSERT(whole.results <= (whole.done + open) * message.recipient_count);
    ASSERT(!whole.closed || open == 0);
    ASSERT(whole.transcript.len <= 4096 + size * 1024);
    driver_end(&whole);
    driver_end(&split);
    secret_done(&password);
    return 0;
}
