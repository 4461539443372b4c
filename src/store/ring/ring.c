/*
 * ring.c: a head and slots of one page each.
 *
 * Invariants: a slot counts when its checksum holds; its place is its sequence number modulo the number of slots,
 * so that the newest is found by looking through all once, at the opening. Everything read from the file is checked
 * as from an enemy: another version of the program, or a disk, may have written it.
 */
#include "store/ring/ring.h"

#include "base/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOT_SIZE = 4096, HEAD_SIZE = 4096, SLOT_HEAD = 8 + 8 + 4 + 4 };
#define SEQUENCE_MAX (UINT64_C(1) << 60) /* never reached but by damage */
static const struct span magic = SPAN_INIT("mailreeve-ring-1");
_Static_assert(SLOT_HEAD + RING_KEY_MAX + RING_RECORD_MAX <= SLOT_SIZE, "a record fits into its slot");

struct ring {
    int fd;
    uint32_t slots;
    uint64_t newest; /* sequence number of the newest; 0: none yet */
};

struct slot {
    uint64_t sequence;
    struct span key, record;
};

/* ---- slots ---- */

static void print_slot(const struct slot *s, char out[static SLOT_SIZE])
{
    struct buf b;
    buf_init(&b, SLOT_SIZE);
    put_u64(&b, s->sequence);
    put_bytes(&b, s->key);
    put_bytes(&b, s->record);
    memset(out, 0, SLOT_SIZE);
    uint64_t sum = span_ihash(buf_span(&b)) ^ s->sequence;
    memcpy(out, &sum, sizeof sum);
    memcpy(out + sizeof sum, b.ptr, b.len);
    buf_done(&b);
}

static bool parse_slot(const char page[static SLOT_SIZE], struct slot *ret)
{
    uint64_t sum;
    struct span all = span_make(page + sizeof sum, SLOT_SIZE - sizeof sum);
    struct cursor c = cursor_of(all);
    memcpy(&sum, page, sizeof sum);
    ret->sequence = cursor_u64(&c);
    ret->key = cursor_bytes(&c, RING_KEY_MAX);
    ret->record = cursor_bytes(&c, RING_RECORD_MAX);
    if (!cursor_ok(&c) || ret->sequence == 0 || ret->sequence > SEQUENCE_MAX)
        return false;
    return sum == (span_ihash(span_head(all, all.len - c.rest.len)) ^ ret->sequence);
}

static off_t place(const struct ring *r, uint64_t sequence)
{
    return HEAD_SIZE + (off_t)(sequence % r->slots) * SLOT_SIZE;
}

/* The slot for a sequence number; false: it holds another, or nothing. ret's spans are views of the page. */
static bool read_slot(const struct ring *r, uint64_t sequence, char page[static SLOT_SIZE], struct slot *ret)
{
    return pread(r->fd, page, SLOT_SIZE, place(r, sequence)) == SLOT_SIZE && parse_slot(page, ret) &&
           ret->sequence == sequence;
}

/* ---- opening ---- */

static void find_newest(struct ring *r)
{
    char page[SLOT_SIZE];
    struct slot s;
    for (uint32_t i = 0; i < r->slots; i++) {
        if (pread(r->fd, page, SLOT_SIZE, HEAD_SIZE + (off_t)i * SLOT_SIZE) != SLOT_SIZE)
            return; /* the file ends here */
        if (parse_slot(page, &s) && s.sequence % r->slots == i && s.sequence > r->newest)
            r->newest = s.sequence;
    }
}

