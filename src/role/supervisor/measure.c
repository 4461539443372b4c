/* measure.c: see measure.h. Small files of the kernel are read whole; nothing is kept. */
#include "role/supervisor/measure.h"

#include "base/num.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, PATH_ROOM = 1200, GROUP_DEPTH_MAX = 32 };

#define CGROUP "/sys/fs/cgroup"

/* ---- disks ---- */

struct pressure_reading measure_disk(const char *path)
{
    struct statvfs v;
    char parent[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    if (statvfs(path, &v) < 0) {
        int n = snprintf(parent, sizeof parent, "%.*s/.", slash ? (int)(slash - path) : 0, path);
        if (!slash || n < 0 || (size_t)n >= sizeof parent || statvfs(parent, &v) < 0)
            return (struct pressure_reading){0};
    }
    bool no_inode = v.f_files && !v.f_favail;
    return (struct pressure_reading){.known = true,
                                     .value = no_inode ? 0 : (uint64_t)v.f_bavail * v.f_frsize,
                                     .total = (uint64_t)v.f_blocks * v.f_frsize};
}

struct pressure_reading measure_worse(struct pressure_reading a, struct pressure_reading b)
{
    if (!a.known || !b.known)
        return a.known ? a : b;
    return a.value <= b.value ? a : b;
}

/* ---- memory ---- */

/* A view of the buffer; empty when the file cannot be read. */
static struct span read_text(const char *path, char buffer[TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buffer, TEXT_MAX);
    if (fd >= 0)
        close(fd);
    return span_make(buffer, n > 0 ? (size_t)n : 0);
}

static bool number(struct span text, uint64_t *ret)
{
    return num_parse_u64(span_trim(text), UINT64_MAX, ret);
}

uint64_t measure_statm(struct span text)
{
    struct span word;
    uint64_t pages[3];
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (!span_split(&text, ' ', &word) || !number(word, &pages[i]))
            return 0;
    return pages[1] > pages[2] ? pages[1] - pages[2] : 0;
}

uint64_t measure_limit(struct span text)
{
    uint64_t bytes;
    return number(text, &bytes) ? bytes : UINT64_MAX;
}

static uint64_t limit_of(const char *path)
{
    char buffer[TEXT_MAX];
    return measure_limit(read_text(path, buffer));
}

/*
 * The least limit of a group and of those above it, each of which may have one. The root is asked as well: a
 * container sees its own group there.
 */
static uint64_t least_limit(const char *base, struct span group, const char *file)
{
    char path[TEXT_MAX + 64];
    uint64_t least = UINT64_MAX;
    for (int depth = 0; depth < GROUP_DEPTH_MAX; depth++) {
        size_t slash = span_rfind(group, '/');
        snprintf(path, sizeof path, "%s%.*s/%s", base, SPAN_ARG(group), file);
        uint64_t here = limit_of(path);
        if (here < least)
            least = here;
        if (!group.len)
            break;
        group = span_head(group, slash == SIZE_MAX ? 0 : slash);
    }
    return least;
}

bool measure_group(struct span line, bool *ret_unified, struct span *ret_path)
{
    struct span number, controllers, word;
    if (!span_split(&line, ':', &number) || !span_split(&line, ':', &controllers) || !span_starts(line, SPAN("/")))
        return false;
    bool memory = controllers.len == 0;
    *ret_unified = memory;
    while (!memory && span_split(&controllers, ',', &word))
        memory = span_eq(word, SPAN("memory"));
    *ret_path = line.len == 1 ? SPAN("") : line;
    return memory;
}

/* Version 2 has one tree of groups, version 1 one for memory; where both are there either may limit us. */
static uint64_t group_limit(void)
{
    char buffer[TEXT_MAX];
    struct span rest = read_text("/proc/self/cgroup", buffer), line, unified = SPAN(""), memory = SPAN(""), path;
    bool is_unified;
    while (span_split(&rest, '\n', &line))
        if (measure_group(line, &is_unified, &path))
            *(is_unified ? &unified : &memory) = path;
    uint64_t two = least_limit(CGROUP, unified, "memory.max"),
             one = least_limit(CGROUP "/memory", memory, "memory.limit_in_bytes");
    return two < one ? two : one;
}

struct pressure_reading measure_memory(const pid_t *pids, size_t count)
{
    struct sysinfo info;
    char path[64], buffer[TEXT_MAX];
    long page = sysconf(_SC_PAGESIZE);
    struct pressure_reading r = {0};
    if (sysinfo(&info) < 0 || page <= 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/proc/%ld/statm", (long)pids[i]);
        r.value += measure_statm(read_text(path, buffer)) * (uint64_t)page;
    }
    uint64_t limit = group_limit();
    r.total = (uint64_t)info.totalram * info.mem_unit;
    if (limit < r.total)
        r.total = limit;
    r.known = true;
    return r;
}
