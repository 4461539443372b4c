/*
 * compile.c: building a policy block. Each section grows in a buffer of its own; at the end they are joined, sorted
 * in place and summed. What comes out is sound by construction, and policy_open checks it all the same.
 */
#include "policy/compile.h"

#include "policy/compile_internal.h"

#include <stdlib.h>
#include <string.h>

enum { SECTION_MAX = 64 * 1024 * 1024 };

void compile_add(struct compiler *c, enum section s, const void *record)
{
    buf_add(&c->sections[s], span_make(record, block_record_size(s)));
}

uint32_t compile_count(const struct compiler *c, enum section s)
{
    return (uint32_t)(c->sections[s].len / block_record_size(s));
}

struct policy_text compile_text(struct compiler *c, struct span s)
{
    struct buf *texts = &c->sections[SECTION_TEXT];
    struct policy_text *memo = &c->memo[span_ihash(s) % COMPILE_MEMO];
    if (s.len == memo->len && !texts->failed &&
        span_eq(s, span_head(span_from(buf_span(texts), memo->offset), s.len)))
        return *memo;
    *memo = (struct policy_text){(uint32_t)texts->len, (uint32_t)s.len};
    buf_add(texts, s);
    return *memo;
}

struct policy_text compile_lower_text(struct compiler *c, struct span s)
{
    struct buf *texts = &c->sections[SECTION_TEXT];
    struct policy_text t = {(uint32_t)texts->len, (uint32_t)s.len};
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(texts, ascii_lower(s.ptr[i]));
    return t;
}

static int by_connector(const void *a, const void *b)
{
    const struct compile_permission *x = a, *y = b;
    return span_icmp(x->connector, y->connector);
}

static void sort_permissions(struct compiler *c, const struct policy_input *in)
{
    c->permissions = calloc(in->permission_count ? in->permission_count : 1, sizeof *c->permissions);
    if (!c->permissions) {
        c->code = err_set(c->err, ERR_NO_MEMORY, "out of memory");
        return;
    }
    c->permission_count = in->permission_count;
    for (size_t i = 0; i < in->permission_count; i++)
        c->permissions[i] =
            (struct compile_permission){compile_string(c, in->permissions[i], "Connector"), in->permissions[i]};
    qsort(c->permissions, c->permission_count, sizeof *c->permissions, by_connector);
}

static void sort(struct policy *p, char *block, enum section s, struct policy_list l,
                 int (*order)(const void *, const void *, void *))
{
    char *records = block + p->header->sections[s].offset;
    if (l.count > 1)
        qsort_r(records + l.first * block_record_size(s), l.count, block_record_size(s), order, p);
}

/* Puts a joined block in order; the header is complete but for its checksum. */
static void sort_block(char *block, size_t size)
{
    struct policy p = {span_make(block, size), (const struct block_header *)(const void *)block};
    for (size_t i = 0; i < policy_receive_connector_count(&p); i++)
        sort(&p, block, SECTION_ACL, policy_receive_connector(&p, i)->acl, block_order_aces);
    for (size_t i = 0; i < policy_send_connector_count(&p); i++)
        sort(&p, block, SECTION_ACL, policy_send_connector(&p, i)->acl, block_order_aces);
    sort(&p, block, SECTION_ACL, policy_local_connector(&p)->acl, block_order_aces);
    struct policy_list ranges = {0, (uint32_t)block_count(&p, SECTION_RANGE_ORDER)};
    struct policy_list spaces = {0, (uint32_t)block_count(&p, SECTION_SPACE_ORDER)};
    struct policy_list domains = {0, (uint32_t)block_count(&p, SECTION_DOMAINS)};
    sort(&p, block, SECTION_RANGE_ORDER, ranges, block_order_ranges);
    sort(&p, block, SECTION_SPACE_ORDER, spaces, block_order_spaces);
    sort(&p, block, SECTION_DOMAINS, domains, block_order_domains);
}

/* Equal domains stand beside each other in a sorted block. */
static enum err_code check_domains(struct compiler *c, const char *block, size_t size)
{
    struct policy p = {span_make(block, size), (const struct block_header *)(const void *)block};
    for (size_t i = 1; i < policy_accepted_domain_count(&p); i++) {
        const struct accepted_domain *a = policy_accepted_domain(&p, i - 1), *b = policy_accepted_domain(&p, i);
        if (block_order_domains(a, b, &p) == 0)
            return err_set(c->err, ERR_CONFLICT, "AcceptedDomain \"%.*s\" and \"%.*s\" have the same DomainName",
                           SPAN_ARG(policy_text(&p, a->name)), SPAN_ARG(policy_text(&p, b->name)));
    }
    return ERR_NONE;
}

static enum err_code join(struct compiler *c, uint64_t version, struct buf *out)
{
    struct block_header h = {.layout = BLOCK_LAYOUT, .version = version};
    size_t at = sizeof h;
    memcpy(h.magic, BLOCK_MAGIC, sizeof h.magic);
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        if (c->sections[s].failed)
            return err_set(c->err, ERR_LIMIT, "the policy is too large");
        h.sections[s] = (struct block_section){(uint32_t)at, compile_count(c, (enum section)s)};
        at = (at + c->sections[s].len + BLOCK_ALIGN - 1) & ~(size_t)(BLOCK_ALIGN - 1);
    }
    char *block = buf_reserve(out, at);
    if (!block)
        return err_set(c->err, ERR_LIMIT, "the policy is too large: it takes %zu bytes", at);
    memset(block, 0, at);
    for (unsigned s = 0; s < SECTION_COUNT; s++)
        if (c->sections[s].len)
            memcpy(block + h.sections[s].offset, c->sections[s].ptr, c->sections[s].len);
    h.size = (uint32_t)at;
    memcpy(block, &h, sizeof h);
    sort_block(block, at);
    enum err_code code = check_domains(c, block, at);
    if (code)
        return code;
    h.checksum = block_checksum(span_make(block + sizeof h, at - sizeof h));
    memcpy(block, &h, sizeof h);
    buf_commit(out, at);
    return ERR_NONE;
}

enum err_code policy_compile(const struct policy_input *in, uint64_t version, struct buf *out, struct err *err)
{
    ASSERT(out->len == 0);
    struct compiler c = {.err = err};
    for (unsigned s = 0; s < SECTION_COUNT; s++)
        buf_init(&c.sections[s], SECTION_MAX);
    sort_permissions(&c, in);
    for (size_t i = 0; i < in->receive_count; i++)
        compile_receive_connector(&c, in->receive_connectors[i]);
    for (size_t i = 0; i < in->domain_count; i++)
        compile_domain(&c, in->domains[i]);
    compile_local_connector(&c, in);
    for (size_t i = 0; i < in->send_count; i++)
        compile_send_connector(&c, in->send_connectors[i]);
    compile_settings(&c, in->server, in->config);
    if (!c.code)
        c.code = join(&c, version, out);
    for (unsigned s = 0; s < SECTION_COUNT; s++)
        buf_wipe(&c.sections[s]); /* passwords of smart hosts */
    free(c.permissions);
    return c.code;
}