static bool read_head(struct ring *r)
{
    char head[64];
    struct cursor c;
    if (pread(r->fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return false;
    c = cursor_of(span_make(head, sizeof head));
    struct span m = cursor_bytes(&c, magic.len);
    r->slots = cursor_u32(&c);
    return cursor_ok(&c) && span_eq(m, magic) && r->slots > 0 && r->slots <= RING_SLOTS_MAX;
}

static enum err_code begin_anew(struct ring *r, const char *path, uint32_t slots, struct err *err)
{
    struct buf head;
    buf_init(&head, HEAD_SIZE);
    put_bytes(&head, magic);
    put_u32(&head, slots);
    while (head.len < 64 && !head.failed)
        buf_add_char(&head, '\0');
    bool done = !head.failed && ftruncate(r->fd, 0) == 0 &&
                ftruncate(r->fd, HEAD_SIZE + (off_t)slots * SLOT_SIZE) == 0 &&
                pwrite(r->fd, head.ptr, head.len, 0) == (ssize_t)head.len;
    int why = errno;
    buf_done(&head);
    r->slots = slots;
    return done ? ERR_NONE : err_errno(err, why, "%s cannot be written", path);
}

static struct ring *open_file(const char *path, int flags)
{
    struct ring *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return r;
}

static enum err_code finish_open(struct ring *r, enum err_code code, struct ring **ret)
{
    if (code) {
        ring_close(r);
        return code;
    }
    find_newest(r);
    *ret = r;
    return ERR_NONE;
}

enum err_code ring_open(const char *path, uint32_t slots, struct ring **ret, struct err *err)
{
    ASSERT(slots > 0 && slots <= RING_SLOTS_MAX);
    struct ring *r = open_file(path, O_RDWR | O_CREAT);
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    enum err_code code = r->fd < 0 ? err_errno(err, errno, "%s cannot be opened", path) : ERR_NONE;
    if (!code && (!read_head(r) || r->slots != slots))
        code = begin_anew(r, path, slots, err);
    return finish_open(r, code, ret);
}

enum err_code ring_open_read(const char *path, struct ring **ret, struct err *err)
{
    struct ring *r = open_file(path, O_RDONLY);
    enum err_code code = ERR_NONE;
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (r->fd < 0)
        code = errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "%s is not there", path)
               : errno == EACCES
                   ? err_set(err, ERR_DENIED, "%s may be read by root and the server's user only", path)
                   : err_errno(err, errno, "%s cannot be opened", path);
    else if (!read_head(r))
        code = err_set(err, ERR_INVALID, "%s is no ring of records", path);
    return finish_open(r, code, ret);
}

void ring_close(struct ring *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

/* ---- records ---- */

enum err_code ring_add(struct ring *r, struct span key, struct span record, struct err *err)
{
    char page[SLOT_SIZE];
    const struct slot s = {.sequence = r->newest + 1,
                           .key = span_head(key, RING_KEY_MAX),
                           .record = span_head(record, RING_RECORD_MAX)};
    print_slot(&s, page);
    if (pwrite(r->fd, page, SLOT_SIZE, place(r, s.sequence)) != SLOT_SIZE)
        return err_errno(err, errno, "a record cannot be written");
    r->newest = s.sequence;
    return ERR_NONE;
}

enum err_code ring_visit(struct ring *r, bool (*visit)(void *context, struct span key, struct span record),
                         void *context, struct err *err)
{
    char page[SLOT_SIZE];
    struct slot s;
    (void)err;
    uint64_t oldest = r->newest > r->slots ? r->newest - r->slots + 1 : 1;
    for (uint64_t i = r->newest; i >= oldest && i > 0; i--)
        if (read_slot(r, i, page, &s) && !visit(context, s.key, s.record))
            break;
    return ERR_NONE;
}

struct search {
    struct span key;
    struct buf *out;
    bool found;
};

static bool match(void *context, struct span key, struct span record)
{
    struct search *s = context;
    s->found = span_ieq(key, s->key);
    if (s->found)
        buf_add(s->out, record);
    return !s->found;
}

enum err_code ring_find(struct ring *r, struct span key, struct buf *out, struct err *err)
{
    struct search s = {key, out, false};
    enum err_code code = ring_visit(r, match, &s, err);
    if (!code && !s.found)
        code = err_set(err, ERR_NOT_FOUND, "%.*s is not among the last %u", SPAN_ARG(key), r->slots);
    return code;
}
