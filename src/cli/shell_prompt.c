/*
 * shell_prompt.c: the prompt, with libedit. Lines are gathered until they are whole statements.
 *
 * Invariants: the history file never gets a line that may hold a password; SIGINT is caught only while a line is
 * read, so that a statement which does not end can be left with Ctrl-C.
 */
#include "cli/shell.h"
#include "cmdlet/table.h"

#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000, PROMPT_TEXT_MAX = 1 << 20, HISTORY_PATH_MAX = 4096, CANDIDATES_SHOWN = 200 };

struct prompt {
    EditLine *line;
    History *recall; /* all of this session, and what the file had */
    History *kept;   /* what goes into the file */
    char file[HISTORY_PATH_MAX];
    struct shell_table table;
    struct arena table_arena;
    struct buf text; /* lines of the statement so far */
    FILE *out;
};

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number UNUSED)
{
    interrupted = 1;
}

/* ---- history ---- */

bool shell_prompt_is_secret(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct span rest = span_from(text, i);
        /* -Password may be shortened, and its dash be a typographic one */
        bool dash = text.ptr[i] == '-' || (unsigned char)text.ptr[i] >= 0x80;
        if (span_istarts(rest, SPAN("assword")) || (dash && span_istarts(span_from(rest, 1), SPAN("pa"))))
            return true;
    }
    return false;
}

static void remember(struct prompt *p)
{
    HistEvent event;
    buf_add_char(&p->text, '\0');
    if (p->text.failed)
        return;
    history(p->recall, &event, H_ENTER, p->text.ptr);
    p->text.len--;
    if (p->kept && !shell_prompt_is_secret(buf_span(&p->text)))
        history(p->kept, &event, H_ENTER, p->text.ptr);
}

static void history_begin(struct prompt *p)
{
    HistEvent event;
    const char *home = getenv("HOME");
    int n = home && *home ? snprintf(p->file, sizeof p->file, "%s/.mailreeve_history", home) : -1;
    p->recall = history_init();
    if (n > 0 && (size_t)n < sizeof p->file)
        p->kept = history_init();
    History *const both[] = {p->recall, p->kept};
    for (size_t i = 0; i < ARRAY_LEN(both) && both[i]; i++) {
        history(both[i], &event, H_SETSIZE, HISTORY_LINES);
        history(both[i], &event, H_SETUNIQUE, 1);
        if (p->kept)
            history(both[i], &event, H_LOAD, p->file);
    }
}

static void history_finish(struct prompt *p)
{
    HistEvent event;
    if (p->kept) {
        history(p->kept, &event, H_SAVE, p->file);
        history_end(p->kept);
    }
    if (p->recall)
        history_end(p->recall);
}

/* ---- completion ---- */

static size_t common_length(const struct span *names, size_t count)
{
    size_t len = names[0].len;
    for (size_t i = 1; i < count; i++)
        while (!span_ieq(span_head(names[i], len), span_head(names[0], len)))
            len--;
    return len;
}

static void show_candidates(const struct prompt *p, const struct span *names, size_t count)
{
    fputc('\n', p->out);
    for (size_t i = 0; i < count && i < CANDIDATES_SHOWN; i++)
        fprintf(p->out, "%.*s%s", SPAN_ARG(names[i]), i + 1 == count ? "\n" : "  ");
    if (count > CANDIDATES_SHOWN)
        fputs("...\n", p->out);
}

/* What is to be completed: the lines before, and this one up to the cursor. */
static size_t find_candidates(struct prompt *p, const LineInfo *line, struct arena *arena, struct span **ret,
                              struct span *ret_word)
{
    struct buf all;
    size_t from = 0;
    buf_init(&all, 2 * PROMPT_TEXT_MAX);
    buf_add(&all, buf_span(&p->text));
    buf_add(&all, span_make(line->buffer, (size_t)(line->cursor - line->buffer)));
    struct span text = arena_dup(arena, buf_span(&all));
    buf_done(&all);
    size_t count = text.ptr ? shell_completions(&p->table, text, arena, ret, &from) : 0;
    *ret_word = span_from(text, from);
    return count;
}

static unsigned char complete(EditLine *e, int key UNUSED)
{
    struct prompt *p = NULL;
    struct arena arena;
    struct span *names, word;
    unsigned char result = CC_ERROR;
    el_get(e, EL_CLIENTDATA, &p);
    const LineInfo *line = el_line(e);
    arena_init(&arena, 16 << 20);
    size_t count = find_candidates(p, line, &arena, &names, &word);
    size_t typed = (size_t)(line->cursor - line->buffer);
    size_t len = count ? common_length(names, count) : 0;
    if (count && word.len <= typed && (len > word.len || count == 1)) {
        char *text = arena_cstr(
            &arena, arena_printf(&arena, "%.*s%s", SPAN_ARG(span_head(names[0], len)), count == 1 ? " " : ""));
        el_deletestr(e, (int)word.len);
        if (text && el_insertstr(e, text) == 0)
            result = CC_REFRESH;
    } else if (count) {
        show_candidates(p, names, count);
        result = CC_REDISPLAY;
    }
    arena_clear(&arena);
    return result;
}

