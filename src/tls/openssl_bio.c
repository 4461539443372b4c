/*
 * openssl_bio.c: the BIO between OpenSSL and a connection's two buffers, without the copy and the growth steps of
 * BIO_s_mem.
 *
 * Invariants: a read takes from in_at on and never moves the rest; when everything is read the memory is given
 * back, so that an idle connection holds none. An empty input means "later", never end of file: whether the stream
 * ended is the socket owner's knowledge.
 */
#include "tls/openssl.h"

#include <string.h>

static int bio_read(BIO *bio, char *to, size_t cap, size_t *ret_n)
{
    struct tls_conn *c = BIO_get_data(bio);
    size_t n = c->in.len - c->in_at;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (n > cap)
        n = cap;
    memcpy(to, c->in.ptr + c->in_at, n);
    c->in_at += n;
    if (c->in_at == c->in.len) {
        buf_done(&c->in);
        c->in_at = 0;
    }
    *ret_n = n;
    return 1;
}

static int bio_write(BIO *bio, const char *from, size_t n, size_t *ret_n)
{
    struct tls_conn *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_add(&c->out, span_make(from, n));
    if (c->out.failed)
        return 0;
    *ret_n = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* everything else is not supported, which is 0 */
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *tls_bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection buffers");
    if (!m)
        return NULL;
    if (!BIO_meth_set_read_ex(m, bio_read) || !BIO_meth_set_write_ex(m, bio_write) ||
        !BIO_meth_set_ctrl(m, bio_ctrl) || !BIO_meth_set_create(m, bio_create)) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

BIO *tls_bio_new(struct tls_conn *c)
{
    BIO *bio = BIO_new(c->ctx->bio);
    if (bio)
        BIO_set_data(bio, c);
    return bio;
}
