/*
 * watch.c: certificates that are replaced on disk are used from the next handshake on.
 *
 * The kernel tells of changes in certs/ and certs/trusted/; a look every LOOK_MS finds what it cannot tell of:
 * files behind symbolic links (as ACME clients make them), a folder on the network, one that came into being later.
 * A change is taken up when nothing more has happened for QUIET_MS, so that a pair that is being written is read
 * once.
 *
 * Invariants: a set is taken over whole or not at all (keys.c); what is refused is said once for each state of the
 * folder, and looked at again only when the folder has changed. `seen` is the folder's state at the last attempt.
 */
#include "role/supervisor/internal.h"

#include "runtime/log.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { QUIET_MS = 300, LOOK_MS = 5000, FILES_MAX = 2048 };

#define HASH_BASIS UINT64_C(0xcbf29ce484222325)

static uint64_t mix(uint64_t h, uint64_t n)
{
    h = (h ^ n) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

/* Sums, since a folder has no order. stat follows links, so a link's target counts. */
static uint64_t folder_state(const char *folder)
{
    uint64_t sum = HASH_BASIS;
    char path[2048];
    struct stat st;
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && n < FILES_MAX && (e = readdir(d)); n++) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof path || stat(path, &st) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        uint64_t h = mix(span_ihash(span_of(e->d_name)), (uint64_t)st.st_ino);
        h = mix(mix(h, (uint64_t)st.st_size), (uint64_t)st.st_mtim.tv_sec);
        h = mix(mix(h, (uint64_t)st.st_mtim.tv_nsec), (uint64_t)st.st_ctim.tv_nsec);
        sum += h;
    }
    if (d)
        closedir(d);
    return sum;
}

static uint64_t state_now(const struct supervisor *s)
{
    char certs[sizeof s->certs], trusted[sizeof s->certs + 16];
    snprintf(certs, sizeof certs, "%s/certs", s->state);
    snprintf(trusted, sizeof trusted, "%s/trusted", certs);
    return mix(folder_state(certs), folder_state(trusted));
}

void watch_note(struct supervisor *s)
{
    s->watch.seen = state_now(s);
}

enum err_code watch_load(struct supervisor *s, struct err *err)
{
    watch_note(s);
    if (keytab_load(s))
        keytab_hand_over_all(s);
    enum err_code code = keys_load(s, err);
    if (!code)
        keys_hand_over_all(s);
    return code;
}

static void take_up(struct supervisor *s)
{
    struct err err = {0};
    if (s->stopping || state_now(s) == s->watch.seen)
        return;
    if (watch_load(s, &err))
        log_text(LOG_ERROR, "certificates-refused",
                 "%s; the server goes on with the certificates that it had before", err.text);
    else
        log_text(LOG_NOTICE, "certificates-replaced", "%zu certificates are in use from now on", s->identity_count);
}

static void on_quiet(uv_timer_t *t)
{
    take_up(t->data);
}

static void on_change(uv_fs_event_t *h, const char *name, int events, int status)
{
    struct supervisor *s = h->data;
    (void)name;
    (void)events;
    (void)status;
    uv_timer_start(&s->watch.quiet, on_quiet, QUIET_MS, 0);
}

/* Not in the middle of a change that is waited for. */
static void on_look(uv_timer_t *t)
{
    struct supervisor *s = t->data;
    if (!uv_is_active((uv_handle_t *)&s->watch.quiet))
        take_up(s);
}

static void watch_folder(struct supervisor *s, uv_fs_event_t *h, const char *folder)
{
    uv_fs_event_init(&s->loop, h);
    h->data = s;
    int rc = uv_fs_event_start(h, on_change, folder, 0);
    if (rc < 0 && rc != UV_ENOENT)
        log_text(LOG_NOTICE, "no-watch", "changes of %s are noticed a few seconds late: %s", folder,
                 uv_strerror(rc));
}

void watch_start(struct supervisor *s)
{
    char trusted[sizeof s->certs + 16];
    snprintf(trusted, sizeof trusted, "%s/trusted", s->certs);
    watch_folder(s, &s->watch.folder, s->certs);
    watch_folder(s, &s->watch.trusted, trusted);
    uv_timer_init(&s->loop, &s->watch.quiet);
    uv_timer_init(&s->loop, &s->watch.look);
    s->watch.quiet.data = s->watch.look.data = s;
    uv_timer_start(&s->watch.look, on_look, LOOK_MS, LOOK_MS);
}
