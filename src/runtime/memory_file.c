/* memory_file.c: memfd_create, write, seal; and the reader's side, which insists on the seals. */
#include "runtime/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const int SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
static const int SIZE_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;

enum err_code memory_file_make(const char *name, struct span bytes, int *ret_fd, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_errno(err, errno, "cannot make a memory file");
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = write(fd, bytes.ptr + at, bytes.len - at);
        if (n < 0 && errno != EINTR) {
            enum err_code code = err_errno(err, errno, "cannot fill a memory file of %zu bytes", bytes.len);
            close(fd);
            return code;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        enum err_code code = err_errno(err, errno, "cannot seal a memory file");
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return ERR_NONE;
}

enum err_code memory_file_map(int fd, size_t max, struct span *ret, struct err *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0)
        return err_set(err, ERR_INVALID, "what was handed over is not a sealed memory file");
    if (st.st_size <= 0 || (uint64_t)st.st_size > max)
        return err_set(err, ERR_INVALID, "the memory file has %lld bytes, at most %zu are expected",
                       (long long)st.st_size, max);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(err, errno, "cannot map a memory file");
    *ret = span_make(p, (size_t)st.st_size);
    return ERR_NONE;
}

void memory_file_unmap(struct span mapped)
{
    if (mapped.ptr)
        munmap((void *)(uintptr_t)mapped.ptr, mapped.len);
}

enum err_code memory_file_make_shared(const char *name, size_t size, int *ret_fd, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_errno(err, errno, "cannot make a memory file");
    if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, SIZE_SEALS) < 0) {
        enum err_code code = err_errno(err, errno, "cannot make a memory file of %zu bytes", size);
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return ERR_NONE;
}

static enum err_code map_sized(int fd, size_t size, int protection, void **ret, struct err *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS || fstat(fd, &st) < 0 || st.st_size < 0 ||
        (size_t)st.st_size != size)
        return err_set(err, ERR_INVALID, "what was handed over is no shared memory of %zu bytes", size);
    void *p = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(err, errno, "cannot map a memory file");
    *ret = p;
    return ERR_NONE;
}

enum err_code memory_file_map_shared(int fd, size_t size, void **ret, struct err *err)
{
    return map_sized(fd, size, PROT_READ | PROT_WRITE, ret, err);
}

/* F_SEAL_FUTURE_WRITE leaves the mapping that is there alone; without F_SEAL_SEAL it could still be added. */
enum err_code memory_file_make_published(const char *name, size_t size, int *ret_fd, void **ret_memory,
                                         struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *p = MAP_FAILED;
    if (fd < 0)
        return err_errno(err, errno, "cannot make a memory file");
    if (ftruncate(fd, (off_t)size) < 0 ||
        (p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED ||
        fcntl(fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_FUTURE_WRITE) < 0) {
        enum err_code code = err_errno(err, errno, "cannot make a memory file of %zu bytes", size);
        if (p != MAP_FAILED)
            munmap(p, size);
        close(fd);
        return code;
    }
    *ret_fd = fd;
    *ret_memory = p;
    return ERR_NONE;
}

enum err_code memory_file_map_published(int fd, size_t size, const void **ret, struct err *err)
{
    void *p;
    enum err_code code = map_sized(fd, size, PROT_READ, &p, err);
    if (!code)
        *ret = p;
    return code;
}
