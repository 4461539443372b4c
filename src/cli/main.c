/*
 * main.c: what the program is asked to be: a command of the table below, or, started by the supervisor under the
 * name "mailreeve: ROLE", one of the roles.
 */
#include "cli/cli.h"
#include "role/common/roles.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
    {"init", "--domain DOMAIN [--state DIR] [--hostname HOST] [--role hub|edge] [--port-offset N]",
     "make a state folder: default connectors, accepted domain, certificate",
     "  --domain DOMAIN     the first accepted domain, such as example.com\n"
     "  --hostname HOST     this server's full name; default mail.DOMAIN\n"
     "  --role hub|edge     hub (default) has mailboxes and users; edge relays to and from the Internet\n"
     "  --port-offset N     added to ports 25, 587 and 465, so that no root is needed: 2000 gives 2025, 2587, "
     "2465\n"
     "On a folder that is initialised already nothing is changed.\n",
     cli_init},
    {"serve", "[--state DIR] [--receivers N] [--console [ADDRESS:]PORT]", "run the server in the foreground",
     "Prints \"ready\" when it accepts mail, and tells systemd. SIGTERM lets sessions finish and ends it; SIGHUP "
     "reads\n"
     "certificates and node.conf again.\n"
     "  --receivers N       receive processes; default one per core\n"
     "  --console [ADDRESS:]PORT\n"
     "                      metrics for Prometheus, at http://ADDRESS:PORT/metrics; only this machine reaches "
     "them\n"
     "                      unless an ADDRESS is given. There is no password. Default: none\n",
     cli_serve},
    {"shell", "[--state DIR] [-c 'CMDLETS' | FILE]", "the management shell",
     "Interactive without -c and FILE. Works with the server running, and with it stopped. Begin with Get-Help.\n"
     "Exit status: 0 all went well, 1 a cmdlet failed, 2 the command line is wrong.\n",
     cli_shell},
    {"explain",
     "[--state DIR] --remote IP --local IP:PORT [--tls] [--user NAME [--mechanism M]] [--cert FILE]\n"
     "                         --from A --to B [--header-from X] [--helo NAME] [--size N] [--json]\n"
     "       mailreeve explain CODE [--state DIR] [--json]",
     "say what would happen to a message, and why",
     "Runs the SMTP session that these facts describe against the present policy, and shows which connector\n"
     "serves it, what EHLO offers, who the session is, each right and the entry that decided, every reply, the\n"
     "limits, the recipient's route, and for a refusal the commands that would allow it. Works with the server\n"
     "running and stopped; changes nothing.\n"
     "  --remote IP         the client's address\n"
     "  --local IP:PORT     the address and port that the client connects to\n"
     "  --tls               the client starts TLS: STARTTLS, or at once where the connector has ImplicitTls\n"
     "  --user NAME         the client logs on as this user; the password is taken to be right\n"
     "  --mechanism M       by GSSAPI (then NAME is a Kerberos principal, its ticket is taken to be right), LOGIN, "
     "PLAIN;\n"
     "                      default: PLAIN, or what is offered first\n"
     "  --cert FILE         the client's certificate (PEM); needs --tls\n"
     "  --from A            the sender in MAIL FROM; <> is the null sender\n"
     "  --to B              the recipient in RCPT TO\n"
     "  --header-from X     From in the message's header; default: as --from\n"
     "  --helo NAME         what EHLO says; default: the client's address in brackets\n"
     "  --size N            the message's size, such as 35MB; default: a small message\n"
     "  --json              the same facts as JSON (docs/explain.md)\n"
     "  CODE                instead of all these: the code at the end of a reply, mr-..., shows that refusal as "
     "it\n"
     "                      was, and how to ask the present policy\n"
     "What depends on the other sessions of the moment (numbers of connections, rates) is not known here, and\n"
     "the output says so.\n"
     "Exit status: 0 allowed, 1 refused (or the code is not known), 2 the command line is wrong,\n"
     "3 it cannot be said (the state cannot be read).\n",
     cli_explain},
    {"sendmail",
     "[--state DIR] [-t] [-i] [-f ADDRESS] [-F NAME] [-B 7BIT|8BITMIME] [-N never|LIST] [-R full|hdrs]\n"
     "                         [-V ENVID] [RECIPIENT...] | -bs | -bp",
     "send the message on standard input, as sendmail(1)",
     "What cron, PHP and mail programs call. Installed under the names sendmail and mailq it is just that:\n"
     "  ln -s mailreeve /usr/sbin/sendmail; ln -s mailreeve /usr/bin/mailq; ln -s mailreeve /usr/bin/newaliases\n"
     "The message is handed to the server by the socket submit.sock, where the user is known by the system; what\n"
     "that user may is in LocalSubmission (Set-TransportServer). Without a server it is left as a file, where the\n"
     "user may write to pickup/ or replay/ of the state folder, and sent when the server is back.\n"
     "  -t                  recipients from To, Cc and Bcc (Resent-To, ... where there are such); Bcc is removed;\n"
     "                      recipients of the command line are left out\n"
     "  -i, -oi             a line with a dot alone is text; without it, it ends the message\n"
     "  -f ADDRESS          the sender, which gets the reports; default: the user\n"
     "  -F NAME             the user's full name for a From that is missing\n"
     "  -N, -R, -V          when to report (RFC 3461: NOTIFY), what to return (RET), the envelope's ENVID\n"
     "  -B TYPE             7BIT or 8BITMIME (default)\n"
     "  -bs                 SMTP on standard input and output\n"
     "  -bp, mailq          list the queue: root and the server's user\n"
     "Other options of sendmail(1) are taken and ignored (-A -C -L -O -o -X -e -h -m -n -v -q -bi); unknown ones\n"
     "are errors. The message goes to all recipients or, when one is refused, to none.\n"
     "Exit status: 0 accepted, 64 the command line is wrong, 65 the message or an address is, 67 no such user, 68\n"
     "no such host, 69 refused for good, 74 it could not be read, 75 try again later, 77 not allowed.\n",
     cli_sendmail},
    {"export", "[--state DIR] [--recipients]", "print the whole policy as a script of cmdlets",
     "Works with the server running, and with it stopped. What has its default is left out; passwords are never "
     "exported.\n"
     "  --recipients        mailboxes, contacts, groups and their members as well\n",
     cli_export},
    {"plan", "[--state DIR] [--recipients] [--replay TIME] [--json] FILE",
     "show what applying a policy script would change",
     "FILE says the whole policy, as mailreeve export prints it; - is standard input. It is run on an empty policy "
     "in "
     "memory,\n"
     "and what it makes is compared with the present state, property by property; and what the audit would\n"
     "find then and does not find now. Nothing is changed.\n"
     "  --recipients        FILE says all recipients too: those it does not make would be removed\n"
     "  --replay TIME       what clients did since TIME ago (7d, 12h, 30m; up to 30d) is run against both "
     "policies\n"
     "                      by the code that decides about live sessions, and each client is listed for whom\n"
     "                      something would come out differently: the connector that serves it; TLS, its version\n"
     "                      and AUTH as the client used them; the reply to its senders and recipients; the size "
     "of\n"
     "                      its messages; and the right or property that decides. Policy is held against policy,\n"
     "                      not against what was answered at the time. Passwords are taken to be right; rates,\n"
     "                      limits on connections, ciphers and the From: field are not replayed; failed logons "
     "and\n"
     "                      other facts that say too little are counted. How far it has come is shown on a "
     "terminal\n"
     "  --json              for programs\n"
     "Exit status: 0 no difference, 1 differences, 2 FILE or the command line is wrong, the state cannot be\n"
     "read, or nothing is recorded of the time to be replayed.\n",
     cli_plan},
    {"apply",
     "[--state DIR] [--recipients] [--json] [--yes] [--force] [--confirm-within TIME] FILE | --confirm | "
     "--rollback",
     "make the policy what a script says",
     "Shows the plan and applies it: all of it or nothing. Passwords that FILE does not give stay. On a terminal "
     "it "
     "asks before it\n"
     "removes objects.\n"
     "  --recipients        FILE says all recipients too: those it does not make are removed\n"
     "  --yes               does not ask\n"
     "  --force             also where the result is an open relay, which is refused unless FILE itself says "
     "-Force\n"
     "  --confirm-within T  rolls back by itself unless `mailreeve apply --confirm` comes within T (90s, 5m, 2h), "
     "also "
     "when the\n"
     "                      server or this command ends meanwhile\n"
     "  --confirm           keeps what was applied so\n"
     "  --rollback          rolls it back at once\n"
     "  --json              the plan for programs\n"
     "Exit status: 0 the policy is what FILE says, 1 nothing was changed, 2 the command line is wrong.\n",
     cli_apply},
    {"audit", "[--state DIR] [--json]", "what is dangerous in the policy",
     "Decides over all client addresses, with and without TLS, for everybody who may have proved anything or "
     "nothing: "
     "open\n"
     "relays, relaying by way of a gateway or bridge of this host, passwords in the clear, senders that are not "
     "checked,\n"
     "certificates that are missing or expire, and connectors, ranges and permissions without effect. Each finding "
     "has a\n"
     "session that shows it (see: mailreeve explain) and the cmdlet that mends it (for mailreeve shell).\n"
     "Reads only; the server may run or not. Findings are danger, warning or note, the worst first.\n"
     "  --json              one object: dangers, warnings, notes (their numbers); findings, each with severity, "
     "kind,\n"
     "                      class and object (whose it is), text, why, witness (a command) and remedy, null where\n"
     "                      there is none; access, what everybody may do: connector, who, tls, submit, relay,\n"
     "                      ownSender and otherSender (any address of our own, of other domains)\n"
     "Exit status: 0 nothing is dangerous, 1 something is, 2 the command line is wrong, 3 the policy cannot be "
     "read.\n",
     cli_audit},
};

