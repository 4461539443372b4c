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

/* Each group above ours may have a limit of its own. */
static uint64_t group_limit(void)
{
    char buffer[TEXT_MAX], path[TEXT_MAX + 64];
    uint64_t least = limit_of(CGROUP "/memory/memory.limit_in_bytes"), here; /* version 1 */
    struct span rest = read_text("/proc/self/cgroup", buffer), line, group = SPAN("/");
    while (span_split(&rest, '\n', &line))
        if (span_starts(line, SPAN("0::/")))
            group = span_from(line, 3);
    for (int depth = 0; depth < GROUP_DEPTH_MAX && group.len; depth++) {
        size_t slash = span_rfind(group, '/');
        snprintf(path, sizeof path, CGROUP "%.*s/memory.max", SPAN_ARG(group));
        if ((here = limit_of(path)) < least)
            least = here;
        group = span_head(group, slash == SIZE_MAX ? 0 : slash);
    }
    here = limit_of(CGROUP "/memory.max"); /* of a container that sees its own group as the root */
    return here < least ? here : least;
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
