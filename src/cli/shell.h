/*
 * shell.h: the parts of `mailreeve shell`: where statements come from (a text, a prompt), where they run (in a
 * running server, or here over the stores of a stopped one), and the person in front.
 */
#pragma once

#include "cli/cli.h"
#include "role/common/admin.h"
#include "role/common/denial.h"
#include "role/common/fact.h"
#include "role/common/grant_usage.h"
#include "role/common/state.h"
#include "role/common/tracking.h"

/* ---- the person in front (shell_person.c) ---- */

/*
 * Asks at the terminal, and reads files with the rights of this process. Without a terminal a confirmation or a
 * password is ERR_UNAVAILABLE with a sentence that names the parameter to use instead. ERR_DENIED: the person broke
 * off; ERR_LIMIT: an answer longer than CONSOLE_ANSWER_MAX.
 */
struct shell_person {
    struct shell_host host; /* first: this is what the others get */
    bool present;           /* somebody can be asked on /dev/tty */
};

void shell_person_init(struct shell_person *p, bool present);

/* A file that a statement makes, kept until the statement is done. */
struct shell_saved {
    struct buf path, content;
};
void shell_saved_init(struct shell_saved *s);
void shell_saved_done(struct shell_saved *s);
enum err_code shell_saved_put(struct shell_saved *s, struct span path, struct span content, struct err *err);
/* Has the person's side write it, if there is one; then there is none. */
enum err_code shell_saved_write(struct shell_saved *s, struct shell_host *person, struct err *err);

/* ---- a running server (shell_remote.c) ---- */

/*
 * Connects to the server of a state folder. ERR_NOT_FOUND: no server listens there; ERR_DENIED: this user may not,
 * and the text says who may.
 */
enum err_code shell_remote_connect(const char *state, int *ret_fd, struct err *err);
/*
 * Runs one statement there; host answers what it asks. An error without a text was written to output->err already.
 * ERR_UNKNOWN: the server ended meanwhile, and nobody knows whether the statement was done.
 */
enum err_code shell_remote_run(int fd, const struct statement *statement, struct shell_host *host,
                               const struct shell_output *output, struct err *err);

/* ---- a stopped server (shell_local.c) ---- */

struct shell_local {
    struct shell_host host; /* hands on to `person` with the rights that the command was started with */
    struct shell_host *person;
    int lock; /* held as long as the stores are open */
    struct directory *directory;
    struct denials denials;
    struct object_store *policy, *recipients; /* below the audit trail */
    struct facts_reader facts;
    struct tracking_reader tracking;
    struct grant_usage usage;
    const char *state;
    struct keytab_view keytab;
    char certs[STATE_PATH_MAX + 64]; /* the folder of the certificates, which may be root's alone */
    struct admin admin;
    struct shell_saved saved;
    bool changed; /* the effective user is the state's owner */
};

/*
 * Takes the state's lock and opens its stores; as root it becomes the owner of the state, to whom all files then
 * belong. The node is kept by the caller. ERR_CONFLICT: a server, or another command, holds the lock; ERR_DENIED:
 * this user may not, and the text says who may.
 */
enum err_code shell_local_open(struct shell_local *l, const char *state, const struct node_settings *node,
                               struct shell_host *person, struct err *err);
/* Runs one statement over them, as shell_remote_run. */
enum err_code shell_local_run(struct shell_local *l, const struct statement *statement,
                              const struct shell_output *output, struct err *err);
/* Closes them, lets go of the lock and of the owner's rights. Safe on what open refused. */
void shell_local_close(struct shell_local *l);

/* ---- a session: one of the two (shell_session.c) ---- */

struct shell_session {
    const char *state;
    const struct node_settings *node;
    struct shell_host *host;
    struct shell_output output;
    int wait_ms; /* how long a server that is starting is waited for */
    bool brief;  /* let go behind each statement, so that a server can be started beside an open prompt */
    bool open;
    int socket; /* of the server, or -1: then the stores themselves */
    struct shell_local local;
};

enum { SHELL_WAIT_MS = 5000 };

enum err_code shell_session_open(struct shell_session *s, struct err *err);
void shell_session_close(struct shell_session *s);
/* Opens the session where it is not open. As shell_remote_run. */
enum err_code shell_session_run(struct shell_session *s, const struct statement *statement, struct err *err);

enum shell_step {
    SHELL_STEP_OK,
    SHELL_STEP_FAILED, /* the error was written */
    SHELL_STEP_EXIT    /* the statement was `exit` or `quit` */
};
/* Runs one statement and writes its error. */
enum shell_step shell_session_step(struct shell_session *s, const struct statement *statement);
/*
 * Runs the statements of a text in order, up to `exit`. A syntax error anywhere is written before anything runs.
 * The exit status: CLI_FAILED when a statement failed, which ends it unless go_on.
 */
enum cli_exit shell_session_text(struct shell_session *s, struct span text, bool go_on);

/* ---- the prompt (shell_prompt.c) ---- */

/* Reads statements with line editing until `exit` or the end of input. Failed statements do not end it. */
enum cli_exit shell_prompt_run(struct shell_session *s);
/* Whether a statement may hold a password, so that it is not kept in the history file. */
bool shell_prompt_is_secret(struct span text);
