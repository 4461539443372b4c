/*
 * companions.c: recipients of one mail that are the same mailbox under several addresses. The first is sent, for
 * the others it is enough to share what becomes of it.
 *
 * Invariant: a companion waits in the list of a mailbox whose first recipient is in hand and undecided; every
 * verdict on that one is a verdict on them (companions_add), and when it is routed anew so are they.
 */
#include "role/queue/transport.h"

static struct shared_mailbox *find_or_add(struct mail *m, struct span address)
{
    struct shared_mailbox *b = ARENA_NEW(&m->arena, struct shared_mailbox);
    ASSERT(b);
    *b = (struct shared_mailbox){.address = arena_dup(&m->arena, address)};
    ASSERT(b->address.ptr);
    return (struct shared_mailbox *)address_set_enter(&m->mailboxes, &b->address);
}

/* The same for another recipient. A copy that was delivered is the other's as well, whoever took it. */
static struct verdict shared(const struct verdict *v, struct recipient *r)
{
    struct verdict copy = *v;
    if (v->kind == VERDICT_DELIVERED)
        copy = (struct verdict){.kind = VERDICT_DELIVERED,
                                .status = SPAN("2.1.5"),
                                .text = SPAN("the same mailbox as another recipient's")};
    copy.recipient = r;
    copy.next = NULL;
    return copy;
}

enum companion companions_join(struct recipient *r, struct span mailbox, struct verdict *ret_decided)
{
    struct shared_mailbox *b = find_or_add(r->mail, mailbox);
    r->mailbox = b;
    if (b->decided) {
        *ret_decided = shared(b->decided, r);
        return COMPANION_DECIDED;
    }
    if (!b->first)
        b->first = r;
    if (b->first == r)
        return COMPANION_FIRST;
    r->destination = b->first->destination;
    r->next = b->companions;
    b->companions = r;
    return COMPANION_WAITS;
}

static struct verdict *copy_verdict(struct arena *a, const struct verdict *v)
{
    struct verdict *copy = ARENA_NEW(a, struct verdict);
    ASSERT(copy);
    *copy = *v;
    copy->status = arena_dup(a, v->status);
    copy->text = arena_dup(a, v->text);
    copy->remote = arena_dup(a, v->remote);
    copy->remote_ip = arena_dup(a, v->remote_ip);
    ASSERT(copy->status.ptr && copy->text.ptr && copy->remote.ptr && copy->remote_ip.ptr);
    return copy;
}

const struct verdict *companions_add(struct mail *m, const struct verdict *list)
{
    const struct verdict *all = list;
    for (const struct verdict *v = list; v; v = v->next) {
        struct shared_mailbox *b = v->recipient->mailbox;
        if (!b || b->first != v->recipient)
            continue;
        b->decided = copy_verdict(&m->arena, v);
        for (struct recipient *r; (r = b->companions);) {
            b->companions = r->next;
            struct verdict mine = shared(b->decided, r), *added = copy_verdict(&m->arena, &mine);
            r->next = NULL;
            if (v->kind == VERDICT_DELIVERED)
                r->destination = NULL; /* it did not go there itself */
            added->next = all;
            all = added;
        }
    }
    return all;
}

struct recipient *companions_part(struct recipient *r)
{
    struct shared_mailbox *b = r->mailbox;
    r->mailbox = NULL;
    if (!b || b->first != r)
        return NULL;
    struct recipient *list = b->companions;
    b->first = b->companions = NULL;
    for (struct recipient *c = list; c; c = c->next)
        c->mailbox = NULL;
    return list;
}
