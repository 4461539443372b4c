/*
 * disk.c: see disk.h. The calls below have the names of the C library's. They do what those do, by the system call,
 * after asking meet_fault() and before telling record().
 *
 * Invariants: only what lies in the watched folder is counted, recorded and failed; errno is the call's own.
 */
#undef _FORTIFY_SOURCE /* its wrappers of open() and others would be defined twice */
#include "disk.h"

#include "base/arena.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, FILES_MAX = 4096, OPS_MAX = 200000 };

static struct {
    char folder[PATH_BYTES];
    size_t folder_len; /* 0: nothing is watched */
    struct arena arena;
    struct disk_op *ops;
    size_t count;
    ino_t inodes[FILES_MAX]; /* of file i + 1 */
    unsigned files;
    bool recording;
    enum disk_fault fault;
    size_t countdown; /* changes until the fault; 0: it was met, or none is wanted */
    bool failed;      /* it was met */
    bool ever_failed;
} disk;

const char *disk_fault_name(enum disk_fault f)
{
    static const char *const names[DISK_FAULTS] = {
        [DISK_SOUND] = "sound", [DISK_FAILS] = "fails",           [DISK_TEARS] = "tears",
        [DISK_FULL] = "full",   [DISK_STAYS_FULL] = "stays full", [DISK_DIES] = "dies",
    };
    return names[f];
}

void disk_watch(const char *folder)
{
    disk_unwatch();
    disk.folder_len = strlen(folder);
    assert_true(disk.folder_len < sizeof disk.folder);
    memcpy(disk.folder, folder, disk.folder_len + 1);
    arena_init(&disk.arena, 0);
    disk.ops = calloc(OPS_MAX, sizeof *disk.ops);
    assert_non_null(disk.ops);
    disk.recording = true;
}

void disk_unwatch(void)
{
    arena_clear(&disk.arena);
    free(disk.ops);
    memset(&disk, 0, sizeof disk);
}

struct disk_log disk_record(void)
{
    return (struct disk_log){disk.ops, disk.count};
}

void disk_fail(size_t n, enum disk_fault fault)
{
    disk.countdown = n;
    disk.fault = fault;
    disk.failed = false;
}

void disk_heal(void)
{
    disk_fail(0, DISK_SOUND);
}

bool disk_has_failed(void)
{
    return disk.ever_failed;
}

void disk_stop(void)
{
    disk.recording = false;
}

static void record(struct disk_op op)
{
    if (!disk.recording)
        return;
    assert_true(disk.count < OPS_MAX);
    op.data = arena_dup(&disk.arena, op.data);
    op.name = arena_dup(&disk.arena, op.name);
    disk.ops[disk.count++] = op;
}

void disk_mark(uint64_t number)
{
    record((struct disk_op){.kind = DISK_MARK, .at = number});
}

/* ---- what is in the folder ---- */

/* The name below the folder of an absolute path; false: it lies elsewhere. */
static bool inside(const char *path, struct span *ret)
{
    if (!disk.folder_len || strncmp(path, disk.folder, disk.folder_len) != 0)
        return false;
    const char *rest = path + disk.folder_len;
    if (*rest != '/' && *rest != '\0')
        return false;
    *ret = span_of(*rest ? rest + 1 : rest);
    return true;
}

/* The path of a descriptor; false: it has none that counts. */
static bool path_of_fd(int fd, char out[static PATH_BYTES])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlink, link, out, PATH_BYTES - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The path that a call with a folder's descriptor means. */
static bool path_at(int folder, const char *path, char out[static PATH_BYTES])
{
    char base[PATH_BYTES] = "";
    if (path[0] != '/' && folder != AT_FDCWD && !path_of_fd(folder, base))
        return false;
    const char *between = base[0] ? "/" : "";
    return snprintf(out, PATH_BYTES, "%s%s%s", base, between, path) < PATH_BYTES;
}

static bool inside_at(int folder, const char *path, char out[static PATH_BYTES], struct span *ret)
{
    return disk.folder_len && path_at(folder, path, out) && inside(out, ret);
}

/* The number of an open file in the folder; 0: it is not there, or is a folder. */
static unsigned file_of(int fd)
{
    char path[PATH_BYTES];
    struct span name;
    struct stat st;
    if (!disk.folder_len || !path_of_fd(fd, path) || !inside(path, &name) || fstat(fd, &st) < 0 ||
        !S_ISREG(st.st_mode))
        return 0;
    for (unsigned i = disk.files; i > 0; i--)
        if (disk.inodes[i - 1] == st.st_ino)
            return i;
    return 0;
}

static unsigned add_file(int fd)
{
    struct stat st;
    assert_true(disk.files < FILES_MAX && fstat(fd, &st) == 0);
    disk.inodes[disk.files++] = st.st_ino;
    return disk.files;
}

/* ---- faults ---- */

