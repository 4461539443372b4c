/*
 * policy.c: `mailreeve export`, `plan` and `apply`: the policy cmdlets (cmdlet/plan_cmdlets.c) run in a session of
 * the shell, so with the server running and with it stopped alike.
 *
 * Invariants: FILE is read once, and what was shown is what is applied: a policy that changed in between is not
 * touched. What is printed is whole or an error.
 */
#include "base/num.h"
#include "cli/shell.h"
#include "cmdlet/plan.h"
#include "role/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { OUTPUT_MAX = 512 << 20, STATEMENT_ARENA_MAX = 1 << 20 };

/* What all three have in common. */
struct policy_command {
    const char *name;
    struct shell_host host; /* that of the session: answers for FILE, and hands on the rest */
    struct shell_person person;
    struct node_settings node;
    struct shell_session session;
    const char *file; /* as it is called in errors */
    struct buf text;  /* of FILE */
    struct buf out;   /* of the last statement */
};

static struct policy_command *of(struct shell_host *host)
{
    return (struct policy_command *)(void *)((char *)host - offsetof(struct policy_command, host));
}

static enum err_code ask(struct shell_host *host, enum shell_ask_kind kind, struct span text, struct arena *arena,
                         struct span *ret_answer, struct err *err)
{
    struct policy_command *c = of(host);
    if (kind != SHELL_ASK_FILE || !c->file || !span_eq(text, span_of(c->file)))
        return c->person.host.ask(&c->person.host, kind, text, arena, ret_answer, err);
    *ret_answer = arena_dup(arena, buf_span(&c->text));
    return ret_answer->ptr ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static void warn(struct shell_host *host, struct span text)
{
    struct policy_command *c = of(host);
    c->person.host.warn(&c->person.host, text);
}

static void progress(struct shell_host *host, struct span text)
{
    struct policy_command *c = of(host);
    c->person.host.progress(&c->person.host, text);
}

static void take_out(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static void write_err(void *context UNUSED, struct span bytes)
{
    fwrite(bytes.ptr, 1, bytes.len, stderr);
}

/* ---- the command's life ---- */

static int fail(const struct policy_command *c, const struct err *err, int status)
{
    if (err->text[0])
        fprintf(stderr, "mailreeve %s: %s\n", c->name, err->text);
    return status;
}

static enum err_code start(struct policy_command *c, const char *state, struct err *err)
{
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none); /* a script may hold passwords */
    setlocale(LC_CTYPE, "");
    buf_init(&c->out, OUTPUT_MAX);
    buf_init(&c->text, CONSOLE_FILE_MAX);
    shell_person_init(&c->person, isatty(STDIN_FILENO));
    c->host = (struct shell_host){ask, warn, .progress = progress};
    c->session = (struct shell_session){.state = cli_state(state),
                                        .node = &c->node,
                                        .host = &c->host,
                                        .output = {.out = take_out, .err = write_err, .context = &c->out},
                                        .wait_ms = SHELL_WAIT_MS,
                                        .socket = -1,
                                        .local = {.lock = -1}};
    return state_load(cli_state(state), &c->node, err);
}

static int end(struct policy_command *c, int status)
{
    shell_session_close(&c->session);
    buf_wipe(&c->text);
    buf_done(&c->out);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "mailreeve %s: the output could not be written: %s\n", c->name, strerror(errno));
    return status == CLI_OK ? CLI_FAILED : status;
}

static enum err_code read_file(struct policy_command *c, const char *file, struct err *err)
{
    enum { PIECE = 64 * 1024 };
    bool input = strcmp(file, "-") == 0;
    int fd = input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    c->file = input ? "standard input" : file;
    if (fd < 0)
        return err_errno(err, errno, "cannot read %s", file);
    while (n > 0) {
        char *room = buf_reserve(&c->text, PIECE);
        n = room ? read(fd, room, PIECE) : 0;
        if (n > 0)
            buf_commit(&c->text, (size_t)n);
    }
    int saved = errno;
    if (!input)
        close(fd);
    if (n < 0)
        return err_errno(err, saved, "cannot read %s", c->file);
    return c->text.failed ? err_set(err, ERR_LIMIT, "%s is longer than %d MB", c->file, CONSOLE_FILE_MAX >> 20)
                          : ERR_NONE;
}

