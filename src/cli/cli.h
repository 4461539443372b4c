/*
 * cli.h: the commands of the program `mailreeve`. Exit status, unless said otherwise: 0 done, 1 failed, 2 the
 * command line is wrong. Where 1 is an answer (audit), 3 says that there is none.
 */
#pragma once

#include "base/span.h"

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_IMPOSSIBLE = 3 };

struct cli_command {
    const char *name;
    const char *synopsis;              /* the arguments, for the usage line */
    const char *help;                  /* one line */
    const char *details;               /* what `mailreeve help NAME` adds */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int cli_audit(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_init(int argc, char **argv);
/* sendmail(1), which has exit statuses of its own (cli/sendmail.h); argv[0]: sendmail, mailq or newaliases. */
int cli_sendmail(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_shell(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_plan(int argc, char **argv); /* status as diff(1): 0 the same, 1 differences, 2 trouble */
int cli_apply(int argc, char **argv);
/* For the build: without arguments the names of the manual pages, with one of them that page on standard output. */
int cli_manual(int argc, char **argv, const struct cli_command *commands, size_t count);

/* One option of a command: `--name VALUE`, `--name=VALUE`, or `-c VALUE` where the name is one character. */
struct cli_option {
    const char *name;
    const char **value; /* set to the argument; NULL for a flag */
    bool *flag;         /* set when given; NULL for an option with a value */
};

/*
 * Parses the options; gives the number of positional arguments left in argv[1..], or -1 after an error was written
 * to standard error. "--" ends the options.
 */
int cli_parse(int argc, char **argv, const struct cli_option *options, size_t count);

/* --state, else $MAILREEVE_STATE, else /var/lib/mailreeve. */
const char *cli_state(const char *option);
