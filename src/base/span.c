/* span.c: views of bytes. Every function is total: any span is allowed, none is written to. */
#include "base/span.h"

#include <string.h>

struct span span_of(const char *cstr)
{
    return cstr ? (struct span){cstr, strlen(cstr)} : (struct span){NULL, 0};
}

struct span span_make(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_alpha(char c)
{
    char l = ascii_lower(c);
    return l >= 'a' && l <= 'z';
}

bool ascii_is_alnum(char c)
{
    return ascii_is_digit(c) || ascii_is_alpha(c);
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_ieq(struct span a, struct span b)
{
    return a.len == b.len && span_icmp(a, b) == 0;
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

int span_icmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ascii_lower(a.ptr[i]), y = (unsigned char)ascii_lower(b.ptr[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_eq(span_head(s, prefix.len), prefix);
}

bool span_istarts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_ieq(span_head(s, prefix.len), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_eq(span_from(s, s.len - suffix.len), suffix);
}

bool span_iends(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_ieq(span_from(s, s.len - suffix.len), suffix);
}

size_t span_find(struct span s, char c)
{
    const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return p ? (size_t)(p - s.ptr) : SIZE_MAX;
}

size_t span_rfind(struct span s, char c)
{
    const char *p = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return p ? (size_t)(p - s.ptr) : SIZE_MAX;
}

struct span span_from(struct span s, size_t from)
{
    if (from >= s.len)
        return (struct span){s.ptr ? s.ptr + s.len : NULL, 0};
    return (struct span){s.ptr + from, s.len - from};
}

struct span span_head(struct span s, size_t n)
{
    return (struct span){s.ptr, n < s.len ? n : s.len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = span_from(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool span_split(struct span *rest, char sep, struct span *ret_field)
{
    if (!rest->ptr)
        return false;
    size_t at = span_find(*rest, sep);
    if (at == SIZE_MAX) {
        *ret_field = *rest;
        *rest = (struct span){NULL, 0};
    } else {
        *ret_field = span_head(*rest, at);
        *rest = span_from(*rest, at + 1);
    }
    return true;
}

bool span_is_printable_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
            return false;
    return true;
}

uint64_t span_ihash(struct span s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)ascii_lower(s.ptr[i])) * 0x100000001b3u;
    return h;
}
