/*
 * embedded.c: the directory over SQLite, opened and closed. What it answers is in embedded_lookup.c, how it is
 * administered in embedded_admin.c.
 */
#include "directory/embedded.h"

#include "directory/embedded_internal.h"

#include <stdlib.h>

static void embedded_close(struct directory *d)
{
    struct embedded *e = (struct embedded *)d;
    sql_close(&e->reader); /* before the writer, which checkpoints as the last one */
    sql_close(&e->writer);
    free(e);
}

static const struct directory_ops embedded_ops = {
    .resolve = embedded_resolve,
    .account = embedded_account,
    .principal = embedded_principal,
    .identity = embedded_identity,
    .send_as = embedded_send_as,
    .close = embedded_close,
};

enum err_code directory_embedded_open(const char *path, struct directory **ret, struct err *err)
{
    struct err unwanted;
    err = err ? err : &unwanted;
    struct embedded *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the directory");
    e->base.ops = &embedded_ops;
    enum err_code code = sql_open(&e->writer, path, true, err);
    if (code == ERR_NONE)
        code = sql_open(&e->reader, path, false, err);
    if (code != ERR_NONE) {
        embedded_close(&e->base);
        return code;
    }
    *ret = &e->base;
    return ERR_NONE;
}

enum err_code directory_embedded_open_reader(const char *path, struct directory **ret, struct err *err)
{
    struct err unwanted;
    err = err ? err : &unwanted;
    struct embedded *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the directory");
    e->base.ops = &embedded_ops;
    enum err_code code = sql_open_reader(&e->reader, path, err);
    if (code != ERR_NONE) {
        embedded_close(&e->base);
        return code;
    }
    *ret = &e->base;
    return ERR_NONE;
}
