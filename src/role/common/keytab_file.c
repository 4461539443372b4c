/* keytab_file.c: see keytab_file.h. Invariant: bytes that are not kept are wiped. */
#include "role/common/keytab_file.h"

#include "role/common/state.h"
#include "sasl/keytab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The whole file, or one octet more than a keytab may have. Reserved at once, so that no copy is left behind.
 * errno. */
static bool read_all(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    char *p = buf_reserve(out, KEYTAB_FILE_MAX + 1);
    ssize_t n = p ? 1 : -1;
    int failure = p ? 0 : ENOMEM;
    while (n > 0 && out->len <= KEYTAB_FILE_MAX) {
        n = read(fd, out->ptr + out->len, KEYTAB_FILE_MAX + 1 - out->len);
        if (n > 0)
            buf_commit(out, (size_t)n);
        else if (n < 0)
            failure = errno;
    }
    close(fd);
    errno = failure;
    return !failure;
}

static void describe(struct keytab_file *k)
{
    struct buf text;
    struct err err = {0};
    buf_init(&text, KEYTAB_TEXT_MAX - 1);
    k->usable = keytab_describe(buf_span(&k->bytes), &text, &err) == ERR_NONE;
    if (k->usable)
        snprintf(k->text, sizeof k->text, "%.*s", SPAN_ARG(buf_span(&text)));
    else
        snprintf(k->text, sizeof k->text, KEYTAB_FILE_NAME " %s", err.text);
    buf_done(&text);
}

void keytab_file_read(const char *state, struct keytab_file *ret)
{
    char path[STATE_PATH_MAX + 64];
    struct err err = {0};
    *ret = (struct keytab_file){.unknown = false};
    buf_init(&ret->bytes, KEYTAB_FILE_MAX + 1);
    if (state_path(state, KEYTAB_FILE_NAME, path, sizeof path, &err)) {
        snprintf(ret->text, sizeof ret->text, "%s", err.text);
        return;
    }
    if (read_all(path, &ret->bytes)) {
        describe(ret);
    } else if (errno == ENOENT) {
        ret->absent = true;
        snprintf(ret->text, sizeof ret->text, "there is no " KEYTAB_FILE_NAME);
    } else {
        ret->unknown = true;
        err_errno(&err, errno, "cannot read %s%s", path, errno == EACCES ? " (root can, as with sudo)" : "");
        snprintf(ret->text, sizeof ret->text, "%s", err.text);
    }
    if (!ret->usable)
        keytab_file_done(ret);
}

void keytab_file_done(struct keytab_file *k)
{
    buf_wipe(&k->bytes);
}