/* Whether this change fails, with errno set; *ret_torn: a write whose first half is to be done. */
static bool meet_fault(bool takes_space, bool *ret_torn)
{
    *ret_torn = false;
    if (disk.countdown > 0 && --disk.countdown == 0)
        disk.failed = disk.ever_failed = true;
    else if (!disk.failed || (disk.fault != DISK_STAYS_FULL && disk.fault != DISK_DIES))
        return false;
    bool full = disk.fault == DISK_FULL || disk.fault == DISK_STAYS_FULL;
    if (disk.fault == DISK_SOUND || (disk.fault == DISK_STAYS_FULL && !takes_space))
        return false;
    *ret_torn = disk.fault == DISK_TEARS;
    errno = full && takes_space ? ENOSPC : EIO;
    return true;
}

static bool fails(bool takes_space)
{
    bool torn;
    return meet_fault(takes_space, &torn);
}

/* ---- the calls ---- */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    char whole[PATH_BYTES];
    struct span name;
    bool makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    if (!makes || !inside_at(folder, path, whole, &name))
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    bool there = (flags & O_CREAT) && syscall(SYS_faccessat, folder, path, F_OK) == 0;
    if (!there && fails(true))
        return -1;
    int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (fd < 0 || there)
        return fd;
    unsigned file = add_file(fd);
    if (flags & O_CREAT)
        record((struct disk_op){.kind = DISK_CREATE, .file = file, .name = name});
    return fd;
}

static mode_t mode_argument(int flags, va_list list)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_argument(flags, list);
    va_end(list);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_argument(flags, list);
    va_end(list);
    return open_at(folder, path, flags, mode);
}

static ssize_t write_at(int fd, const void *bytes, size_t n, off_t at, bool moves)
{
    unsigned file = file_of(fd);
    bool torn = false, failed = file && meet_fault(true, &torn);
    if (failed && !torn)
        return -1;
    int saved = errno;
    if (moves && file)
        at = lseek(fd, 0, SEEK_CUR);
    size_t wanted = torn ? n / 2 : n;
    long done = moves ? syscall(SYS_write, fd, bytes, wanted) : syscall(SYS_pwrite64, fd, bytes, wanted, at);
    if (file && done > 0)
        record((struct disk_op){
            .kind = DISK_WRITE, .file = file, .at = (uint64_t)at, .data = span_make(bytes, (size_t)done)});
    if (!failed)
        return done;
    errno = saved;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return write_at(fd, bytes, n, 0, true);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return write_at(fd, bytes, n, at, false);
}

int ftruncate(int fd, off_t length)
{
    unsigned file = file_of(fd);
    if (file && fails(false))
        return -1;
    int rc = (int)syscall(SYS_ftruncate, fd, length);
    if (file && rc == 0)
        record((struct disk_op){.kind = DISK_TRUNCATE, .file = file, .at = (uint64_t)length});
    return rc;
}

static int flush(int fd)
{
    char path[PATH_BYTES];
    struct span name;
    unsigned file = file_of(fd);
    if (!disk.folder_len || !path_of_fd(fd, path) || !inside(path, &name))
        return (int)syscall(SYS_fsync, fd);
    bool failed = fails(false);
    if (file)
        record((struct disk_op){.kind = failed ? DISK_FLUSH_FAILED : DISK_FLUSH, .file = file});
    else if (!failed)
        record((struct disk_op){.kind = DISK_FLUSH_FOLDER, .name = name});
    return failed ? -1 : 0;
}

int fsync(int fd)
{
    return flush(fd);
}

int fdatasync(int fd)
{
    return flush(fd);
}

int linkat(int from_folder, const char *from, int folder, const char *path, int flags)
{
    char whole[PATH_BYTES];
    struct span name;
    bool ours = inside_at(folder, path, whole, &name);
    if (ours && fails(true))
        return -1;
    int rc = (int)syscall(SYS_linkat, from_folder, from, folder, path, flags);
    if (!ours || rc < 0)
        return rc;
    int fd = (int)syscall(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC);
    record((struct disk_op){.kind = DISK_LINK, .file = file_of(fd), .name = name});
    close(fd);
    return rc;
}

int unlinkat(int folder, const char *path, int flags)
{
    char whole[PATH_BYTES];
    struct span name;
    bool ours = inside_at(folder, path, whole, &name);
    if (ours && fails(false))
        return -1;
    int rc = (int)syscall(SYS_unlinkat, folder, path, flags);
    if (ours && rc == 0)
        record((struct disk_op){.kind = DISK_UNLINK, .name = name});
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    char whole[PATH_BYTES];
    struct span name;
    bool ours = inside_at(folder, path, whole, &name);
    if (ours && syscall(SYS_faccessat, folder, path, F_OK) != 0 && fails(true))
        return -1;
    int rc = (int)syscall(SYS_mkdirat, folder, path, mode);
    if (ours && rc == 0)
        record((struct disk_op){.kind = DISK_MAKE_FOLDER, .name = name});
    return rc;
}