/* Runs one statement; c->out has what it printed. An error without a text was written already. */
static enum err_code run(struct policy_command *c, const struct buf *statement, struct err *err)
{
    struct arena arena;
    struct script script;
    arena_init(&arena, STATEMENT_ARENA_MAX);
    buf_clear(&c->out);
    enum err_code code = statement->failed ? err_set(err, ERR_INVALID, "the name of the file is not UTF-8")
                                           : syntax_parse(buf_span(statement), &arena, &script, NULL, err);
    if (!code)
        code = shell_session_run(&c->session, &script.statements[0], err);
    if (!code && c->out.failed)
        code = err_set(err, ERR_LIMIT, "the output is larger than %d MB", OUTPUT_MAX >> 20);
    arena_clear(&arena);
    return code;
}

static enum err_code run_text(struct policy_command *c, const char *text, struct err *err)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_add(&b, span_of(text));
    enum err_code code = run(c, &b, err);
    buf_done(&b);
    return code;
}

static void print(struct span s)
{
    fwrite(s.ptr, 1, s.len, stdout);
}

static bool wants_colour(void)
{
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}

/* ---- export ---- */

int cli_export(int argc, char **argv)
{
    const char *state = NULL;
    bool recipients = false;
    const struct cli_option options[] = {{"state", &state, NULL}, {"recipients", NULL, &recipients}};
    struct policy_command c = {.name = argv[0]};
    struct err err = {0};
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    if (left > 0)
        fprintf(stderr, "mailreeve export: `%s` is too much; the script goes to standard output\n", argv[1]);
    if (left)
        return CLI_USAGE;
    enum err_code code = start(&c, state, &err);
    if (!code)
        code = run_text(&c, recipients ? "Export-Policy -Recipients" : "Export-Policy", &err);
    if (code)
        return end(&c, fail(&c, &err, CLI_FAILED));
    print(buf_span(&c.out));
    return end(&c, CLI_OK);
}

/* ---- plan ---- */

struct counts {
    uint64_t generation;
    uint32_t added, set, removed, all;
    struct span text; /* the plan, behind the line of numbers */
};

static bool read_counts(struct span out, struct counts *ret)
{
    struct span rest = out, line, word;
    uint32_t *const numbers[] = {&ret->added, &ret->set, &ret->removed, &ret->all};
    int64_t generation;
    if (!span_split(&rest, '\n', &line) || !span_split(&line, ' ', &word) ||
        !num_parse_i64(word, 0, INT64_MAX, &generation))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (!span_split(&line, ' ', &word) || !num_parse_u32(word, UINT32_MAX, numbers[i]))
            return false;
    ret->generation = (uint64_t)generation;
    ret->text = rest;
    return true;
}

static const char *colour_of(char sign)
{
    return sign == '+'   ? "\033[32m"
           : sign == '-' ? "\033[31m"
           : sign == '~' ? "\033[33m"
           : sign == '!' ? "\033[1;31m"
                         : NULL;
}

/* What comes green, what goes red, what changes yellow, what becomes dangerous bold: whole lines, or items of lists
 * (cmdlet/plan.h). */
static void print_coloured(struct span text)
{
    struct span line;
    for (bool first = true; span_split(&text, '\n', &line); first = false) {
        bool item = line.len > PLAN_ITEM_COLUMN + 1 && line.ptr[0] == ' ' && line.ptr[PLAN_ITEM_COLUMN + 1] == ' ';
        size_t from = item ? PLAN_ITEM_COLUMN : 0;
        const char *colour = line.len > from ? colour_of(line.ptr[from]) : NULL;
        printf("%s%.*s%s%.*s%s", first ? "" : "\n", SPAN_ARG(span_head(line, from)), colour ? colour : "",
               SPAN_ARG(span_from(line, from)), colour ? "\033[0m" : "");
    }
}

