/*
 * header_list.c: the mailboxes of an address list, read token by token in one pass.
 *
 * The result decides who may send, so nothing is guessed: an entry is a display name (any words) with an address in
 * angle brackets, or an address whose words stand together; anything else makes the list incomplete, and reading
 * goes on behind the next separator. Invariants: `text` holds the address being gathered, without comments and
 * blanks; comments are counted, not recursed into.
 */
#include "mail/address.h"
#include "mail/header.h"

#include <string.h>

/* Room for the longest address with a source route in front of it. */
enum { GATHER_MAX = ADDRESS_ROUTE_MAX + ADDRESS_LONG_MAX };

enum entry_state {
    ENTRY_WORDS,  /* a display name or an address without brackets */
    ENTRY_ANGLE,  /* between "<" and ">" */
    ENTRY_DONE,   /* behind ">": only a separator may follow */
    ENTRY_BROKEN, /* skipping to the next separator */
};

struct list {
    struct span value, rest;
    struct arena *arena;
    struct span *found;
    size_t *bare;
    size_t count, max;
    bool complete;

    enum entry_state state;
    bool in_group;
    bool phrase;     /* two words without "." or "@" between: a display name, so not an address */
    bool at;         /* an "@" outside quotes */
    bool after_word; /* the last token was a word */
    bool too_long;
    char text[GATHER_MAX];
    size_t len;
    size_t end; /* in the value, behind the last token gathered */
};

static void start_entry(struct list *l)
{
    l->state = ENTRY_WORDS;
    l->phrase = l->at = l->after_word = l->too_long = false;
    l->len = 0;
}

static void gather(struct list *l, struct span token)
{
    if (token.len > sizeof l->text - l->len) {
        l->too_long = true;
        return;
    }
    memcpy(l->text + l->len, token.ptr, token.len);
    l->len += token.len;
    l->end = (size_t)(token.ptr - l->value.ptr) + token.len;
}

/* Parses what was gathered and adds it. */
static void add_mailbox(struct list *l)
{
    struct mail_address a;
    struct span s = span_make(l->text, l->len), ignored;
    const unsigned flags = ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG | ADDRESS_ALLOW_NO_DOMAIN;
    bool ok = !l->too_long && l->count < l->max;
    if (ok && l->state == ENTRY_ANGLE) {
        char path[GATHER_MAX + 2];
        path[0] = '<';
        memcpy(path + 1, s.ptr, s.len);
        path[s.len + 1] = '>';
        ok = address_parse_path(span_make(path, s.len + 2), flags, l->arena, &a, &ignored) == ADDRESS_OK &&
             ignored.len == 0;
    } else if (ok) {
        ok = !l->phrase && address_parse(s, flags, l->arena, &a) == ADDRESS_OK;
    }
    if (ok && l->bare)
        l->bare[l->count] = a.domain.len ? 0 : l->end;
    if (ok)
        l->found[l->count++] = a.text;
    else
        l->complete = false;
}

static void end_entry(struct list *l)
{
    if (l->state == ENTRY_ANGLE || l->state == ENTRY_BROKEN)
        l->complete = false;
    else if (l->state == ENTRY_WORDS && (l->len || l->too_long))
        add_mailbox(l); /* nothing at all between separators is RFC 5322's obs-addr-list */
    start_entry(l);
}

static void break_entry(struct list *l)
{
    l->state = ENTRY_BROKEN;
    l->complete = false;
}

/* The length of a comment at the start of s; 0 when it does not end or nests too deep. */
static size_t comment_len(struct span s)
{
    unsigned depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '(' && ++depth > HEADER_COMMENT_DEPTH)
            return 0;
        else if (s.ptr[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* The length of a quoted string or domain literal at the start of s, up to `close`; 0 when it does not end. */
static size_t delimited_len(struct span s, char close)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == close)
            return i + 1;
    }
    return 0;
}

/* The length of a word at the start of s: an atom (dots are tokens of their own), a quoted string, a literal. */
static size_t word_len(struct span s)
{
    if (s.ptr[0] == '"')
        return delimited_len(s, '"');
    if (s.ptr[0] == '[')
        return delimited_len(s, ']');
    size_t n = 1;
    while (n < s.len && s.ptr[n] != '\0' && !strchr("()<>[]:;@\\,.\" \t\r\n", s.ptr[n]))
        n++;
    return n;
}

static void take_word(struct list *l, struct span token)
{
    if (l->state == ENTRY_DONE) {
        break_entry(l);
        return;
    }
    if (l->after_word && l->state == ENTRY_ANGLE)
        break_entry(l);
    l->phrase |= l->after_word;
    l->after_word = true;
    gather(l, token);
}

static void take_special(struct list *l, struct span token)
{
    const char c = token.ptr[0];
    if (c == '<' && l->state == ENTRY_WORDS) {
        if (l->at)
            add_mailbox(l); /* "a@b <c@d>": some would show the first as the address, so both count */
        start_entry(l);
        l->state = ENTRY_ANGLE;
    } else if (c == '>' && l->state == ENTRY_ANGLE) {
        add_mailbox(l);
        l->state = ENTRY_DONE;
    } else if (l->state == ENTRY_ANGLE) {
        /* "." and "@", and the "," and ":" of a source route: address.c knows where they may be. */
        gather(l, token);
        l->after_word = false;
    } else if (c == ',') {
        end_entry(l);
    } else if (c == ';' && l->in_group) {
        end_entry(l);
        l->in_group = false;
        l->state = ENTRY_DONE; /* a comma separates it from what follows */
    } else if (c == ':' && l->state == ENTRY_WORDS && !l->in_group && l->len && !l->at) {
        start_entry(l); /* what stood before is a group's name */
        l->in_group = true;
    } else if ((c == '.' || c == '@') && l->state == ENTRY_WORDS) {
        gather(l, token);
        l->at |= c == '@';
        l->after_word = false;
    } else {
        break_entry(l);
    }
}

/* Takes one token; gives its length. */
static size_t step(struct list *l)
{
    const char c = l->rest.ptr[0];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return 1;
    if (c != '\0' && strchr("<>,;:.@", c)) {
        take_special(l, span_head(l->rest, 1));
        return 1;
    }
    size_t n = c == '(' ? comment_len(l->rest) : word_len(l->rest);
    if (n == 0) { /* what does not end takes the rest with it */
        break_entry(l);
        return l->rest.len;
    }
    if (c != '(')
        take_word(l, span_head(l->rest, n));
    return n;
}

bool header_addresses(struct arena *arena, struct span value, struct span *ret, size_t *ret_bare, size_t max,
                      size_t *ret_count)
{
    struct list l = {.value = value,
                     .rest = value,
                     .arena = arena,
                     .found = ret,
                     .bare = ret_bare,
                     .max = max,
                     .complete = true};
    start_entry(&l);
    while (l.rest.len)
        l.rest = span_from(l.rest, step(&l));
    end_entry(&l);
    *ret_count = l.count;
    return l.complete && !l.in_group;
}
