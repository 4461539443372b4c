/* fact.c: see fact.h. The file is opened anew for each visit, so that the shell sees the same with a stopped
 * server. */
#include "role/common/fact.h"

#include "base/num.h"
#include "role/common/event_sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CODE_MAX = 999 };

void fact_send(const struct fact *f)
{
    char verdict[24], level[12], count[48];
    struct event e = {.kind = EVENT_FACT, .at_ms = f->last_ms};
    snprintf(verdict, sizeof verdict, "%.*s %u", SPAN_ARG(fact_question_name(f->question)), (unsigned)f->code);
    snprintf(level, sizeof level, "%u", (unsigned)f->level);
    snprintf(count, sizeof count, "%" PRIu64 " %" PRIu64, f->count, f->size);
    memcpy(e.field, f->text, sizeof f->text);
    e.field[FACT_VERDICT] = span_of(verdict);
    e.field[FACT_LEVEL] = span_of(level);
    e.field[FACT_COUNT] = span_of(count);
    event_send(e);
}

bool fact_of_event(const struct event *e, struct fact *ret)
{
    struct fact f = {.first_ms = e->at_ms, .last_ms = e->at_ms};
    struct span code = e->field[FACT_VERDICT], size = e->field[FACT_COUNT], question, count;
    uint32_t level;
    if (!span_split(&code, ' ', &question) || !fact_question_find(question, &f.question) ||
        !num_parse_u32(code, CODE_MAX, &f.code) || !num_parse_u32(e->field[FACT_LEVEL], FACT_LEVELS - 1, &level) ||
        !span_split(&size, ' ', &count) || !num_parse_u64(count, UINT32_MAX, &f.count) || !f.count ||
        !num_parse_u64(size, INT64_MAX, &f.size))
        return false;
    f.level = (enum fact_level)level;
    memcpy(f.text, e->field, sizeof f.text);
    *ret = f;
    return true;
}

bool facts_path(const char *state, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s/facts.db", state);
    return n > 0 && (size_t)n < cap;
}

static enum err_code visit(struct fact_view *view, int64_t since_ms, facts_each_fn *each, void *context,
                           struct err *err)
{
    const struct facts_reader *r = (const struct facts_reader *)view;
    struct facts *facts;
    char path[1400];
    if (r->open)
        return facts_visit(r->open, since_ms, each, context, err);
    if (!facts_path(r->state, path, sizeof path))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    enum err_code code = facts_open_read(path, &facts, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE; /* nobody was ever here */
    if (code)
        return code;
    code = facts_visit(facts, since_ms, each, context, err);
    facts_close(facts);
    return code;
}

void facts_reader_init(struct facts_reader *r, const char *state)
{
    *r = (struct facts_reader){.view = {.visit = visit}, .state = state};
}
