/*
 * limit.h: how a refusal names the limit behind it, in the reply and in the log, so that nobody has to guess which
 * of several it was: NAME VALUE of "CONNECTOR", or NAME VALUE of the organisation.
 */
#pragma once

#include "base/arena.h"
#include "base/value.h"

struct smtp_limit {
    struct span name; /* the property: MaxRecipientsPerMessage */
    struct value value;
    struct span connector; /* whose it is; empty: the organisation's */
};

void smtp_limit_print(struct buf *out, const struct smtp_limit *l);
/*
 * The text of a reply with the limit behind it in brackets, in the arena. When that is full, the text alone. It is
 * not cut here (a connector's name has at most 64 characters); smtp_reply_print keeps every reply to its line.
 */
struct span smtp_limit_text(struct arena *arena, struct span text, const struct smtp_limit *l);
