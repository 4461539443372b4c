/*
 * search.c: the newest entries that fit, file by file from the newest. With a key, each stretch that has an index
 * is asked for the places of its rows; everything else (the end of the newest file, what has no index, a question
 * without a key) is read through. Whatever an index says, a row counts only when it is looked at and fits.
 *
 * Invariant: what has been found is newer than all that has not been searched, as far as the files are in order; so
 * the search ends as soon as the limit is reached.
 */
#include "store/tracking/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_MS = 86400000 };

struct hit {
    uint32_t file;
    uint64_t offset;
};

struct search {
    struct tracking_folder folder;
    const struct tracking_query *query;
    uint64_t hashes[TRACKING_RECIPIENTS_MAX]; /* any of these; none: no key */
    size_t hash_count;
    size_t from, room; /* hits before those under the hash in hand, and how many of these are wanted */
    struct buf line, scratch;
    struct hit *hits;
    size_t count, cap, limit;
    uint64_t scanned, tries;
    size_t file; /* in hand */
    int fd;
    bool no_memory, stopped;
};

/* ---- does it fit ---- */

/* Where it lies within text, ASCII case folded. */
static bool contains(struct span text, struct span part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (span_ieq(span_head(span_from(text, i), part.len), part))
            return true;
    return false;
}

static bool is(struct span text, struct span wanted)
{
    return !wanted.ptr || span_ieq(text, wanted);
}

static bool has_one(const struct tracking_query *q, const struct tracking_row *r)
{
    for (size_t i = 0; i < q->recipient_count; i++)
        if (tracking_has_recipient(r->field[TRACKING_RECIPIENT_ADDRESS], q->recipients[i]) ||
            tracking_has_recipient(r->field[TRACKING_RELATED_RECIPIENT_ADDRESS], q->recipients[i]))
            return true;
    return q->recipient_count == 0;
}

static bool fits(const struct tracking_query *q, const struct tracking_row *r)
{
    const struct span *f = r->field;
    return r->at_ms >= q->start_ms && r->at_ms < q->end_ms && is(f[TRACKING_EVENT_ID], q->event) &&
           is(f[TRACKING_MESSAGE_ID], q->message_id) && is(f[TRACKING_INTERNAL_MESSAGE_ID], q->internal_id) &&
           is(f[TRACKING_SENDER_ADDRESS], q->sender) && is(f[TRACKING_REFERENCE], q->reference) && has_one(q, r) &&
           (!q->subject.ptr || contains(f[TRACKING_MESSAGE_SUBJECT], q->subject));
}

/* The key that has the fewest rows, as a rule. */
static void choose_key(struct search *s)
{
    const struct tracking_query *q = s->query;
    const struct {
        enum tracking_key key;
        const struct span *texts;
        size_t count;
    } order[] = {
        {TRACKING_KEY_MESSAGE, &q->message_id, 1},  {TRACKING_KEY_INTERNAL, &q->internal_id, 1},
        {TRACKING_KEY_REFERENCE, &q->reference, 1}, {TRACKING_KEY_RECIPIENT, q->recipients, q->recipient_count},
        {TRACKING_KEY_SENDER, &q->sender, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(order) && !s->hash_count; i++)
        for (size_t k = 0; k < order[i].count && order[i].texts[k].len; k++)
            s->hashes[s->hash_count++] = tracking_hash(order[i].key, order[i].texts[k]);
}

/* ---- what is found ---- */

static bool add_hit(struct search *s, uint64_t offset)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct hit *grown = reallocarray(s->hits, cap, sizeof *grown);
        s->no_memory = !grown;
        if (!grown)
            return false;
        s->hits = grown;
        s->cap = cap;
    }
    s->hits[s->count++] = (struct hit){(uint32_t)s->file, offset};
    return true;
}

static bool see_line(void *context, uint64_t offset, struct span line)
{
    struct search *s = context;
    struct tracking_row r;
    return !tracking_parse(line, &s->scratch, &r) || !fits(s->query, &r) || add_hit(s, offset);
}

static bool see_place(void *context, uint64_t offset)
{
    struct search *s = context;
    struct tracking_row r;
    s->stopped = s->tries++ >= TRACKING_TRIES_MAX;
    if (s->stopped)
        return false;
    if (tracking_read_row(s->fd, offset, &s->line, &s->scratch, &r) && fits(s->query, &r) && !add_hit(s, offset))
        return false;
    return s->count - s->from <= s->room; /* one more, to know that there is more */
}

/* ---- a stretch ---- */

/* As much of the end of it as may still be read. */
static enum err_code scan(struct search *s, uint64_t from, uint64_t to, struct err *err)
{
    uint64_t allowed = TRACKING_SCAN_MAX - s->scanned;
    if (from >= to || s->stopped)
        return ERR_NONE;
    s->stopped = to - from > allowed;
    from = s->stopped ? to - allowed : from; /* what is left of a line is no row */
    s->scanned += to - from;
    return tracking_read_lines(s->fd, from, to, see_line, s, NULL, err);
}

static int in_order(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    int c = (x->file > y->file) - (x->file < y->file);
    return c ? c : (x->offset > y->offset) - (x->offset < y->offset);
}

/* From `from` on: a row may have been found under several hashes. */
static void drop_doubles(struct search *s, size_t from)
{
    size_t kept = from;
    if (s->count > from)
        qsort(s->hits + from, s->count - from, sizeof *s->hits, in_order);
    for (size_t i = from; i < s->count; i++)
        if (kept == from || in_order(&s->hits[kept - 1], &s->hits[i]))
            s->hits[kept++] = s->hits[i];
    s->count = kept;
}

