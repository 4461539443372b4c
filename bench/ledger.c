/* ledger.c: a counter for each number, grown by doubling. */
#include "ledger.h"

#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 4096 };

void ledger_done(struct ledger *l)
{
    free(l->times);
    *l = (struct ledger){0};
}

enum err_code ledger_add(struct ledger *l, uint64_t number, struct err *err)
{
    if (number >= LEDGER_MAX)
        return err_set(err, ERR_LIMIT, "message number %" PRIu64 ": a ledger holds numbers below %d", number,
                       LEDGER_MAX);
    if (number >= l->room) {
        uint64_t room = l->room ? l->room : ROOM_MIN;
        while (room <= number)
            room *= 2;
        uint8_t *times = realloc(l->times, room);
        if (!times)
            return err_set(err, ERR_NO_MEMORY, "no memory for a ledger of %" PRIu64 " ids", room);
        memset(times + l->room, 0, room - l->room);
        l->times = times;
        l->room = room;
    }
    l->all++;
    l->different += l->times[number] == 0;
    l->times[number] = (uint8_t)(l->times[number] + (l->times[number] < UINT8_MAX));
    return ERR_NONE;
}

enum err_code ledger_write(const struct ledger *l, const char *path, struct err *err)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return err_errno(err, errno, "%s", path);
    for (uint64_t n = 0; n < l->room; n++)
        for (unsigned i = 0; i < l->times[n]; i++)
            fprintf(f, "%" PRIu64 "\n", n);
    bool bad = ferror(f);
    if (fclose(f) != 0 || bad)
        return err_errno(err, errno, "writing %s", path);
    return ERR_NONE;
}

enum err_code ledger_read(struct ledger *l, const char *path, struct err *err)
{
    FILE *f = fopen(path, "r");
    char line[32];
    enum err_code code = ERR_NONE;
    if (!f)
        return err_errno(err, errno, "%s", path);
    while (code == ERR_NONE && fgets(line, sizeof line, f)) {
        uint64_t n;
        if (num_parse_u64(span_trim(span_of(line)), UINT64_MAX, &n))
            code = ledger_add(l, n, err);
        else
            code = err_set(err, ERR_INVALID, "%s: `%.20s` is no message number", path, line);
    }
    if (code == ERR_NONE && ferror(f))
        code = err_errno(err, errno, "reading %s", path);
    fclose(f);
    return code;
}

static unsigned times_of(const struct ledger *l, uint64_t n)
{
    return n < l->room ? l->times[n] : 0;
}

struct ledger_difference ledger_compare(const struct ledger *acknowledged, const struct ledger *received)
{
    struct ledger_difference d = {.duplicates = received->all - received->different};
    uint64_t room = acknowledged->room > received->room ? acknowledged->room : received->room;
    for (uint64_t n = 0; n < room; n++) {
        bool said = times_of(acknowledged, n) > 0, here = times_of(received, n) > 0;
        d.lost += said && !here;
        d.unacknowledged += here && !said;
    }
    return d;
}
