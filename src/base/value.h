/*
 * value.h: the values that the shell, the schema, the stores and the API exchange, and records of named values.
 * Values are plain data in an arena; copying a struct copies the view, not the bytes.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum value_kind {
    VALUE_NULL = 0,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_STRING,
    VALUE_LIST,      /* items of any kind but LIST */
    VALUE_RECORD,    /* an object of the pipeline, or a hashtable literal (type "Hashtable") */
    VALUE_SIZE,      /* i: bytes; printed as 10MB, JSON a number */
    VALUE_TIMESPAN,  /* i: milliseconds; printed as [d.]hh:mm:ss[.fff] */
    VALUE_TIME,      /* i: milliseconds since 1970 UTC; printed as ISO 8601 */
    VALUE_UNLIMITED, /* printed as Unlimited */
    VALUE_BLOCK,     /* a script block { ... }; block points to the shell's syntax tree */
    VALUE_SECRET,    /* s: a password; printed as *** everywhere */
};

struct record;

struct value {
    enum value_kind kind;
    union {
        bool b;
        int64_t i;
        struct span s;
        struct {
            const struct value *items;
            size_t count;
        } list;
        struct record *record;
        const void *block;
    };
};

struct field {
    struct span name;
    struct value value;
};

/* Named values in order; names are unique without regard to ASCII case. */
struct record {
    struct span type; /* "ReceiveConnector", "Hashtable", ... */
    struct field *fields;
    size_t count, cap;
    struct arena *arena; /* where it grows */
};

struct value value_null(void);
struct value value_bool(bool b);
struct value value_int(int64_t i);
struct value value_string(struct span s);
struct value value_of(const char *cstr);
struct value value_size(int64_t bytes);
struct value value_timespan(int64_t ms);
struct value value_time(int64_t ms);
struct value value_unlimited(void);
struct value value_list(const struct value *items, size_t count);
struct value value_record(struct record *r);

/* Equal in kind and content; strings with ASCII case folded when icase; lists in order. */
bool value_eq(struct value a, struct value b, bool icase);
/* PowerShell's truth: null, false, 0, "" and the empty list are false. */
bool value_truth(struct value v);
/*
 * The value as people read it, without quotes: true/false as True/False, sizes and time spans in their print
 * form, a list as {a, b}. Appends to out.
 */
void value_print(struct buf *out, struct value v);
/* Deep copy into an arena; false when memory is out. */
NODISCARD bool value_copy(struct arena *to, struct value v, struct value *ret);

/* Parses "10MB", "64KB", "1.5GB", "1024" or "10 MB (10,485,760 bytes)" to bytes. */
NODISCARD bool value_parse_size(struct span s, int64_t *ret_bytes);
/* Parses [d.]hh:mm:ss[.fff] to milliseconds; hours 0..23, minutes and seconds 0..59. */
NODISCARD bool value_parse_timespan(struct span s, int64_t *ret_ms);
/*
 * Parses 2026-01-31, with hh:mm[:ss[.fff]] behind a T or a blank where wanted, and then Z, +hh:mm or -hh:mm, to
 * milliseconds since 1970. Without a zone it is UTC; a date alone is its first moment. Years 1970 to 9999.
 */
NODISCARD bool value_parse_time(struct span s, int64_t *ret_ms);

NODISCARD struct record *record_new(struct arena *a, struct span type);
/* Sets or replaces a field; the name and value are kept as views. False when memory is out. */
NODISCARD bool record_set(struct record *r, struct span name, struct value v);
/* The field's value, or NULL. */
const struct value *record_get(const struct record *r, struct span name);
/* Convenience readers with a fall-back for absent or other-kind fields. */
struct span record_string(const struct record *r, struct span name);
int64_t record_int(const struct record *r, struct span name, int64_t otherwise);
bool record_bool(const struct record *r, struct span name, bool otherwise);
NODISCARD struct record *record_copy(struct arena *to, const struct record *r);
