/*
 * shell_session.c: where statements run, chosen anew whenever the session is opened: the server, if one listens on
 * control.sock, else the stores, if nobody holds their lock. A server that is just starting holds the lock and does
 * not listen yet; it is waited for.
 */
#include "cli/shell.h"
#include "runtime/clock.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { POLL_MS = 50 };

static enum err_code try_open(struct shell_session *s, struct err *err)
{
    enum err_code code = shell_remote_connect(s->state, &s->socket, err);
    if (code != ERR_NOT_FOUND)
        return code;
    s->socket = -1;
    return shell_local_open(&s->local, s->state, s->node, s->host, err);
}

enum err_code shell_session_open(struct shell_session *s, struct err *err)
{
    int64_t deadline = clock_mono_ms() + s->wait_ms;
    enum err_code code;
    while ((code = try_open(s, err)) == ERR_CONFLICT && clock_mono_ms() < deadline)
        IGNORE_RESULT(poll(NULL, 0, POLL_MS)); /* nothing tells when a lock is let go */
    if (code == ERR_CONFLICT)
        return err_set(err, code, "a server is starting or ending on %s, or another command works on it; try again",
                       s->state);
    s->open = !code;
    return code;
}

void shell_session_close(struct shell_session *s)
{
    if (!s->open)
        return;
    if (s->socket >= 0)
        close(s->socket);
    else
        shell_local_close(&s->local);
    s->socket = -1;
    s->open = false;
}

enum err_code shell_session_run(struct shell_session *s, const struct statement *statement, struct err *err)
{
    enum err_code code = s->open ? ERR_NONE : shell_session_open(s, err);
    if (code)
        return code;
    if (s->socket >= 0)
        code = shell_remote_run(s->socket, statement, s->host, &s->output, err);
    else
        code = shell_local_run(&s->local, statement, &s->output, err);
    if (s->brief || code) /* behind an error the link may be out of step */
        shell_session_close(s);
    return code;
}

static bool is_exit(const struct statement *st)
{
    const struct pipeline *p = &st->pipeline;
    return !p->head && p->count == 1 && p->calls[0].count == 0 &&
           (span_ieq(p->calls[0].name, SPAN("exit")) || span_ieq(p->calls[0].name, SPAN("quit")));
}

enum shell_step shell_session_step(struct shell_session *s, const struct statement *statement)
{
    struct err err = {0};
    if (is_exit(statement))
        return SHELL_STEP_EXIT;
    enum err_code code = shell_session_run(s, statement, &err);
    fflush(stdout); /* so that both outputs stay in order where they go to one place */
    if (code && err.text[0])
        fprintf(stderr, "%s\n", err.text);
    return code ? SHELL_STEP_FAILED : SHELL_STEP_OK;
}

/* A script that stops says where, and what is done. */
static void say_where(struct span text, const struct script *script, size_t failed)
{
    size_t line = 1;
    const char *at = script->statements[failed].source.ptr;
    if (script->count < 2)
        return;
    for (const char *p = text.ptr; p < at && p < text.ptr + text.len; p++)
        line += *p == '\n';
    fprintf(stderr,
            "That was statement %zu of %zu, line %zu: what stands before it is done, what follows was not run.\n",
            failed + 1, script->count, line);
}

enum cli_exit shell_session_text(struct shell_session *s, struct span text, bool go_on)
{
    struct err err = {0};
    struct arena arena;
    struct script script;
    enum cli_exit status = CLI_OK;
    enum { SYNTAX_ARENA_MAX = 1 << 30 }; /* a script of the largest size fits */
    arena_init(&arena, SYNTAX_ARENA_MAX);
    if (syntax_parse(text, &arena, &script, NULL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        status = CLI_FAILED;
        script.count = 0;
    }
    for (size_t i = 0; i < script.count && (status == CLI_OK || go_on); i++) {
        enum shell_step step = shell_session_step(s, &script.statements[i]);
        if (step == SHELL_STEP_EXIT)
            break;
        if (step == SHELL_STEP_FAILED)
            status = CLI_FAILED;
        if (step == SHELL_STEP_FAILED && !go_on)
            say_where(text, &script, i);
    }
    arena_clear(&arena);
    return status;
}
