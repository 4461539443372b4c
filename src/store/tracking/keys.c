/* keys.c: by what a row is found. */
#include "store/tracking/internal.h"

enum { HASH_BITS = 47 }; /* what SQLite stores in six bytes */

uint64_t tracking_hash(enum tracking_key key, struct span text)
{
    uint64_t h = span_ihash(text) + (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd); /* MurmurHash3's finaliser: FNV's high bits are weak */
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (h ^ h >> 33) >> (64 - HASH_BITS);
}

static const struct {
    enum tracking_field field;
    enum tracking_key key;
    bool list;
} keys[] = {
    {TRACKING_MESSAGE_ID, TRACKING_KEY_MESSAGE, false},
    {TRACKING_INTERNAL_MESSAGE_ID, TRACKING_KEY_INTERNAL, false},
    {TRACKING_REFERENCE, TRACKING_KEY_REFERENCE, false},
    {TRACKING_SENDER_ADDRESS, TRACKING_KEY_SENDER, false},
    {TRACKING_RECIPIENT_ADDRESS, TRACKING_KEY_RECIPIENT, true},
    {TRACKING_RELATED_RECIPIENT_ADDRESS, TRACKING_KEY_RECIPIENT, true},
};

bool tracking_row_hashes(const struct tracking_row *r, tracking_hash_fn *each, void *context)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct span rest = r->field[keys[i].field], part = rest;
        bool several = keys[i].list && span_find(rest, TRACKING_JOIN) != SIZE_MAX;
        if (part.len && !each(context, tracking_hash(keys[i].key, part))) /* a quoted local part may have a ; */
            return false;
        while (several && span_split(&rest, TRACKING_JOIN, &part))
            if (part.len && !each(context, tracking_hash(keys[i].key, part)))
                return false;
    }
    return true;
}

bool tracking_has_recipient(struct span list, struct span recipient)
{
    struct span rest = list, part;
    if (span_ieq(list, recipient))
        return true;
    while (span_split(&rest, TRACKING_JOIN, &part))
        if (span_ieq(part, recipient))
            return true;
    return false;
}
