/*
 * shell.c: `mailreeve shell`: what is run (-c TEXT, a FILE, standard input, or a prompt), and where its output
 * goes.
 *
 * Exit status: 1 also when output could not be written, because a caller reads it as if it were all.
 */
#include "cli/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void write_out(void *context UNUSED, struct span bytes)
{
    fwrite(bytes.ptr, 1, bytes.len, stdout);
}

static void write_err(void *context UNUSED, struct span bytes)
{
    fflush(stdout);
    fwrite(bytes.ptr, 1, bytes.len, stderr);
}

static size_t terminal_width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static enum err_code read_all(int fd, const char *name, struct buf *out, struct err *err)
{
    enum { PIECE = 64 * 1024 };
    ssize_t n = 1;
    while (n > 0) {
        char *room = buf_reserve(out, PIECE);
        if (!room)
            return err_set(err, ERR_LIMIT, "%s is longer than %d MB", name, SYNTAX_SCRIPT_MAX >> 20);
        n = read(fd, room, PIECE);
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    return n < 0 ? err_errno(err, errno, "cannot read %s", name) : ERR_NONE;
}

static enum err_code read_source(const char *file, struct buf *out, struct err *err)
{
    if (!file || strcmp(file, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", out, err);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot read %s", file);
    enum err_code code = read_all(fd, file, out, err);
    close(fd);
    return code;
}

/* Standard input without a file goes on behind errors, as the prompt would; a script does not. */
static enum cli_exit run_source(struct shell_session *s, const char *file)
{
    struct buf text;
    struct err err = {0};
    enum cli_exit status = CLI_FAILED;
    buf_init(&text, SYNTAX_SCRIPT_MAX + 128 * 1024);
    if (read_source(file, &text, &err))
        fprintf(stderr, "mailreeve shell: %s\n", err.text);
    else
        status = shell_session_text(s, buf_span(&text), !file);
    buf_wipe(&text); /* scripts set passwords */
    return status;
}

static enum cli_exit run(struct shell_session *s, const char *text, const char *file)
{
    enum cli_exit status = text                            ? shell_session_text(s, span_of(text), false)
                           : file || !isatty(STDIN_FILENO) ? run_source(s, file)
                                                           : shell_prompt_run(s);
    shell_session_close(s);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "mailreeve shell: the output could not be written: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    return status;
}

int cli_shell(int argc, char **argv)
{
    const char *state = NULL, *text = NULL;
    const struct cli_option options[] = {{"state", &state, NULL}, {"c", &text, NULL}};
    struct node_settings node;
    struct shell_person person;
    struct err err = {0};
    int left = cli_parse(argc, argv, options, ARRAY_LEN(options));
    if (left < 0)
        return CLI_USAGE;
    if (left > 1 || (left && text)) {
        fprintf(stderr, "mailreeve shell: `%s` is too much; give -c 'CMDLETS', one FILE, or neither\n",
                argv[text ? 1 : 2]);
        return CLI_USAGE;
    }
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none); /* passwords pass through here */
    setlocale(LC_CTYPE, "");
    if (state_load(cli_state(state), &node, &err)) {
        fprintf(stderr, "mailreeve shell: %s\n", err.text);
        return CLI_FAILED;
    }
    shell_person_init(&person, isatty(STDIN_FILENO));
    struct shell_session s = {.state = cli_state(state),
                              .node = &node,
                              .host = &person.host,
                              .output = {.out = write_out, .err = write_err, .width = terminal_width()},
                              .wait_ms = SHELL_WAIT_MS,
                              .socket = -1,
                              .local = {.lock = -1}};
    return (int)run(&s, text, left ? argv[1] : NULL);
}
