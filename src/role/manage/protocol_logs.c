/* protocol_logs.c: rows from events into files; see log_files.h for the files. */
#include "role/manage/protocol_logs.h"

#include "role/manage/events.h"
#include "role/manage/log_files.h"

static const struct log_format formats[] = {
    {"RECV", "SMTP Receive Protocol Log",
     "connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context"},
    {"SEND", "SMTP Send Protocol Log",
     "connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context"},
};

/* Each kind of event with its folder and the properties that limit it. */
static const struct {
    enum event_kind kind;
    const char *folder, *file_size, *folder_size, *age;
} logs[] = {
    {EVENT_PROTOCOL_RECEIVE, "log/ProtocolLog/SmtpReceive", "ReceiveProtocolLogMaxFileSize",
     "ReceiveProtocolLogMaxDirectorySize", "ReceiveProtocolLogMaxAge"},
    {EVENT_PROTOCOL_SEND, "log/ProtocolLog/SmtpSend", "SendProtocolLogMaxFileSize",
     "SendProtocolLogMaxDirectorySize", "SendProtocolLogMaxAge"},
};

static struct log_files *files[ARRAY_LEN(logs)];

static void take(void *context, const struct event *e)
{
    log_files_add(context, e->at_ms, e->field, PROTOCOL_FIELDS);
}

static void flush(void *context)
{
    log_files_flush(context);
}

enum err_code protocol_logs_open(const struct role *role, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        char path[1200];
        if (!role_state_path(role, logs[i].folder, path, sizeof path))
            return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
        files[i] = log_files_new(path, &formats[i]);
        if (!files[i])
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        events_subscribe(logs[i].kind, take, flush, files[i]);
    }
    return ERR_NONE;
}

static uint64_t size_of(const struct record *r, const char *property, int64_t otherwise)
{
    const struct value *v = record_get(r, span_of(property));
    return v && v->kind == VALUE_UNLIMITED ? UINT64_MAX : (uint64_t)record_int(r, span_of(property), otherwise);
}

void protocol_logs_configure(struct object_store *policy)
{
    struct arena a;
    struct record **servers;
    size_t count;
    arena_init(&a, 1 << 20);
    if (object_store_list(policy, SPAN("TransportServer"), &a, &servers, &count, NULL) == ERR_NONE && count == 1)
        for (size_t i = 0; i < ARRAY_LEN(logs); i++)
            log_files_limit(files[i], &(struct log_limits){
                                          .file_bytes = size_of(servers[0], logs[i].file_size, 10 << 20),
                                          .folder_bytes = size_of(servers[0], logs[i].folder_size, 250 << 20),
                                          .age_ms = record_int(servers[0], span_of(logs[i].age),
                                                               INT64_C(30) * 24 * 3600 * 1000),
                                      });
    arena_clear(&a);
}

void protocol_logs_close(void)
{
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        events_subscribe(logs[i].kind, NULL, NULL, NULL);
        log_files_free(files[i]);
        files[i] = NULL;
    }
}
