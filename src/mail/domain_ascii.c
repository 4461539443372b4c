/*
 * domain_ascii.c: names beyond ASCII as the DNS has them: U-labels (RFC 5890) become A-labels by Punycode (RFC
 * 3492).
 *
 * A U-label has small letters in composed form. Capitals of the scripts that have them on every keyboard are taken
 * as small, as programs do that ask people (RFC 5895); what else is no U-label becomes an A-label that no registry
 * gave to anybody, so it equals nothing.
 */
#include "base/utf8.h"
#include "mail/domain.h"

static uint32_t lower(uint32_t cp)
{
    static const struct {
        uint32_t first, last, step, add;
    } capitals[] = {
        {'A', 'Z', 1, 32},       {0xc0, 0xd6, 1, 32},   {0xd8, 0xde, 1, 32},   {0x100, 0x12e, 2, 1},
        {0x132, 0x136, 2, 1},    {0x139, 0x147, 2, 1},  {0x14a, 0x176, 2, 1},  {0x179, 0x17d, 2, 1},
        {0x386, 0x386, 1, 38},   {0x388, 0x38a, 1, 37}, {0x391, 0x3a1, 1, 32}, {0x3a3, 0x3ab, 1, 32},
        {0x400, 0x40f, 1, 0x50}, {0x410, 0x42f, 1, 32},
    };
    for (size_t i = 0; i < ARRAY_LEN(capitals); i++)
        if (cp >= capitals[i].first && cp <= capitals[i].last && (cp - capitals[i].first) % capitals[i].step == 0)
            return cp + capitals[i].add;
    return cp;
}

/* RFC 3492, 5 and 6: base 36, and how the thresholds of its digits adapt. */
enum { BASE = 36, DIGIT_MIN = 1, DIGIT_MAX = 26, SKEW = 38, DAMP = 700, BIAS = 72, FIRST = 0x80 };

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / DAMP : delta / 2;
    delta += delta / points;
    for (; delta > (BASE - DIGIT_MIN) * DIGIT_MAX / 2; k += BASE)
        delta /= BASE - DIGIT_MIN;
    return k + (BASE - DIGIT_MIN + 1) * delta / (delta + SKEW);
}

static void put_number(struct buf *out, uint32_t q, uint32_t bias)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = k <= bias ? DIGIT_MIN : k >= bias + DIGIT_MAX ? DIGIT_MAX : k - bias;
        if (q < t)
            break;
        buf_add_char(out, digits[t + (q - t) % (BASE - t)]);
        q = (q - t) / (BASE - t);
    }
    buf_add_char(out, digits[q]);
}

/* Punycode. With at most 63 code points no number gets beyond 32 bits: 64 times the largest code point. */
static void encode(struct buf *out, const uint32_t *points, uint32_t count)
{
    uint32_t done = 0, basic, delta = 0, bias = BIAS;
    for (uint32_t i = 0; i < count; i++)
        if (points[i] < FIRST) {
            buf_add_char(out, (char)points[i]);
            done++;
        }
    basic = done;
    if (basic)
        buf_add_char(out, '-');
    for (uint32_t n = FIRST; done < count; delta++, n++) {
        uint32_t next = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++)
            if (points[i] >= n && points[i] < next)
                next = points[i];
        delta += (next - n) * (done + 1);
        n = next;
        for (uint32_t i = 0; i < count; i++) {
            delta += points[i] < n;
            if (points[i] != n)
                continue;
            put_number(out, delta, bias);
            bias = adapt(delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
    }
}

static bool add_label(struct buf *out, struct span label)
{
    uint32_t points[DOMAIN_LABEL_MAX], count = 0;
    size_t before = out->len;
    if (utf8_is_ascii(label)) {
        for (size_t i = 0; i < label.len; i++)
            buf_add_char(out, ascii_lower(label.ptr[i]));
        return true;
    }
    if (label.len > 3 && label.ptr[2] == '-' && label.ptr[3] == '-') /* RFC 5891, 4.2.3.1 */
        return false;
    for (size_t n; label.len; label = span_from(label, n), count++) {
        n = count < DOMAIN_LABEL_MAX ? utf8_decode(label, &points[count]) : 0;
        if (n == 0)
            return false;
        points[count] = lower(points[count]);
    }
    buf_add(out, SPAN("xn--"));
    encode(out, points, count);
    return out->len - before <= DOMAIN_LABEL_MAX;
}

bool domain_ascii(struct buf *out, struct span domain)
{
    size_t before = out->len;
    struct span rest = domain, label;
    for (bool first = true; span_split(&rest, '.', &label); first = false) {
        if (!first)
            buf_add_char(out, '.');
        if (!add_label(out, label))
            return false;
    }
    return out->len - before <= DOMAIN_MAX;
}
