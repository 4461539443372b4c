/*
 * console_host.c: see console_host.h. An ask is answered from what came with the statement, by kind and text, each
 * answer once: a statement that asks the same of two objects needs two. The first ask without an answer ends it.
 */
#include "role/manage/console_host.h"

#include "base/cursor.h"

enum { QUESTION_MAX = 16 * 1024, WARNINGS_MAX = 1 << 20 };

static enum err_code ask(struct shell_host *host, enum shell_ask_kind kind, struct span text, struct arena *arena,
                         struct span *ret_answer, struct err *err)
{
    struct console_host *h = (struct console_host *)host;
    for (uint32_t i = 0; i < h->count; i++) {
        struct console_answer *a = &h->answers[i];
        if (a->used || a->kind != kind || !span_eq(a->text, text))
            continue;
        a->used = true;
        *ret_answer = arena_dup(arena, a->answer);
        return ret_answer->ptr ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    if (h->count == CONSOLE_ANSWERS_MAX)
        return err_set(err, ERR_LIMIT, "a statement can ask %d times only; narrow it, or add -Confirm:$false",
                       CONSOLE_ANSWERS_MAX);
    if (!h->asks)
        buf_add(&h->question, text);
    if (h->question.failed)
        return err_set(err, ERR_LIMIT, "the question is too long to be asked");
    h->kind = h->asks ? h->kind : kind;
    h->asks = true;
    return err_set(err, ERR_UNAVAILABLE, "an answer is needed");
}

static void warn(struct shell_host *host, struct span text)
{
    struct console_host *h = (struct console_host *)host;
    buf_addf(&h->warnings, "WARNING: %.*s\n", SPAN_ARG(text));
}

static enum err_code save(struct shell_host *host, struct span path, struct span content, struct err *err)
{
    struct console_host *h = (struct console_host *)host;
    if (h->path.len)
        return err_set(err, ERR_LIMIT, "a statement can write one file; make it several");
    buf_add(&h->path, path);
    buf_add(&h->content, content);
    return path.len && !h->path.failed && !h->content.failed
               ? ERR_NONE
               : err_set(err, ERR_LIMIT, "a file of at most %d bytes with a name is expected", CONSOLE_SAVE_MAX);
}

static void progress(struct shell_host *host, struct span text)
{
    struct console_host *h = (struct console_host *)host;
    if (h->tell_progress)
        h->tell_progress(h->context, text);
}

bool console_host_init(struct console_host *h, struct cursor *c)
{
    *h = (struct console_host){.host = {ask, warn, save, progress}};
    buf_init(&h->warnings, WARNINGS_MAX);
    buf_init(&h->question, QUESTION_MAX);
    buf_init(&h->path, CONSOLE_PATH_MAX);
    buf_init(&h->content, CONSOLE_SAVE_MAX);
    uint32_t count = cursor_u32(c);
    if (count > CONSOLE_ANSWERS_MAX)
        return false;
    for (h->count = 0; h->count < count; h->count++) {
        struct console_answer *a = &h->answers[h->count];
        a->kind = cursor_u8(c);
        a->text = cursor_bytes(c, QUESTION_MAX);
        a->answer = cursor_bytes(c, a->kind == SHELL_ASK_FILE ? CONSOLE_FILE_MAX : CONSOLE_ANSWER_MAX);
    }
    return cursor_done(c);
}

void console_host_done(struct console_host *h)
{
    buf_done(&h->warnings);
    buf_done(&h->question);
    buf_done(&h->path);
    buf_done(&h->content);
}
