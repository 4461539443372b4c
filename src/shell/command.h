/*
 * command.h: a cmdlet as the shell sees it. The shell parses, binds arguments to parameters, runs the pipeline and
 * prints; it knows no noun. Cmdlets (src/cmdlet/, and the shell's own such as Where-Object) are tables of these.
 */
#pragma once

#include "base/err.h"
#include "base/value.h"

enum shell_parameter_flag {
    PARAMETER_SWITCH = 1 << 0,     /* takes no argument: -X is true, -X:$false false */
    PARAMETER_REQUIRED = 1 << 1,   /* the call is an error without it */
    PARAMETER_PIPELINE = 1 << 2,   /* bound to the pipeline object itself when not given by name */
    PARAMETER_POSITION_0 = 1 << 3, /* may be given without its name, as the first bare argument */
    PARAMETER_POSITION_1 = 1 << 4, /* as the second */
    PARAMETER_HIDDEN = 1 << 5,     /* accepted, but not in Get-Help (Exchange parameters without meaning here) */
};

struct shell_parameter {
    const char
        *name; /* as Exchange spells it, without the dash; matched case-insensitively, unique prefixes allowed */
    const char *alias;  /* another name, or NULL */
    unsigned flags;     /* enum shell_parameter_flag */
    const char *syntax; /* what stands in help for the argument: "<String>", "<Unlimited>", "None | Verbose" */
    const char *help;   /* one or two sentences */
};

/* What a cmdlet may ask of whoever sits in front of the shell. */
enum shell_ask_kind {
    SHELL_ASK_CONFIRM, /* answer "y" or "n" */
    SHELL_ASK_SECRET,  /* a password typed without echo */
    SHELL_ASK_FILE,    /* the content of the file that `text` names, read with the asker's own rights */
};

struct shell_call;

/* How a running cmdlet speaks to its surroundings; one implementation in the CLI, one behind control.sock. */
struct shell_host {
    /*
     * Answers an ask into the arena. ERR_UNAVAILABLE: nobody there to answer (the statement is then undone as a
     * whole; behind the control socket it is run again with the answer).
     */
    enum err_code (*ask)(struct shell_host *host, enum shell_ask_kind kind, struct span text, struct arena *arena,
                         struct span *ret_answer, struct err *err);
    /* A warning line for the person, printed apart from the output. */
    void (*warn)(struct shell_host *host, struct span text);
    /*
     * Writes a new file with the asker's own rights, when the statement has succeeded; the statement must name it.
     * What cannot be written then is reported as an error, though the statement is done. NULL: nobody can.
     */
    enum err_code (*save)(struct shell_host *host, struct span path, struct span content, struct err *err);
    /*
     * How far a long statement has come: a line that the next one takes the place of; empty: away with it. It is no
     * part of the output, and somebody who is not at a terminal does not see it. NULL: nobody does.
     */
    void (*progress)(struct shell_host *host, struct span text);
};

/* One run of a cmdlet: once for each object of the pipeline, or once when it stands first. */
struct shell_call {
    struct arena *arena;            /* results and scratch; lives until the statement ends */
    const struct record *arguments; /* parameter name as declared -> value; absent = not given */
    const struct value *input;      /* the pipeline object, or NULL */
    bool what_if;                   /* -WhatIf: check everything, say what would be done, change nothing */
    bool no_confirm;                /* -Confirm:$false was given */
    struct shell_host *host;
    void *context; /* of struct shell, for the cmdlets (their stores) */
    const struct shell_command *command;
    void (*emit)(struct shell_call *call, struct value v); /* passes an object on down the pipeline */
    void **state;   /* the command's own, for one run of the pipeline; NULL at its start */
    void *pipeline; /* the shell's own */
};

struct shell_command {
    const char *name;           /* "New-ReceiveConnector" */
    const char *const *aliases; /* NULL-terminated, or NULL */
    const struct shell_parameter *parameters;
    size_t parameter_count;
    const char *synopsis;    /* one line */
    const char *description; /* paragraphs */
    const char *examples;    /* shell lines with a comment each */
    bool confirms;           /* takes -Confirm and asks unless -Confirm:$false (Remove-*) */
    bool changes;            /* takes -WhatIf */
    /* ERR_NONE, or the error in err: it ends the statement, and what the statement changed is undone. */
    enum err_code (*run)(struct shell_call *call, struct err *err);
    /* For cmdlets that must see all objects first (Sort-Object): called after the last one. May be NULL. */
    enum err_code (*end)(struct shell_call *call, struct err *err);
    const void *data; /* the cmdlet's own (its object class) */
};
