/* console_host.h: the person in front of a shell at the other end of control.sock, as a statement sees her. */
#pragma once

#include "role/common/console.h"
#include "shell/command.h"

struct cursor;

struct console_answer {
    uint8_t kind; /* enum shell_ask_kind */
    bool used;
    struct span text, answer; /* views of the frame */
};

struct console_host {
    struct shell_host host; /* first: this is what the shell gets */
    struct console_answer answers[CONSOLE_ANSWERS_MAX];
    uint32_t count;
    struct buf warnings; /* lines, to be shown when the statement is not run again */
    bool asks;           /* it asked for what is not among the answers: kind and question */
    enum shell_ask_kind kind;
    struct buf question;
    struct buf path, content; /* of a file to be written by the shell; path empty: none */
    void (*tell_progress)(void *context, struct span text); /* set by whoever runs the statement; NULL: nobody */
    void *context;
};

/*
 * Takes the answers out of a CONSOLE_RUN behind its statement; they stay views of the frame, which the caller
 * wipes. False when they are malformed or too many. Needs console_host_done in any case.
 */
bool console_host_init(struct console_host *h, struct cursor *c);
void console_host_done(struct console_host *h);
