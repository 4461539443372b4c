/* options.c: the command line, from a table a command; errors name the option and what would be right. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option *find(const struct cli_option *options, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq(span_of(options[i].name), name))
            return &options[i];
    return NULL;
}

static void unknown(const char *command, const char *given, const struct cli_option *options, size_t count)
{
    fprintf(stderr, "mailreeve %s: unknown option %s; known are", command, given);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s %s%s", i ? "," : "", options[i].name[1] ? "--" : "-", options[i].name);
    fprintf(stderr, "\n");
}

int cli_parse(int argc, char **argv, const struct cli_option *options, size_t count)
{
    int left = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        struct span arg = span_of(argv[i]);
        if (ended || arg.len < 2 || arg.ptr[0] != '-') {
            argv[++left] = argv[i];
            continue;
        }
        if (span_eq(arg, SPAN("--"))) {
            ended = true;
            continue;
        }
        struct span name = span_from(arg, span_starts(arg, SPAN("--")) ? 2 : 1);
        size_t eq = span_find(name, '=');
        const struct cli_option *o = find(options, count, span_head(name, eq));
        if (!o) {
            unknown(argv[0], argv[i], options, count);
            return -1;
        }
        if (o->flag && eq == SIZE_MAX) {
            *o->flag = true;
        } else if (o->flag || (eq == SIZE_MAX && i + 1 == argc)) {
            fprintf(stderr, "mailreeve %s: %s %s\n", argv[0], argv[i],
                    o->flag ? "takes no value" : "needs a value");
            return -1;
        } else {
            *o->value = eq == SIZE_MAX ? argv[++i] : name.ptr + eq + 1;
        }
    }
    return left;
}

const char *cli_state(const char *option)
{
    const char *env = getenv("MAILREEVE_STATE");
    return option ? option : env && *env ? env : "/var/lib/mailreeve";
}