static void begin_statement(const struct policy_command *c, struct buf *b, const char *cmdlet, bool recipients)
{
    buf_init(b, 16 * 1024);
    buf_addf(b, "%s -File ", cmdlet);
    shell_quote(b, value_string(span_of(c->file)));
    buf_addf(b, "%s", recipients ? " -Recipients" : "");
}

static void put_time(struct buf *b, const char *parameter, int64_t ms)
{
    if (!ms)
        return;
    buf_addf(b, " -%s ", parameter);
    shell_quote(b, (struct value){.kind = VALUE_TIMESPAN, .i = ms});
}

/* Shows the plan. replay_ms: with what would become of the sessions of that time; 0: without. */
static enum err_code compare(struct policy_command *c, bool recipients, bool json, int64_t replay_ms,
                             struct counts *ret, struct err *err)
{
    struct buf b;
    begin_statement(c, &b, "Compare-Policy", recipients);
    buf_addf(&b, " -Counted%s", json ? " -AsJson" : "");
    put_time(&b, "Replay", replay_ms);
    enum err_code code = run(c, &b, err);
    buf_done(&b);
    if (!code && !read_counts(buf_span(&c->out), ret))
        code = err_set(err, ERR_INTERNAL, "the server's answer is not understood; is it of another version?");
    if (!code && !json && wants_colour())
        print_coloured(ret->text);
    else if (!code)
        print(ret->text);
    return code;
}

static bool one_file(const char *command, int left, char **argv)
{
    if (left == 1)
        return true;
    if (left == 0)
        fprintf(stderr,
                "mailreeve %s: FILE must be given, a script as mailreeve export prints it; - is standard "
                "input\n",
                command);
    if (left > 1)
        fprintf(stderr, "mailreeve %s: `%s` is too much; one FILE is expected\n", command, argv[2]);
    return false;
}

static bool read_replay(const char *text, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (!text ||
        (plan_parse_time(span_of(text), ret_ms) && *ret_ms >= PLAN_REPLAY_MIN_MS && *ret_ms <= PLAN_REPLAY_MAX_MS))
        return true;
    fprintf(
        stderr,
        "mailreeve plan: --replay %s: a time back from now is expected, from one minute to 30 days (what clients "
        "did is kept so long): 7d, 12h, 30m, or 7.00:00:00\n",
        text);
    return false;
}

int cli_plan(int argc, char **argv)
{
    const char *state = NULL, *replay = NULL;
    bool recipients = false, json = false;
    int64_t replay_ms;
    const struct cli_option options[] = {{"state", &state, NULL},
                                         {"recipients", NULL, &recipients},
                                         {"json", NULL, &json},
                                         {"replay", &replay, NULL}};
    enum { PLAN_SAME = 0, PLAN_DIFFERS = 1, PLAN_TROUBLE = 2 }; /* as diff(1) */
    struct policy_command c = {.name = argv[0]};
    struct counts counts;
    struct err err = {0};
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    if (left < 0 || !read_replay(replay, &replay_ms) || !one_file("plan", left, argv))
        return CLI_USAGE;
    enum err_code code = start(&c, state, &err);
    if (!code)
        code = read_file(&c, argv[1], &err);
    if (!code)
        code = compare(&c, recipients, json, replay_ms, &counts, &err);
    return end(&c, code ? fail(&c, &err, PLAN_TROUBLE) : counts.all ? PLAN_DIFFERS : PLAN_SAME);
}

/* ---- apply ---- */

struct apply_options {
    const char *state, *within;
    bool recipients, json, yes, force, confirm, rollback;
};

