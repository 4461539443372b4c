/*
 * parse.c: commands, pipelines and scripts.
 *
 * Invariant: a statement's source, parsed again, gives the same statement.
 */
#include "shell/parser.h"

#include <string.h>

enum { COMPLETE_ARENA_MAX = 64 << 20 };

static bool at_command_end(const struct lexer *l)
{
    char c = lexer_mark(l).plain;
    return c == 0 || (c != MARK_OTHER && strchr("\n;|)}", c));
}

/* An argument ends at a blank, so that neither 'a'b nor -X'a' is read as two. */
static bool at_gap(const struct lexer *l)
{
    char c = lexer_mark(l).plain;
    return at_command_end(l) || c == ' ' || c == '\t' || c == '\r' || c == '`';
}

/* -Name, or -Name:value. */
static bool parse_parameter(struct lexer *l, struct argument *ret)
{
    struct span at = l->rest;
    lexer_skip(l, lexer_mark(l).len);
    ret->name = lexer_name(l);
    if (lexer_mark(l).plain == ':') {
        lexer_skip(l, 1);
        lexer_blanks(l, BLANKS_INLINE);
        ret->value = parse_argument(l);
    }
    if (!l->code && !at_gap(l))
        lexer_fail(l, at, "a parameter is a dash and letters; put text that begins with a dash in quotes");
    return !l->code;
}

static bool parse_one_argument(struct lexer *l, struct argument *ret)
{
    size_t len;
    struct span start = l->rest;
    *ret = (struct argument){0};
    if (lexer_dashed(l, &len).len) {
        if (!parse_parameter(l, ret))
            return false;
    } else {
        ret->value = parse_argument(l);
        if (!ret->value)
            return false;
        if (!at_gap(l))
            return lexer_fail(l, l->rest, "a blank is expected here, or quotes around the whole") != NULL;
    }
    ret->text = lexer_since(l, start);
    return true;
}

/* The name of a command: letters, digits, "?", and dashes of any kind, which become plain. */
static bool parse_command_name(struct lexer *l, struct span *ret)
{
    struct span at = l->rest;
    struct buf b;
    buf_init(&b, 256);
    for (;;) {
        struct mark m = lexer_mark(l);
        if (!ascii_is_alnum(m.plain) && m.plain != '-' && m.plain != '?' && m.plain != '_')
            break;
        buf_add_char(&b, m.plain);
        lexer_skip(l, m.len);
    }
    *ret = arena_dup(l->arena, buf_span(&b));
    buf_done(&b);
    if (!ret->ptr)
        return lexer_fail_memory(l) != NULL;
    if (ret->len && at_gap(l))
        return true;
    if (!at.len)
        return lexer_fail_end(l, "a command is expected here") != NULL;
    return lexer_fail(l, at, "a command is expected here, such as Get-ReceiveConnector") != NULL;
}

static bool parse_call(struct lexer *l, struct command_call *ret)
{
    *ret = (struct command_call){0};
    if (!parse_command_name(l, &ret->name))
        return false;
    for (;;) {
        struct argument a;
        lexer_blanks(l, BLANKS_INLINE);
        if (l->code || at_command_end(l))
            return !l->code;
        if (!parse_one_argument(l, &a) || !LEXER_ADD(l, ret->arguments, ret->count, a))
            return false;
    }
}

/* True when a pipe follows, which is then read. */
static bool take_pipe(struct lexer *l)
{
    lexer_blanks(l, BLANKS_INLINE);
    if (lexer_mark(l).plain != '|')
        return false;
    lexer_skip(l, 1);
    return true;
}

bool parse_pipeline(struct lexer *l, struct pipeline *ret)
{
    *ret = (struct pipeline){0};
    lexer_blanks(l, BLANKS_LINES);
    if (parse_at_expression(l)) {
        ret->head = parse_expression(l);
        if (!ret->head || !take_pipe(l))
            return !l->code;
    }
    do {
        struct command_call call;
        lexer_blanks(l, BLANKS_LINES);
        if (ret->count == SYNTAX_PIPELINE_MAX)
            return lexer_fail(l, l->rest, "more than %d commands in one pipeline", SYNTAX_PIPELINE_MAX) != NULL;
        if (!parse_call(l, &call) || !LEXER_ADD(l, ret->calls, ret->count, call))
            return false;
    } while (take_pipe(l));
    return !l->code;
}

static bool parse_statement(struct lexer *l, struct statement *ret)
{
    struct span start = l->rest;
    if (!parse_pipeline(l, &ret->pipeline))
        return false;
    ret->source = span_head(start, start.len - l->token_end.len);
    char c = lexer_mark(l).plain;
    if (c != 0 && c != '\n' && c != ';')
        return lexer_fail(l, l->rest, "the end of the statement, or |, is expected here") != NULL;
    return true;
}

enum err_code syntax_parse(struct span text, struct arena *arena, struct script *ret, bool *ret_incomplete,
                           struct err *err)
{
    struct lexer l;
    struct script script = {0};
    if (lexer_init(&l, text, arena, err))
        lexer_blanks(&l, BLANKS_SEPARATORS);
    while (!l.code && l.rest.len) {
        struct statement st;
        if (!parse_statement(&l, &st) || !LEXER_ADD(&l, script.statements, script.count, st))
            break;
        lexer_blanks(&l, BLANKS_SEPARATORS);
    }
    if (ret_incomplete)
        *ret_incomplete = l.incomplete;
    if (!l.code)
        *ret = script;
    return l.code;
}

bool shell_complete(struct span text)
{
    struct arena arena;
    struct script script;
    bool incomplete;
    arena_init(&arena, COMPLETE_ARENA_MAX);
    IGNORE_RESULT(syntax_parse(text, &arena, &script, &incomplete, NULL));
    arena_clear(&arena);
    return !incomplete;
}
