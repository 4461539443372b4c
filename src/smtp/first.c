/* first.c: see first.h. */
#include "smtp/first.h"

enum { RECORD_HANDSHAKE = 0x16, MAJOR = 3, MINOR_MAX = 4, CLIENT_HELLO = 1, LOOK_AT = 16 };

static unsigned at(struct span s, size_t i)
{
    return (unsigned char)s.ptr[i];
}

/* type, version (2), length (2), then the handshake message's type */
static bool is_record(struct span s)
{
    return at(s, 0) == RECORD_HANDSHAKE && (s.len < 2 || at(s, 1) == MAJOR) &&
           (s.len < 3 || at(s, 2) <= MINOR_MAX) && (s.len < 6 || at(s, 5) == CLIENT_HELLO);
}

/* length (2) with its highest bit set, type, version (2) */
static bool is_old_hello(struct span s)
{
    return s.len >= 5 && (at(s, 0) & 0x80) && at(s, 2) == CLIENT_HELLO &&
           ((at(s, 3) == 0 && at(s, 4) == 2) || (at(s, 3) == MAJOR && at(s, 4) <= MINOR_MAX));
}

bool first_is_tls(struct span octets)
{
    return octets.len && (is_record(octets) || is_old_hello(octets));
}

bool first_is_text(struct span octets)
{
    for (size_t i = 0; i < octets.len && i < LOOK_AT; i++) {
        unsigned c = at(octets, i);
        if ((c < 0x20 && c != '\r' && c != '\n' && c != '\t') || c > 0x7e)
            return false;
    }
    return octets.len != 0;
}
