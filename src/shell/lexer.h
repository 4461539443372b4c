/*
 * lexer.h: the characters and words of the shell's language, for the parser. A lexer stands at a place in the text;
 * the first error stays, and everything fails from then on.
 */
#pragma once

#include "shell/syntax.h"

struct lexer {
    struct span text, rest; /* rest is the end of text that is not yet read */
    struct arena *arena;
    struct err *err;
    enum err_code code;
    bool incomplete;       /* the error is that the text ends too early */
    int depth;             /* brackets open */
    struct span token_end; /* the rest behind the last word, before the blanks that were read last */
    size_t after_blanks;   /* length of the rest behind those */
};

/* The character at a place: what it acts as, and its bytes. */
struct mark {
    char
        plain; /* an ASCII character; 0: the end of the text; MARK_OTHER: one beyond ASCII without a meaning here */
    unsigned char len;
};
enum { MARK_OTHER = 1 };

enum lexer_blanks {
    BLANKS_INLINE,     /* blanks, comments and continued lines */
    BLANKS_LINES,      /* ends of lines as well: where a line is open anyway */
    BLANKS_SEPARATORS, /* and semicolons: between statements */
};

/* At the start of the text, behind a BOM. False (with the error set) for what is not UTF-8, holds NUL or is too
 * long. */
bool lexer_init(struct lexer *l, struct span text, struct arena *arena, struct err *err);
struct mark lexer_mark(const struct lexer *l);
/* The same for the character that follows. */
struct mark lexer_second(const struct lexer *l);
void lexer_skip(struct lexer *l, size_t bytes);
void lexer_blanks(struct lexer *l, enum lexer_blanks kind);
/* What was read since `from`, an earlier rest. */
struct span lexer_since(const struct lexer *l, struct span from);

/* Sets the error at a place (an earlier rest), with line, column and a caret. All give NULL. */
void *lexer_fail(struct lexer *l, struct span at, const char *format, ...) PRINTF(3, 4);
/* The text ends too early. */
void *lexer_fail_end(struct lexer *l, const char *format, ...) PRINTF(2, 3);
void *lexer_fail_memory(struct lexer *l);

/* One level deeper, or the error; lexer_leave is not needed after an error. */
bool lexer_enter(struct lexer *l);
void lexer_leave(struct lexer *l);

/* A quoted string, which begins here, into the arena. */
bool lexer_string(struct lexer *l, struct span *ret);
/*
 * A bare word, which begins here: an integer when it is one exactly as it would be printed, otherwise a string as
 * typed. Quoted parts inside it belong to it.
 */
bool lexer_word(struct lexer *l, struct value *ret);
/* Letters, digits and _ from here on; may be empty. */
struct span lexer_name(struct lexer *l);
/* True at what ends a bare word: a blank, the end, or one of ; | , ( ) { } */
bool lexer_at_word_end(const struct lexer *l);
/* The name behind a dash, such as eq in -eq; empty when there is none. Nothing is read; *ret_len is its bytes. */
struct span lexer_dashed(const struct lexer *l, size_t *ret_len);

/* Room for one more element behind the count there are; NULL is the error. Elements may move. */
void *lexer_grow(struct lexer *l, void *array, size_t count, size_t size);

/* Appends to an array that only lexer_grow made. False is the error. */
#define LEXER_ADD(l, array, count, ...)                                                                            \
    ({                                                                                                             \
        __typeof__(array) grown_ = lexer_grow((l), (array), (count), sizeof *(array));                             \
        if (grown_) {                                                                                              \
            (array) = grown_;                                                                                      \
            (array)[(count)++] = (__VA_ARGS__);                                                                    \
        }                                                                                                          \
        grown_ != NULL;                                                                                            \
    })