/* *ret: it is to be applied. */
static enum err_code confirm_removal(struct policy_command *c, const struct counts *n, bool yes, bool *ret,
                                     struct err *err)
{
    struct arena arena;
    struct span answer = SPAN("");
    char question[96];
    *ret = true;
    if (yes || !n->removed || !c->person.present)
        return ERR_NONE;
    fflush(stdout); /* the question is about what stands there */
    snprintf(question, sizeof question, "Apply it? %u object%s would be removed.", n->removed,
             n->removed == 1 ? "" : "s");
    arena_init(&arena, 4096);
    enum err_code code =
        c->person.host.ask(&c->person.host, SHELL_ASK_CONFIRM, span_of(question), &arena, &answer, err);
    *ret = answer.len && answer.ptr[0] == 'y';
    arena_clear(&arena);
    return code;
}

static enum err_code import(struct policy_command *c, const struct apply_options *o, const struct counts *n,
                            int64_t within, struct err *err)
{
    struct buf b;
    begin_statement(c, &b, "Import-Policy", o->recipients);
    buf_addf(&b, " -Quiet -Confirm:$false%s -Generation %llu", o->force ? " -Force" : "",
             (unsigned long long)n->generation);
    put_time(&b, "ConfirmWithin", within);
    enum err_code code = run(c, &b, err);
    buf_done(&b);
    return code;
}

static int apply(struct policy_command *c, const struct apply_options *o, const char *file, int64_t within)
{
    struct counts n;
    struct err err = {0};
    bool confirmed = false;
    enum err_code code = read_file(c, file, &err);
    if (!code)
        code = compare(c, o->recipients, o->json, 0, &n, &err);
    if (!code && !n.all)
        return CLI_OK;
    if (!code)
        code = confirm_removal(c, &n, o->yes, &confirmed, &err);
    if (!code && !confirmed)
        code = err_set(&err, ERR_DENIED, "not confirmed; nothing was changed");
    if (!code)
        code = import(c, o, &n, within, &err);
    if (code)
        return fail(c, &err, CLI_FAILED);
    if (o->json)
        return CLI_OK;
    printf("Applied.\n");
    if (within)
        printf("It is rolled back by itself unless it is confirmed in time: mailreeve apply --confirm --state %s\n",
               c->session.state);
    return CLI_OK;
}

/* Confirm-Policy or Undo-Policy. */
static int decide(struct policy_command *c, const char *statement)
{
    struct err err = {0};
    if (run_text(c, statement, &err))
        return fail(c, &err, CLI_FAILED);
    print(buf_span(&c->out));
    return CLI_OK;
}

static bool check_options(const struct apply_options *o, int left, char **argv, int64_t *ret_within)
{
    *ret_within = 0;
    if (o->confirm || o->rollback) {
        bool alone = left == 0 && !(o->confirm && o->rollback) && !o->within;
        if (!alone)
            fprintf(stderr, "mailreeve apply: --%s stands alone: it is about the script that was applied last\n",
                    o->confirm ? "confirm" : "rollback");
        return alone;
    }
    if (o->within && (!plan_parse_time(span_of(o->within), ret_within) || *ret_within < 1000)) {
        fprintf(stderr,
                "mailreeve apply: --confirm-within %s: a time such as 90s, 5m, 2h or 00:05:00 is expected\n",
                o->within);
        return false;
    }
    return one_file("apply", left, argv);
}

int cli_apply(int argc, char **argv)
{
    struct apply_options o = {0};
    const struct cli_option options[] = {
        {"state", &o.state, NULL},      {"recipients", NULL, &o.recipients}, {"json", NULL, &o.json},
        {"yes", NULL, &o.yes},          {"confirm-within", &o.within, NULL}, {"confirm", NULL, &o.confirm},
        {"rollback", NULL, &o.rollback}};
    struct policy_command c = {.name = argv[0]};
    struct err err = {0};
    int64_t within;
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    if (left < 0 || !check_options(&o, left, argv, &within))
        return CLI_USAGE;
    if (start(&c, o.state, &err))
        return end(&c, fail(&c, &err, CLI_FAILED));
    return end(&c, o.confirm    ? decide(&c, "Confirm-Policy")
                   : o.rollback ? decide(&c, "Undo-Policy -Confirm:$false")
                                : apply(&c, &o, argv[1], within));
}