/* The newest under each hash, as many as are still wanted: the newest of all are among them. */
static enum err_code find_keys(struct search *s, struct tracking_index *x, struct err *err)
{
    size_t before = s->count;
    enum err_code code = ERR_NONE;
    s->room = s->limit - before;
    for (size_t i = 0; !code && i < s->hash_count && !s->stopped && !s->no_memory; i++) {
        s->from = s->count;
        code = tracking_index_find(x, s->hashes[i], see_place, s, err);
    }
    if (s->hash_count > 1)
        drop_doubles(s, before);
    return code;
}

/* *ret_spoilt: the index is damaged, gone, or another file's; nothing of it counts. */
static enum err_code search_slice(struct search *s, const struct tracking_file *file,
                                  const struct tracking_slice *slice, bool *ret_spoilt, struct err *err)
{
    char path[TRACKING_PATH_MAX];
    struct tracking_index *x = NULL;
    struct tracking_facts facts = {0};
    bool named = tracking_slice_path(&s->folder, file, slice, path);
    ASSERT(named);
    enum err_code code = tracking_index_open(path, &x, &facts, err);
    bool sound = !code && facts.mark == tracking_file_mark(s->fd);
    bool apart = sound && (facts.newest_ms < s->query->start_ms || facts.oldest_ms >= s->query->end_ms);
    if (sound && !apart && s->hash_count)
        code = find_keys(s, x, err);
    tracking_index_close(x);
    if (code == ERR_NO_MEMORY || code == ERR_IO)
        return code;
    *ret_spoilt = code || !sound;
    if (*ret_spoilt) {
        unlink(path); /* it is made anew */
        return ERR_NONE;
    }
    return s->hash_count || apart ? ERR_NONE : scan(s, slice->first, slice->end, err);
}

static bool may_have(const struct search *s, const struct tracking_file *file)
{
    int64_t day = tracking_day_ms(file->day); /* on which it was written; a row's time is a little earlier */
    return s->query->end_ms > day - DAY_MS && s->query->start_ms < day + 2 * DAY_MS;
}

/* A spoilt index ends the list of those that count: what it covered, and all behind it, is read through instead. */
static enum err_code search_open_file(struct search *s, struct tracking_file *file, struct err *err)
{
    size_t before = s->count, i;
    bool spoilt;
    enum err_code code;
    do {
        spoilt = false;
        s->count = before;
        code = scan(s, file->covered, file->size, err);
        for (i = file->slice_count; !code && !spoilt && i > 0 && !s->stopped && s->count <= s->limit;)
            code = search_slice(s, file, &file->slices[--i], &spoilt, err);
        if (spoilt) {
            file->slice_count = i;
            file->covered = file->slices[i].first;
        }
    } while (!code && spoilt);
    return code;
}

static enum err_code search_file(struct search *s, struct err *err)
{
    struct tracking_file *file = &s->folder.files[s->file];
    char path[TRACKING_PATH_MAX];
    bool named = tracking_log_path(&s->folder, file, path);
    ASSERT(named);
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd < 0)
        return errno == ENOENT ? ERR_NONE : err_errno(err, errno, "cannot read %s", path);
    enum err_code code = search_open_file(s, file, err);
    close(s->fd);
    s->fd = -1;
    return code;
}

/* ---- all of it ---- */

static enum err_code show(struct search *s, tracking_each_fn *each, void *context, struct tracking_found *found,
                          struct err *err)
{
    size_t from = s->count > s->limit ? s->count - s->limit : 0, opened = SIZE_MAX;
    bool more = true;
    int fd = -1;
    if (s->count)
        qsort(s->hits, s->count, sizeof *s->hits, in_order);
    for (size_t i = from; more && i < s->count; i++) {
        const struct hit *h = &s->hits[i];
        struct tracking_row r;
        char path[TRACKING_PATH_MAX];
        if (h->file != opened && tracking_log_path(&s->folder, &s->folder.files[h->file], path)) {
            if (fd >= 0)
                close(fd);
            fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
            opened = h->file;
        }
        if (fd < 0 || !tracking_read_row(fd, h->offset, &s->line, &s->scratch, &r))
            continue; /* it was deleted meanwhile */
        found->rows++;
        more = each(context, &r);
    }
    if (fd >= 0)
        close(fd);
    found->more = from > 0;
    return s->no_memory ? err_set(err, ERR_NO_MEMORY, "out of memory") : ERR_NONE;
}

enum err_code tracking_search(const char *folder, const struct tracking_query *q, tracking_each_fn *each,
                              void *context, struct tracking_found *ret, struct err *err)
{
    struct search s = {.query = q, .fd = -1, .limit = q->limit < TRACKING_HITS_MAX ? q->limit : TRACKING_HITS_MAX};
    struct tracking_found found = {0};
    enum err_code code = tracking_folder_read(&s.folder, folder, false, err);
    if (code)
        return code;
    buf_init(&s.line, TRACKING_LINE_MAX + 32768);
    buf_init(&s.scratch, TRACKING_LINE_MAX);
    choose_key(&s);
    for (size_t i = s.folder.count; !code && i-- > 0 && !s.stopped && !s.no_memory && s.count <= s.limit;) {
        s.file = i;
        if (may_have(&s, &s.folder.files[i]))
            code = search_file(&s, err);
        found.searched_ms = tracking_day_ms(s.folder.files[i].day);
    }
    found.stopped = s.stopped;
    if (!code)
        code = show(&s, each, context, &found, err);
    free(s.hits);
    buf_done(&s.line);
    buf_done(&s.scratch);
    tracking_folder_done(&s.folder);
    if (!code)
        *ret = found;
    return code;
}
