/*
 * local_user.c: the names of this machine's users, from /etc/passwd itself: the name service would load code and
 * open sockets, neither of which this process may. Users whom only it knows go by their numbers.
 */
#include "role/directory/internal.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <pwd.h>
#include <stdio.h>

static enum err_code find(uint32_t uid, struct buf *name)
{
    char room[4096];
    struct passwd entry, *found;
    FILE *f = fopen("/etc/passwd", "re");
    enum err_code code = f ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
    while (code == ERR_NOT_FOUND && fgetpwent_r(f, &entry, room, sizeof room, &found) == 0)
        if (found->pw_uid == uid) {
            buf_add(name, span_of(found->pw_name));
            code = ERR_NONE;
        }
    if (f)
        fclose(f);
    return code;
}

void local_user_serve(struct link *link, const struct frame *f)
{
    CLEANUP(buf_done) struct buf answer;
    CLEANUP(buf_done) struct buf name;
    struct cursor c = cursor_of(f->body);
    uint32_t uid = cursor_u32(&c);
    buf_init(&answer, 1024);
    buf_init(&name, DIRECTORY_NAME_MAX);
    enum err_code code = cursor_done(&c) ? find(uid, &name) : ERR_INVALID;
    put_u8(&answer, (uint8_t)code);
    put_bytes(&answer, buf_span(&name));
    code = link_send(link, f->type | LINK_ANSWER, f->id, buf_span(&answer), NULL, 0);
    if (code && code != ERR_UNAVAILABLE)
        log_text(LOG_ERROR, "answer-lost", "the name of user %lu", (unsigned long)uid);
}
