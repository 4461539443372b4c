/*
 * folder.h: a folder of messages in files, as the pickup process uses it. NAME.eml waits; NAME.tmp is under way,
 * and waits again when the process that had it is gone; NAME.bad cannot be sent and is left for people.
 *
 * Whoever may write to the folder may send, and is otherwise trusted with nothing: links, pipes and devices become
 * .bad unread, and what a name or a file holds decides only about that file. All work is bounded: a call looks at
 * as many entries as it is told to, and the next call goes on from there.
 */
#pragma once

#include "base/err.h"

#include <dirent.h>
#include <sys/stat.h>

enum { FOLDER_NAME_MAX = 255 };

struct folder {
    DIR *dir;
    int fd;         /* of dir */
    bool recovered; /* all files that an earlier process had under way wait again */
};

/*
 * Opens it. ERR_DENIED: it belongs to somebody else than root or this process's user, or everybody may write to it:
 * then everybody could relay. ERR_NOT_FOUND, ERR_IO.
 */
enum err_code folder_open(const char *path, struct folder *ret, struct err *err);
/* Whether it is still what its path names, and may be read: asked before each look. */
bool folder_is_current(const struct folder *f, const char *path);
void folder_close(struct folder *f); /* safe on a closed one */

enum folder_step {
    FOLDER_FILE,  /* *name waits */
    FOLDER_END,   /* all was looked at; the next call begins anew */
    FOLDER_LATER, /* the budget is used up */
};

/*
 * Looks for the next file that waits; each entry looked at takes one from *budget. The first time through the
 * folder only brings back what an earlier process had under way.
 */
enum folder_step folder_next(struct folder *f, unsigned *budget, char name[static FOLDER_NAME_MAX + 1]);

/* A file under way. */
struct folder_file {
    int folder_fd; /* its own duplicate */
    int fd;
    struct stat claimed;            /* as it was then */
    char stem[FOLDER_NAME_MAX + 1]; /* without .tmp */
};

/*
 * Takes a file that waits. ERR_NOT_FOUND: somebody was faster. ERR_EXISTS: one of that name is under way already.
 * ERR_INVALID: it is nothing that could be sent, and err says why: it is .bad now. Nothing is held unless ERR_NONE.
 */
enum err_code folder_claim(struct folder *f, const char *name, struct folder_file *ret, struct err *err);
/* Whether somebody has written to it since it was claimed. */
bool folder_file_changed(const struct folder_file *file);

enum folder_outcome {
    FOLDER_SENT, /* it is removed */
    FOLDER_BACK, /* it waits again */
    FOLDER_BAD,
};

/* What was removed stays so, also after a power cut. */
enum err_code folder_flush(const struct folder *f, struct err *err);
/* Settles and closes it. What the system refuses is in err: the file stays .tmp then. */
enum err_code folder_settle(struct folder_file *file, enum folder_outcome outcome, struct err *err);
