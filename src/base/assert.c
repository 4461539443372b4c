/*
 * assert.c: the end of a process whose own invariant does not hold.
 *
 * It writes with write(2) alone: the heap and stdio may be what is broken. The supervisor starts the role anew.
 */
#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void assert_failed(const char *cond, const char *file, int line)
{
    char text[512];
    int n = snprintf(text, sizeof text, "level=fatal event=assertion file=%s line=%d condition=\"%s\"\n", file,
                     line, cond);
    if (n > 0)
        IGNORE_RESULT(write(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
    abort();
}
