/*
 * facts.c: facts in an SQLite file: a row each, found by client, level and key. WAL with synchronous=NORMAL: a
 * crash may lose the last rows, never the file.
 *
 * Invariants: whatever is added costs a handful of lookups in one index, however many rows there are; a client's
 * rows at a level are counted before one is added, in that index, and there are few; `rows` is their number in all.
 */
#include "store/facts/internal.h"

static void bind(sqlite3_stmt *st, int index, struct span text)
{
    sqlite3_bind_text64(st, index, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* ---- adding ---- */

static void bind_client(struct facts *f, sqlite3_stmt *st, const struct fact *fact, enum fact_level level)
{
    bind(st, P_NETWORK, buf_span(&f->network));
    bind(st, P_USER, fact->text[FACT_USER]);
    sqlite3_bind_int(st, P_LEVEL, (int)level);
}

static void bind_fact(struct facts *f, sqlite3_stmt *st, const struct fact *fact, enum fact_level level)
{
    bind_client(f, st, fact, level);
    sqlite3_bind_blob64(st, P_KEY, f->key.ptr, f->key.len, SQLITE_STATIC);
    sqlite3_bind_int64(st, P_COUNT, (int64_t)fact->count);
    sqlite3_bind_int64(st, P_FIRST, fact->first_ms);
    sqlite3_bind_int64(st, P_LAST, fact->last_ms);
    sqlite3_bind_int64(st, P_SIZE, (int64_t)fact->size);
    for (int i = 0, known = sqlite3_bind_parameter_count(st); i < FACT_TEXTS && P_TEXTS + i <= known; i++)
        bind(st, P_TEXTS + i, fact->text[i]);
}

/* Somebody whom this server serves, not a stranger who knocks. */
static bool is_served(const struct fact *fact)
{
    bool accepted = (fact->question == FACT_OF_MESSAGE || fact->question == FACT_OF_RCPT) && fact->code < 400;
    return fact->text[FACT_USER].len || accepted;
}

static enum err_code insert(struct facts *f, const struct fact *fact, enum fact_level level, struct err *err)
{
    sqlite3_stmt *st = f->statements[ST_INSERT];
    bind_fact(f, st, fact, level);
    sqlite3_bind_int(st, P_QUESTION, (int)fact->question);
    sqlite3_bind_int(st, P_CODE, (int)fact->code);
    sqlite3_bind_int(st, P_SERVED, is_served(fact));
    enum err_code code = facts_run(f, ST_INSERT, NULL, err);
    if (!code)
        f->rows++;
    return code;
}

/* Adds it at this level; *ret_kept is false where there is no row for it and no room for one more. */
static enum err_code add_at(struct facts *f, const struct fact *fact, enum fact_level level, bool *ret_kept,
                            struct err *err)
{
    uint64_t count = 0;
    buf_clear(&f->key);
    fact_print_key(&f->key, fact, level);
    if (f->key.failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    bind_fact(f, f->statements[ST_UPDATE], fact, level);
    enum err_code code = facts_run(f, ST_UPDATE, NULL, err);
    *ret_kept = !code && sqlite3_changes(f->db) > 0;
    if (code || *ret_kept)
        return code;
    bind_client(f, f->statements[ST_COUNT], fact, level);
    code = facts_run(f, ST_COUNT, &count, err);
    *ret_kept = !code && count < f->limits.of_client[level];
    return *ret_kept ? insert(f, fact, level, err) : code;
}

enum err_code facts_add(struct facts *f, const struct fact *given, struct err *err)
{
    struct fact fact = *given;
    bool kept = false;
    enum err_code code = ERR_NONE;
    fact_trim(&fact);
    buf_clear(&f->network);
    fact_print_network(&f->network, fact.text[FACT_REMOTE]);
    if (f->network.failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (sqlite3_get_autocommit(f->db))
        code = facts_run(f, ST_BEGIN, NULL, err);
    for (unsigned level = fact.level; !code && !kept && level < FACT_LEVELS; level++)
        code = add_at(f, &fact, (enum fact_level)level, &kept, err);
    return code;
}

/* ---- what is too much ---- */

static enum err_code drop_oldest(struct facts *f, bool served, uint64_t count, struct err *err)
{
    sqlite3_bind_int(f->statements[ST_OLDEST], 1, served);
    sqlite3_bind_int64(f->statements[ST_OLDEST], 2, (int64_t)count);
    enum err_code code = facts_run(f, ST_OLDEST, NULL, err);
    if (!code)
        f->rows -= (uint64_t)sqlite3_changes(f->db);
    return code;
}

/* Some more than need be, so that it is not done for each row that comes. */
static enum err_code drop_surplus(struct facts *f, struct err *err)
{
    uint64_t max = f->limits.rows, slack = max / 100, strangers = 0;
    if (f->rows <= max)
        return ERR_NONE;
    uint64_t surplus = f->rows - max + slack;
    enum err_code code = facts_run(f, ST_STRANGERS, &strangers, err);
    uint64_t of_strangers = strangers > max / 2 ? strangers - max / 2 + slack : 0;
    if (of_strangers > surplus)
        of_strangers = surplus;
    if (!code && of_strangers)
        code = drop_oldest(f, false, of_strangers, err);
    if (!code && surplus > of_strangers)
        code = drop_oldest(f, true, surplus - of_strangers, err);
    return code;
}

enum err_code facts_commit(struct facts *f, int64_t now_ms, struct err *err)
{
    if (sqlite3_get_autocommit(f->db))
        return ERR_NONE;
    sqlite3_bind_int64(f->statements[ST_AGED], 1, now_ms - f->limits.age_ms);
    enum err_code code = facts_run(f, ST_AGED, NULL, err);
    if (!code)
        f->rows -= (uint64_t)sqlite3_changes(f->db);
    if (!code)
        code = drop_surplus(f, err);
    if (!code)
        code = facts_run(f, ST_COMMIT, NULL, err);
    if (!code || sqlite3_get_autocommit(f->db))
        return code;
    sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL); /* the first error is the one to tell */
    IGNORE_RESULT(facts_run(f, ST_ROWS, &f->rows, NULL));
    return code;
}

/* ---- reading ---- */

static struct span column(sqlite3_stmt *st, int i)
{
    const void *text = sqlite3_column_text(st, i);
    return span_make(text, text ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

static bool read_fact(sqlite3_stmt *st, struct fact *ret)
{
    int level = sqlite3_column_int(st, C_LEVEL), question = sqlite3_column_int(st, C_QUESTION);
    if (level < 0 || level >= FACT_LEVELS || question < 0 || question >= FACT_QUESTIONS)
        return false; /* of a newer version */
    *ret = (struct fact){.question = (enum fact_question)question,
                         .level = (enum fact_level)level,
                         .code = (uint32_t)sqlite3_column_int(st, C_CODE),
                         .count = (uint64_t)sqlite3_column_int64(st, C_COUNT),
                         .first_ms = sqlite3_column_int64(st, C_FIRST),
                         .last_ms = sqlite3_column_int64(st, C_LAST),
                         .size = (uint64_t)sqlite3_column_int64(st, C_SIZE)};
    for (int i = 0; i < FACT_TEXTS; i++)
        ret->text[i] = column(st, C_TEXTS + i);
    return true;
}

enum err_code facts_visit(struct facts *f, int64_t since_ms, facts_each_fn *each, void *context, struct err *err)
{
    sqlite3_stmt *st = f->statements[ST_VISIT];
    struct fact fact;
    bool on = true;
    int rc = SQLITE_ROW;
    sqlite3_bind_int64(st, 1, since_ms);
    while (on && (rc = sqlite3_step(st)) == SQLITE_ROW)
        if (read_fact(st, &fact))
            on = each(context, column(st, C_NETWORK), &fact);
    enum err_code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_NONE : facts_fail(f, err);
    sqlite3_reset(st);
    return code;
}
