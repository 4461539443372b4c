/* status.c: strict, for a code that is taken from a peer's reply decides whether its mail is tried again. */
#include "mail/status.h"

#include "base/num.h"

static bool parse_part(struct span s, uint16_t *ret)
{
    uint32_t v;
    if (s.len > 3 || (s.len > 1 && s.ptr[0] == '0') || !num_parse_u32(s, 999, &v))
        return false;
    *ret = (uint16_t)v;
    return true;
}

bool status_parse(struct span s, struct status *ret)
{
    struct status st;
    struct span rest = s, class, subject, detail;
    if (!span_split(&rest, '.', &class) || !span_split(&rest, '.', &subject) || !span_split(&rest, '.', &detail) ||
        rest.ptr)
        return false;
    if (class.len != 1 || (class.ptr[0] != '2' && class.ptr[0] != '4' && class.ptr[0] != '5'))
        return false;
    st.class = (enum status_class)(class.ptr[0] - '0');
    if (!parse_part(subject, &st.subject) || !parse_part(detail, &st.detail))
        return false;
    *ret = st;
    return true;
}

bool status_parse_start(struct span s, struct status *ret, struct span *ret_rest)
{
    struct span code = span_head(s, span_find(s, ' '));
    if (!status_parse(code, ret))
        return false;
    struct span rest = span_from(s, code.len);
    while (rest.len && rest.ptr[0] == ' ')
        rest = span_from(rest, 1);
    *ret_rest = rest;
    return true;
}

void status_print(struct buf *out, struct status s)
{
    buf_addf(out, "%u.%u.%u", (unsigned)s.class, s.subject, s.detail);
}
