/*
 * test_group_commit.c: the engine over a fake queue, whose commits wait for the test and end as it says; and over
 * SQLite with the three threads that a queue serves.
 */
#include "store/group_commit.h"
#include "store/queue_adapter.h"

#include "check.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { UNITS = 40, DEADLINE_S = 20 };

/* ---- a fake queue ---- */

struct fake {
    struct queue base;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool hold;             /* commits wait while it is set */
    size_t entered;        /* commits begun */
    size_t batches[UNITS]; /* the size of each */
    enum err_code outcome; /* of a commit of more than one unit */
    uint64_t bad_unit;     /* the message of the op that fails alone */
    size_t idle, busy;     /* calls of maintain */
    enum err_code maintain_outcome;
};

static enum err_code fake_commit(struct queue *base, struct queue_unit *const *units, size_t count,
                                 struct buf *removed, struct err *err)
{
    struct fake *f = (struct fake *)base;
    enum err_code code = ERR_NONE;
    pthread_mutex_lock(&f->mutex);
    f->batches[f->entered++ % UNITS] = count;
    pthread_cond_broadcast(&f->changed);
    while (f->hold)
        pthread_cond_wait(&f->changed, &f->mutex);
    for (size_t i = 0; i < count; i++) {
        bool bad = f->bad_unit && units[i]->ops[0].message == f->bad_unit;
        code = (count > 1 && f->outcome) || bad ? err_set(err, f->outcome, "the fake says so") : code;
    }
    for (size_t i = 0; i < count; i++) {
        units[i]->result = code;
        if (code == ERR_NONE) {
            buf_addf(removed, "%02u", (unsigned)units[i]->ops[0].message);
            buf_add_char(removed, '\0');
        }
    }
    pthread_mutex_unlock(&f->mutex);
    return code;
}

static enum err_code fake_maintain(struct queue *base, bool idle, struct err *err)
{
    struct fake *f = (struct fake *)base;
    pthread_mutex_lock(&f->mutex);
    *(idle ? &f->idle : &f->busy) += 1;
    enum err_code code = f->maintain_outcome;
    pthread_mutex_unlock(&f->mutex);
    return code ? err_set(err, code, "no checkpoint") : ERR_NONE;
}

static const struct queue_class fake_class = {.commit = fake_commit, .maintain = fake_maintain};

/* ---- the test's side ---- */

struct fixture {
    struct fake fake;
    struct group_commit *g;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    size_t wakes, failures;
    char removed[8 * UNITS]; /* names, each with a blank behind */
    struct commit_unit units[UNITS];
    struct queue_op ops[UNITS];
    struct commit_unit *taken[UNITS];
    size_t taken_count;
};

static void deadline(struct timespec *t)
{
    clock_gettime(CLOCK_REALTIME, t);
    t->tv_sec += DEADLINE_S;
}

static void wake(void *context)
{
    struct fixture *f = context;
    pthread_mutex_lock(&f->mutex);
    f->wakes++;
    pthread_cond_broadcast(&f->woken);
    pthread_mutex_unlock(&f->mutex);
}

static void spool_removed(void *context, const char *name)
{
    struct fixture *f = context;
    strncat(f->removed, name, 2);
    strncat(f->removed, " ", 2);
}

static void failed(void *context, const struct err *err)
{
    struct fixture *f = context;
    f->failures += err->code == ERR_IO;
}

static void set_up(struct fixture *f, const struct group_commit_options *limits)
{
    struct err err = {0};
    memset(f, 0, sizeof *f);
    f->fake.base.class = &fake_class;
    pthread_mutex_init(&f->fake.mutex, NULL);
    pthread_cond_init(&f->fake.changed, NULL);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->woken, NULL);
    struct group_commit_options o = *limits;
    o.queue = &f->fake.base;
    o.wake = wake;
    o.spool_removed = spool_removed;
    o.failed = failed;
    o.context = f;
    CHECK_INT(err.text, group_commit_new(&o, &f->g, &err), ERR_NONE);
    for (size_t i = 0; i < UNITS; i++) {
        f->ops[i] = (struct queue_op){.kind = QUEUE_OP_SUSPEND, .message = i + 1};
        f->units[i] = (struct commit_unit){.unit = {.ops = &f->ops[i], .op_count = 1}, .bytes = 10};
    }
}