/* ---- lines ---- */

static char *prompt_text(EditLine *e)
{
    static char first[] = "mailreeve> ", more[] = "> ";
    struct prompt *p = NULL;
    el_get(e, EL_CLIENTDATA, &p);
    return p->text.len ? more : first;
}

static bool prompt_begin(struct prompt *p, struct err *err)
{
    *p = (struct prompt){.out = isatty(STDOUT_FILENO) ? stdout : stderr};
    arena_init(&p->table_arena, 0);
    buf_init(&p->text, PROMPT_TEXT_MAX);
    if (cmdlet_table(&p->table_arena, &p->table, err))
        return false;
    p->line = el_init("mailreeve", stdin, p->out, stderr);
    if (!p->line)
        return err_set(err, ERR_IO, "line editing is not possible on this terminal") == ERR_NONE;
    history_begin(p);
    el_set(p->line, EL_CLIENTDATA, p);
    el_set(p->line, EL_PROMPT, prompt_text);
    el_set(p->line, EL_SIGNAL, 1);
    el_set(p->line, EL_EDITOR, "emacs");
    if (p->recall)
        el_set(p->line, EL_HIST, history, p->recall);
    el_set(p->line, EL_ADDFN, "mailreeve-complete", "Complete names of cmdlets and parameters", complete);
    el_set(p->line, EL_BIND, "^I", "mailreeve-complete", NULL);
    el_set(p->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(p->line, NULL); /* the person's ~/.editrc */
    return true;
}

static void prompt_end(struct prompt *p)
{
    if (p->line) {
        history_finish(p);
        el_end(p->line);
    }
    buf_wipe(&p->text);
    arena_clear(&p->table_arena);
}

enum line { LINE_READ, LINE_ABANDONED, LINE_END };

/* Adds a line to the statement. */
static enum line read_line(struct prompt *p)
{
    const struct sigaction catch = {.sa_handler = note_interrupt};
    struct sigaction before;
    int count = 0;
    interrupted = 0;
    sigaction(SIGINT, &catch, &before);
    const char *line = el_gets(p->line, &count);
    sigaction(SIGINT, &before, NULL);
    if (interrupted) {
        fputc('\n', p->out);
        el_reset(p->line);
        return LINE_ABANDONED;
    }
    if (!line || count <= 0)
        return LINE_END;
    buf_add(&p->text, span_make(line, (size_t)count));
    if (p->text.failed) {
        fprintf(stderr, "the statement is longer than %d KB; put it into a file\n", PROMPT_TEXT_MAX / 1024);
        return LINE_ABANDONED;
    }
    return LINE_READ;
}

/* Runs what the gathered lines hold; false at `exit`. */
static bool run_lines(struct prompt *p, struct shell_session *s)
{
    struct arena arena;
    struct script script;
    struct err err = {0};
    enum shell_step step = SHELL_STEP_OK;
    if (span_trim(buf_span(&p->text)).len)
        remember(p);
    arena_init(&arena, 256 << 20);
    if (syntax_parse(buf_span(&p->text), &arena, &script, NULL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        script.count = 0;
    }
    for (size_t i = 0; i < script.count && step == SHELL_STEP_OK; i++)
        step = shell_session_step(s, &script.statements[i]);
    arena_clear(&arena);
    buf_clear(&p->text);
    return step != SHELL_STEP_EXIT;
}

enum cli_exit shell_prompt_run(struct shell_session *s)
{
    struct prompt p;
    struct err err = {0};
    enum line got = LINE_READ;
    bool open = prompt_begin(&p, &err);
    s->brief = true;
    /* Once before the first prompt: that nothing can be done is better said now. */
    if (!open || shell_session_open(s, &err)) {
        fprintf(stderr, "mailreeve shell: %s\n", err.text);
        prompt_end(&p);
        return CLI_FAILED;
    }
    shell_session_close(s);
    while (open && got != LINE_END) {
        got = read_line(&p);
        if (got == LINE_ABANDONED)
            buf_clear(&p.text);
        else if (got == LINE_READ && shell_complete(buf_span(&p.text)))
            open = run_lines(&p, s);
    }
    if (got == LINE_END)
        fputc('\n', p.out);
    prompt_end(&p);
    return CLI_OK;
}
