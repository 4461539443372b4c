/*
 * fuzz_server.c: the machine against any client. The first four octets choose the profile, the way of answering and
 * the pieces, the rest is a script for test_driver.h.
 *
 * Properties: the same replies and actions however the input is cut; every reply a well-formed line; no message is
 * stored without an accepted recipient (test_driver.h checks that and more); nothing after close(); a bounded
 * output.
 */
#include "smtp/server/test_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool bit(uint8_t byte, unsigned n)
{
    return byte >> n & 1;
}

static struct smtp_server_profile profile_of(const uint8_t *data)
{
    static const struct span before[] = {SPAN_INIT("PLAIN")}, after[] = {SPAN_INIT("LOGIN"), SPAN_INIT("PLAIN")};
    return (struct smtp_server_profile){
        .fqdn = SPAN("mx.test"),
        .client_address = SPAN("192.0.2.1"),
        .default_domain = bit(data[0], 0) ? SPAN("near.test") : SPAN(""),
        .size_mode = (enum smtp_size_mode)((data[0] >> 1) % 3),
        .max_message_size = bit(data[0], 3) ? 64 : 0,
        .pipelining = true,
        .dsn = bit(data[0], 4),
        .enhanced_status_codes = bit(data[0], 5),
        .eight_bit_mime = bit(data[0], 6),
        .chunking = !bit(data[0], 7),
        .smtp_utf8 = bit(data[1], 0),
        .binary_mime = bit(data[1], 1),
        .starttls_available = !bit(data[1], 2),
        .tls_active = bit(data[1], 3),
        .require_tls = bit(data[1], 4),
        .offers_require_tls = bit(data[1], 5),
        .require_ehlo_domain = bit(data[1], 5),
        .auth_before_tls = before,
        .auth_before_tls_count = bit(data[1], 6),
        .auth_after_tls = after,
        .auth_after_tls_count = 2,
        .connector = bit(data[2], 5) ? SPAN("Default mail") : SPAN(""),
        .max_any_size = bit(data[2], 6) ? 100 : 0,
        .long_addresses = bit(data[2], 6),
        .orar = bit(data[2], 6),
        .repair_bare_lf = bit(data[2], 7),
        .max_recipients = bit(data[1], 7) ? 2 : SMTP_UNLIMITED,
        .organisation_max_recipients = bit(data[2], 6) ? 1 : SMTP_UNLIMITED,
        .max_protocol_errors = bit(data[2], 0) ? 3 : SMTP_UNLIMITED,
        .max_logon_failures = bit(data[2], 1) ? 2 : 0,
        .connection_timeout_ms = 600000,
        .inactivity_timeout_ms = 300000,
        .tarpit_ms = bit(data[2], 2) ? 5000 : 0,
        .max_command_line = 128,
        .max_auth_line = 256,
        .max_content_line = bit(data[2], 3) ? 40 : 0,
    };
}

static void check_replies(struct span replies)
{
    struct span rest = replies, line;
    ASSERT(replies.len && replies.ptr[replies.len - 1] == '\n');
    while (span_split(&rest, '\n', &line)) {
        if (!rest.ptr)
            break;
        ASSERT(line.len >= 4 && line.len + 2 <= SMTP_REPLY_MAX && span_is_printable_ascii(line));
        ASSERT(line.ptr[0] >= '2' && line.ptr[0] <= '5' && ascii_is_digit(line.ptr[1]) &&
               ascii_is_digit(line.ptr[2]));
        ASSERT(line.ptr[3] == ' ' || line.ptr[3] == '-');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct smtp_server_profile profile = profile_of(data);
    struct test_play play = {
        .profile = &profile,
        .script = span_make(data + 4, size - 4),
        .hashed = bit(data[2], 4),
    };
    struct test_driver whole, split;
    driver_play(&whole, &play);
    play.piece = 1 + data[3] % 23;
    driver_play(&split, &play);

    ASSERT(span_eq(buf_span(&whole.replies), buf_span(&split.replies)));
    ASSERT(span_eq(buf_span(&whole.actions), buf_span(&split.actions)));
    ASSERT(span_eq(buf_span(&whole.lines), buf_span(&split.lines)));
    ASSERT(whole.after_close == 0 && split.after_close == 0);
    ASSERT(!whole.replies.failed && !whole.actions.failed);
    ASSERT(whole.replies.len <= 512 + size * 64 && whole.actions.len <= 512 + size * 64);
    check_replies(buf_span(&whole.replies));
    driver_end(&whole);
    driver_end(&split);
    return 0;
}