static void tear_down(struct fixture *f)
{
    group_commit_free(f->g);
    pthread_mutex_destroy(&f->fake.mutex);
    pthread_cond_destroy(&f->fake.changed);
    pthread_mutex_destroy(&f->mutex);
    pthread_cond_destroy(&f->woken);
}

static void submit(struct fixture *f, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(group_commit_submit(f->g, &f->units[i]), ERR_NONE);
}

static void take(struct fixture *f)
{
    for (struct commit_unit *u = group_commit_take(f->g), *next; u; u = next) {
        next = u->next;
        f->taken[f->taken_count++] = u;
    }
}

/* Takes until n units are back. */
static void take_until(struct fixture *f, size_t n)
{
    struct timespec end;
    deadline(&end);
    pthread_mutex_lock(&f->mutex);
    for (take(f); f->taken_count < n; take(f))
        assert_int_equal(pthread_cond_timedwait(&f->woken, &f->mutex, &end), 0);
    pthread_mutex_unlock(&f->mutex);
    assert_int_equal(f->taken_count, n);
}

/* Lets the first unit's commit begin and stand. */
static void hold_first(struct fixture *f)
{
    struct timespec end;
    deadline(&end);
    f->fake.hold = true;
    submit(f, 0, 1);
    pthread_mutex_lock(&f->fake.mutex);
    while (f->fake.entered == 0)
        assert_int_equal(pthread_cond_timedwait(&f->fake.changed, &f->fake.mutex, &end), 0);
    pthread_mutex_unlock(&f->fake.mutex);
}

static void release(struct fixture *f)
{
    pthread_mutex_lock(&f->fake.mutex);
    f->fake.hold = false;
    pthread_cond_broadcast(&f->fake.changed);
    pthread_mutex_unlock(&f->fake.mutex);
}

static void check_order(struct fixture *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        CHECK("order", f->taken[i] == &f->units[i]);
}

