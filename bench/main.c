/*
 * main.c: smtp-load, the bench's SMTP load generator, its sink and the comparison of their ledgers.
 *
 * Prints one JSON object. Exit 0: all went as asked; 1: messages or sessions were not answered, or something is
 * lost, doubled or invented; 2: it could not run.
 */
#include "ledger.h"
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { OUT_MAX = 1 << 20 };

static enum err_code check(const struct options *o, struct buf *out, bool *ret_same, struct err *err)
{
    struct ledger acknowledged = {0}, received = {0};
    enum err_code code = ledger_read(&acknowledged, o->acknowledged, err);
    if (code == ERR_NONE)
        code = ledger_read(&received, o->received, err);
    if (code == ERR_NONE) {
        struct ledger_difference d = ledger_compare(&acknowledged, &received);
        *ret_same = d.lost + d.duplicates + d.unacknowledged == 0;
        buf_addf(out,
                 "{\"acknowledged\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64
                 ",\"duplicates\":%" PRIu64 ",\"unacknowledged\":%" PRIu64 "}\n",
                 acknowledged.different, received.different, d.lost, d.duplicates, d.unacknowledged);
    }
    ledger_done(&acknowledged);
    ledger_done(&received);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err;
    struct buf out;
    bool good = true;
    buf_init(&out, OUT_MAX);
    if (options_parse(argc, argv, &options, &err) != ERR_NONE) {
        options_usage(&out);
        fprintf(stderr, "smtp-load: %s\n%.*s", err.text, SPAN_ARG(buf_span(&out)));
        buf_done(&out);
        return 2;
    }
    enum err_code code = ERR_NONE;
    switch (options.mode) {
    case MODE_LOAD:
    case MODE_IDLE: code = load_run(&options, &out, &good, &err); break;
    case MODE_SINK: code = sink_run(&options, &out, &err); break;
    case MODE_CHECK: code = check(&options, &out, &good, &err); break;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    buf_done(&out);
    if (code != ERR_NONE) {
        fprintf(stderr, "smtp-load: %s\n", err.text);
        return 2;
    }
    return good ? 0 : 1;
}
