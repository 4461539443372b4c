/* serve.c: `mailreeve serve`. */
#include "base/ip.h"
#include "base/num.h"
#include "cli/cli.h"
#include "role/supervisor/supervisor.h"

#include <inttypes.h>
#include <stdio.h>

int cli_serve(int argc, char **argv)
{
    const char *state = NULL, *receivers = NULL, *console = NULL;
    char loopback[32];
    const struct cli_option options[] = {
        {"state", &state, NULL}, {"receivers", &receivers, NULL}, {"console", &console, NULL}};
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    struct ip_endpoint endpoint;
    uint32_t n = 0, port;
    if (left < 0)
        return CLI_USAGE;
    if (left > 0) {
        fprintf(stderr, "mailreeve serve: `%s` is too much; the state folder is given with --state\n", argv[1]);
        return CLI_USAGE;
    }
    if (receivers && (!num_parse_u32(span_of(receivers), 64, &n) || n == 0)) {
        fprintf(stderr, "mailreeve serve: --receivers %s: a number from 1 to 64 is expected\n", receivers);
        return CLI_USAGE;
    }
    if (console && num_parse_u32(span_of(console), UINT16_MAX, &port) && port > 0) {
        snprintf(loopback, sizeof loopback, "127.0.0.1:%" PRIu32, port);
        console = loopback;
    }
    if (console && !ip_parse_endpoint(span_of(console), &endpoint)) {
        fprintf(
            stderr,
            "mailreeve serve: --console %s: a port is expected, which is 127.0.0.1's, or an address with its port, "
            "such as 192.0.2.1:8025 or [::1]:8025\n",
            console);
        return CLI_USAGE;
    }
    struct supervisor_options o = {.state = cli_state(state), .console = console, .receivers = n};
    return supervisor_serve(&o);
}