/* What is submitted while the first commits goes into batches of these sizes. */
static void test_gathering(void **state)
{
    static const struct {
        const char *name;
        size_t batch_units, batch_bytes, submitted, sizes[6];
    } rows[] = {
        {"all in one", 0, 0, 30, {1, 29}},
        {"as many as may be", 10, 0, 30, {1, 10, 10, 9}},
        {"as many bytes as may be", 0, 45, 10, {1, 4, 4, 1}},
        {"one that is larger than a batch", 0, 5, 3, {1, 1, 1}},
        {"a single one waits for nobody", 0, 0, 1, {1}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct fixture f;
        size_t batches = 0;
        set_up(&f, &(struct group_commit_options){.batch_units = rows[i].batch_units,
                                                  .batch_bytes = rows[i].batch_bytes});
        hold_first(&f);
        submit(&f, 1, rows[i].submitted);
        CHECK_INT(rows[i].name, group_commit_stats(f.g).waiting_bytes, 10 * rows[i].submitted);
        release(&f);
        take_until(&f, rows[i].submitted);
        check_order(&f, rows[i].submitted);
        group_commit_stop(f.g);
        for (; batches < ARRAY_LEN(rows[i].sizes) && rows[i].sizes[batches]; batches++)
            CHECK_INT(rows[i].name, f.fake.batches[batches], rows[i].sizes[batches]);
        CHECK_INT(rows[i].name, f.fake.entered, batches);
        CHECK_INT(rows[i].name, group_commit_stats(f.g).batches, batches);
        CHECK_INT(rows[i].name, group_commit_stats(f.g).units, rows[i].submitted);
        CHECK_INT(rows[i].name, group_commit_stats(f.g).waiting_bytes, 0);
        CHECK_INT(rows[i].name, f.fake.idle + f.fake.busy, batches);
        CHECK(rows[i].name, f.fake.idle >= 1 && f.wakes == batches);
        tear_down(&f);
    }
}

static void test_bound(void **state)
{
    static struct fixture f;
    (void)state;
    set_up(&f, &(struct group_commit_options){.waiting_bytes = 50});
    hold_first(&f);
    submit(&f, 1, 5); /* at the bound */
    assert_int_equal(group_commit_submit(f.g, &f.units[5]), ERR_LIMIT);
    f.units[6].bytes = SIZE_MAX;
    assert_int_equal(group_commit_submit(f.g, &f.units[6]), ERR_LIMIT);
    release(&f);
    take_until(&f, 5);
    submit(&f, 5, 6);
    take_until(&f, 6);
    tear_down(&f);
}

static void test_failures(void **state)
{
    static const struct {
        const char *name;
        enum err_code outcome;
        uint64_t bad_unit;
        size_t tries;
        enum err_code good, bad; /* what the units get */
        const char *removed;
    } rows[] = {
        {"no space: each on its own", ERR_IO, 3, 1 + 1 + 4, ERR_NONE, ERR_IO, "01 02 04 05 "},
        {"no memory: each on its own", ERR_NO_MEMORY, 2, 1 + 1 + 4, ERR_NONE, ERR_NO_MEMORY, "01 03 04 05 "},
        {"unknown: never again", ERR_UNKNOWN, 3, 1 + 1, ERR_UNKNOWN, ERR_UNKNOWN, "01 "},
        {"held by another: not now", ERR_UNAVAILABLE, 3, 1 + 1, ERR_UNAVAILABLE, ERR_UNAVAILABLE, "01 "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct fixture f;
        set_up(&f, &(struct group_commit_options){0});
        hold_first(&f);
        f.fake.outcome = rows[i].outcome;
        f.fake.bad_unit = rows[i].bad_unit;
        submit(&f, 1, 5);
        release(&f);
        take_until(&f, 5);
        check_order(&f, 5);
        CHECK_INT(rows[i].name, f.fake.entered, rows[i].tries);
        for (size_t k = 1; k < 5; k++)
            CHECK_INT(rows[i].name, f.units[k].unit.result, k + 1 == rows[i].bad_unit ? rows[i].bad : rows[i].good);
        group_commit_stop(f.g);
        CHECK_STR(rows[i].name, f.removed, rows[i].removed);
        tear_down(&f);
    }
}

static void test_failed_maintenance(void **state)
{
    static struct fixture f;
    (void)state;
    set_up(&f, &(struct group_commit_options){0});
    f.fake.maintain_outcome = ERR_IO;
    submit(&f, 0, 1);
    take_until(&f, 1);
    assert_int_equal(f.units[0].unit.result, ERR_NONE); /* the commit stands */
    group_commit_stop(f.g);
    assert_int_equal(f.failures, 1);
    tear_down(&f);
}

static void test_stop(void **state)
{
    static struct fixture f;
    (void)state;
    set_up(&f, &(struct group_commit_options){.batch_units = 4});
    hold_first(&f);
    submit(&f, 1, 20);
    release(&f);
    group_commit_stop(f.g); /* commits what waits */
    take(&f);
    assert_int_equal(f.taken_count, 20);
    check_order(&f, 20);
    assert_int_equal(group_commit_submit(f.g, &f.units[20]), ERR_UNAVAILABLE);
    group_commit_stop(f.g); /* again: nothing */
    tear_down(&f);
    group_commit_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest all[] = {
        cmocka_unit_test(test_gathering),          cmocka_unit_test(test_bound), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_failed_maintenance), cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
