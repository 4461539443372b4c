/*
 * format.h: objects as text for people. Control characters and what is not UTF-8 never reach the terminal: values
 * may come from mail.
 */
#pragma once

#include "shell/internal.h"

enum {
    FORMAT_TABLE_PROPERTIES = 5, /* an object with more, and without a view, is shown as a list */
    FORMAT_COLUMNS_MAX = 64,     /* columns of a table; further ones are left out */
};

/* Names of properties. */
struct columns {
    const struct span *names;
    size_t count;
};

/* All properties of a record, in order. False when memory is out. */
NODISCARD bool columns_all(struct arena *arena, const struct record *r, struct columns *ret);
/*
 * The properties that a string, or a list of them, names; wildcards are expanded against the record (NULL: they
 * match nothing), each property once. ERR_INVALID: something else than names was given (who says by what command).
 */
NODISCARD enum err_code columns_of(struct arena *arena, const struct value *names, const struct record *r,
                                   const char *who, struct columns *ret, struct err *err);

/* As a statement shows its results: strings as lines, objects by the view of their type, or as table or list. */
void format_default(struct buf *out, const struct shell *shell, struct arena *arena, const struct value *items,
                    size_t count);
/* A line for each property. */
void format_list(struct buf *out, const struct value *items, size_t count, const struct columns *columns);
/* A line for each object, at most width characters where the columns can be cut so far. */
void format_table(struct buf *out, const struct value *items, size_t count, const struct columns *columns,
                  size_t width);
/* The view of a type, or NULL. */
const struct shell_view *format_view(const struct shell_table *table, struct span type);
bool columns_of_view(struct arena *arena, const struct shell_view *view, struct columns *ret);

/* Characters, not bytes. */
size_t format_width(struct span s);
/* Appends text without what could command a terminal; lines: its line ends stay, otherwise they become blanks. */
void format_clean(struct buf *out, struct span s, bool lines);
/* The same of a value's print form; NULL: nothing. */
void format_value(struct buf *out, const struct value *v);
void format_pad(struct buf *out, size_t n, char c);
/* A property of a record; NULL for any other value and when there is none. */
const struct value *format_property(struct value v, struct span name);
