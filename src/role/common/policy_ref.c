/*
 * policy_ref.c: reference-counted policy mappings of one process (single-threaded: counts need no atomics).
 *
 * Invariant: a block is used only after policy_open checked all of it, and only as long as its mapping lives.
 */
#include "role/common/policy_ref.h"

#include "base/cursor.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <stdlib.h>
#include <unistd.h>

enum { POLICY_BLOCK_MAX = 256 * 1024 * 1024 };

struct policy_ref {
    unsigned count;
    uint64_t version;
    struct span mapped;
    struct policy *policy;
};

static struct policy_ref *current;

void policy_ref_drop(struct policy_ref *r)
{
    if (!r || --r->count > 0)
        return;
    policy_close(r->policy);
    memory_file_unmap(r->mapped);
    free(r);
}

struct policy_ref *policy_ref_take(struct policy_ref *r)
{
    r->count++;
    return r;
}

struct policy_ref *policy_ref_current(void)
{
    return current ? policy_ref_take(current) : NULL;
}

const struct policy *policy_ref_policy(const struct policy_ref *r)
{
    return r->policy;
}

uint64_t policy_ref_version(const struct policy_ref *r)
{
    return r->version;
}

static enum err_code open_block(int fd, uint64_t version, struct policy_ref **ret, struct err *err)
{
    struct policy_ref *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    enum err_code code = memory_file_map(fd, POLICY_BLOCK_MAX, &r->mapped, err);
    if (!code)
        code = policy_open(r->mapped, &r->policy, err);
    if (code) {
        memory_file_unmap(r->mapped);
        free(r);
        return code;
    }
    r->count = 1;
    r->version = version;
    *ret = r;
    return ERR_NONE;
}

enum err_code policy_ref_publish(struct frame *f, struct err *err)
{
    struct cursor c = cursor_of(f->body);
    uint64_t version = cursor_u64(&c);
    if (!cursor_done(&c) || f->fd_count != 1)
        return err_set(err, ERR_INVALID, "a malformed policy message");
    int fd = frame_take_fd(f, 0);
    struct policy_ref *fresh = NULL;
    enum err_code code = open_block(fd, version, &fresh, err);
    close(fd);
    if (code)
        return code;
    policy_ref_drop(current);
    current = fresh;
    struct log_line l = log_begin(LOG_INFO, "policy");
    log_int(&l, "version", (int64_t)version);
    log_int(&l, "bytes", (int64_t)fresh->mapped.len);
    log_end(&l);
    return ERR_NONE;
}
