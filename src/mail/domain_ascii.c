/*
 * domain_ascii.c: names beyond ASCII as the DNS has them: U-labels (RFC 5890) as A-labels, by libidn2. What is
 * typed is first mapped as UTS 46 says for names of today (capitals, compositions, full width).
 */
#include "base/utf8.h"
#include "mail/domain.h"

#include <idn2.h>
#include <string.h>

enum { LABEL_BYTES_MAX = 4 * DOMAIN_LABEL_MAX }; /* of a U-label in UTF-8; a longer one has no A-label */

static bool add_label(struct buf *out, struct span label)
{
    char text[LABEL_BYTES_MAX + 1], *ascii = NULL;
    if (utf8_is_ascii(label)) {
        for (size_t i = 0; i < label.len; i++)
            buf_add_char(out, ascii_lower(label.ptr[i]));
        return true;
    }
    if (label.len > LABEL_BYTES_MAX)
        return false;
    memcpy(text, label.ptr, label.len);
    text[label.len] = '\0';
    if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    struct span a = span_of(ascii);
    /* Some dots and blanks of other scripts are mapped to ours. */
    bool one = domain_valid(a, 0) && span_find(a, '.') == SIZE_MAX;
    buf_add(out, a);
    idn2_free(ascii);
    return one;
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
