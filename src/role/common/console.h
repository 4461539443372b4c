/*
 * console.h: what a shell outside (mailreeve shell) and manage say to each other over control.sock, a
 * SOCK_SEQPACKET socket that only root and the server's own user can open. Frames as between roles.
 *
 * One statement a question. A statement that needs an answer from the person in front (a confirmation, a password,
 * the content of a file) is undone and answered with CONSOLE_ASK; the shell sends it again with that answer added.
 * A file that a statement makes is written by the shell, with its own rights, when the statement is done and if the
 * statement names that file.
 */
#pragma once

enum console_message {
    CONSOLE_RUN = 700, /* str statement, u32 count, count * {u8 enum shell_ask_kind, str text, str answer}: a large
                          body (runtime/large_body.h) */
    CONSOLE_OUT,       /* bytes for standard output, any number before CONSOLE_DONE */
    CONSOLE_ERR,       /* bytes for standard error, likewise */
    CONSOLE_DONE,      /* u8 0 done, 1 failed: the statement has ended */
    CONSOLE_FILE, /* str path, str content: a new file for the person; before CONSOLE_DONE, at most one; a large
                     body */
    CONSOLE_ASK,  /* u8 enum shell_ask_kind, str text: the statement was undone; send it again with the answer */
    CONSOLE_PROGRESS, /* text, or none: how far the statement has come; any number before CONSOLE_DONE */
};

enum {
    CONSOLE_ANSWERS_MAX = 64,
    CONSOLE_STATEMENT_MAX = 64 * 1024,
    CONSOLE_ANSWER_MAX = 16 * 1024,      /* bytes of what is typed */
    CONSOLE_FILE_MAX = 32 * 1024 * 1024, /* bytes of a file */
    CONSOLE_PATH_MAX = 4096,
    CONSOLE_SAVE_MAX = 64 * 1024 * 1024, /* bytes of a file that a statement makes */
    CONSOLE_RUN_MAX = 64 * 1024 * 1024,  /* bytes of a CONSOLE_RUN in all */
};
