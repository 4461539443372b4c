/* explain_client.c: see explain_client.h. */
#include "cli/explain_client.h"

#include "cli/explain_stores.h"
#include "role/common/state.h"
#include "tls/certificate_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { TRUST_MAX = 8 << 20 };

static enum err_code append_file(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        char *room = buf_reserve(out, 65536);
        n = room ? read(fd, room, 65536) : 0;
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    return n < 0 ? err_errno(err, saved, "cannot read %s", path) : ERR_NONE;
}

/* As the supervisor reads them (role/supervisor/keys.c). *ret stays NULL where there are none. */
static enum err_code read_trust(const char *state, struct tls_trust **ret, struct err *err)
{
    char folder[STATE_PATH_MAX + 64];
    struct buf pem;
    size_t files = 0;
    const char *bundle = tls_system_trust_path();
    buf_init(&pem, TRUST_MAX);
    enum err_code code = state_path(state, "certs", folder, sizeof folder, err);
    if (!code)
        code = certificate_folder_trust(folder, &pem, &files, err);
    if (!code && !files && bundle)
        code = append_file(bundle, &pem, err);
    if (!code && pem.len)
        code = tls_trust_new(buf_span(&pem), ret, err);
    buf_done(&pem);
    return code;
}

static bool names_domain(void *context, struct span domain)
{
    const struct explain_client *c = context;
    return tls_identity_names_domain(c->id, domain);
}

static void describe(const struct explain_client *c, const char *problem, struct arena *arena,
                     struct explain_session *session)
{
    struct span *names;
    size_t count = explain_certificate_names(c->id, arena, &names);
    session->certificate =
        arena_printf(arena, "%.*s%s, thumbprint %.*s%s%s", SPAN_ARG(count ? names[0] : SPAN("no name")),
                     count > 1 ? " and others" : "", SPAN_ARG(tls_identity_thumbprint(c->id)),
                     problem ? "; not trusted: " : "", problem ? problem : "");
}

enum err_code explain_client_read(struct explain_client *c, const char *file, const char *state,
                                  struct arena *arena, struct explain_session *session, struct err *err)
{
    struct buf pem = {0};
    struct tls_trust *trust = NULL;
    struct err why = {0};
    enum err_code code = certificate_file_read(file, &pem, err);
    if (!code)
        code = tls_identity_load_public(buf_span(&pem), &c->id, err);
    buf_wipe(&pem);
    if (code)
        return code;
    const char *problem =
        read_trust(state, &trust, &why) ? why.text : tls_trust_problem(trust, c->id, session->now_ms);
    describe(c, problem, arena, session);
    session->client = (struct gate_tls){.certificate = true,
                                        .trusted = !problem,
                                        .fingerprint = tls_identity_fingerprint(c->id),
                                        .names_domain = names_domain,
                                        .context = c};
    tls_trust_free(trust);
    return ERR_NONE;
}

void explain_client_free(struct explain_client *c)
{
    tls_identity_free(c->id);
    c->id = NULL;
}
