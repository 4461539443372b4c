/* compiler.h: what newer C offers and gcc 12 / clang 14 spell as attributes, in one place. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODISCARD    __attribute__((warn_unused_result))
#define NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define PRINTF(a, b) __attribute__((format(printf, a, b)))
#define NORETURN     __attribute__((noreturn))
#define COLD         __attribute__((cold))
#define UNUSED       __attribute__((unused))
#define FALLTHROUGH  __attribute__((fallthrough))
#define CLEANUP(f)   __attribute__((cleanup(f)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Says at the call that a NODISCARD result is dropped on purpose (gcc takes no cast to void as consent). */
#define IGNORE_RESULT(expr)                                                                                        \
    do {                                                                                                           \
        __typeof__(expr) ignored_ UNUSED = (expr);                                                                 \
    } while (0)

/* Hands a pointer over: gives its value and leaves NULL behind, so that a CLEANUP owner lets go of it. */
#define TAKE_PTR(p)                                                                                                \
    ({                                                                                                             \
        __typeof__(p) *taken_from_ = &(p);                                                                         \
        __typeof__(p) taken_ = *taken_from_;                                                                       \
        *taken_from_ = NULL;                                                                                       \
        taken_;                                                                                                    \
    })

/* An invariant of ours. It stays on in release builds and ends the process; never for what a peer sent. */
#define ASSERT(cond)                                                                                               \
    do {                                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                                          \
            assert_failed(#cond, __FILE__, __LINE__);                                                              \
    } while (0)

/* A place that our own logic never reaches; why says why. */
#define ASSERT_NEVER(why) assert_failed((why), __FILE__, __LINE__)

COLD NORETURN void assert_failed(const char *cond, const char *file, int line);
