/*
 * explain_pressure.c: the moment's part of an explanation: what the running server is short of, asked over its
 * control.sock. Whoever may read the stores may ask it; where it is stopped or does not answer, nothing is known.
 */
#include "cli/explain_stores.h"
#include "cli/shell.h"
#include "shell/syntax.h"

#include <unistd.h>

enum { LINE_MAX = 4 * PRESSURE_BYTES };

static void take(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool explain_pressure_parse(struct span line, struct pressure *ret)
{
    char bytes[PRESSURE_BYTES];
    struct pressure p = {0};
    line = span_trim(line);
    if (line.len != 2 * sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        int high = digit(line.ptr[2 * i]), low = digit(line.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (char)(high << 4 | low);
    }
    struct cursor c = cursor_of(span_make(bytes, sizeof bytes));
    pressure_get(&c, &p);
    if (!cursor_done(&c))
        return false;
    *ret = p;
    return true;
}

bool explain_pressure_ask(const char *state, struct pressure *ret)
{
    struct shell_person person;
    struct script script = {0};
    struct arena arena;
    struct buf out;
    struct err err = {0};
    int fd = -1;
    bool ok = false;
    if (shell_remote_connect(state, &fd, &err))
        return false;
    buf_init(&out, LINE_MAX);
    arena_init(&arena, 1 << 20);
    shell_person_init(&person, false);
    const struct shell_output output = {.out = take, .context = &out};
    bool incomplete;
    if (!syntax_parse(SPAN("Get-ResourcePressure -Encoded"), &arena, &script, &incomplete, &err) &&
        script.count == 1 && !shell_remote_run(fd, &script.statements[0], &person.host, &output, &err))
        ok = !out.failed && explain_pressure_parse(buf_span(&out), ret);
    close(fd);
    arena_clear(&arena);
    buf_done(&out);
    return ok;
}