static void print_usage(FILE *out)
{
    fprintf(out, "usage: mailreeve COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  mailreeve %s %s\n      %s\n", commands[i].name, commands[i].synopsis, commands[i].help);
    fprintf(out, "  mailreeve help [COMMAND] | --version\n\n"
                 "The state folder is --state DIR, else $MAILREEVE_STATE, else /var/lib/mailreeve.\n");
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int print_help(const struct cli_command *c)
{
    printf("usage: mailreeve %s %s\n\n%s\n\n%s", c->name, c->synopsis, c->help, c->details);
    return CLI_OK;
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "mailreeve: unknown command `%s`; known are", name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
    fprintf(stderr, "\n");
    return CLI_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc < 3) {
        print_usage(stdout);
        return CLI_OK;
    }
    const struct cli_command *c = find(argv[2]);
    return c ? print_help(c) : unknown_command(argv[2]);
}

/* Called by one of the names that other programs know. */
static bool is_sendmail(struct span name)
{
    size_t slash = span_rfind(name, '/');
    if (slash != SIZE_MAX)
        name = span_from(name, slash + 1);
    return span_eq(name, SPAN("sendmail")) || span_eq(name, SPAN("mailq")) || span_eq(name, SPAN("newaliases"));
}

int main(int argc, char **argv)
{
    struct span title = span_of(argc > 0 ? argv[0] : NULL);
    if (span_starts(title, SPAN("mailreeve: ")))
        return roles_run(span_from(title, 11));
    if (is_sendmail(title))
        return cli_sendmail(argc, argv);
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(argc, argv);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("mailreeve %s\n", MAILREEVE_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[1], "manual") == 0)
        return cli_manual(argc - 1, argv + 1, commands, ARRAY_LEN(commands));
    const struct cli_command *c = find(argv[1]);
    if (!c)
        return unknown_command(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return print_help(c);
    return c->run(argc - 1, argv + 1);
}
