/* maildir_store.h: one message into one Maildir, with system calls that block: for a thread of the pool. */
#pragma once

#include "base/buf.h"
#include "delivery/delivery.h"

struct maildir_letter {
    int root;              /* directory of all Maildirs */
    const char *directory; /* of maildir_store_directory */
    struct span mailbox;   /* for Delivered-To */
    struct span sender;    /* for Return-Path */
    const char *name;      /* of the file: maildir_store_name */
    bool first_attempt;    /* no need to look for the file in cur/ */
    struct span front;     /* instead of the body's first body_from octets */
    uint64_t body_from;
    struct span body; /* when body_fd is negative */
    int body_fd;
    uint64_t size;
};

struct maildir_outcome {
    enum delivery_outcome outcome;
    const char *enhanced;
    char text[256];
};

/*
 * Appends the directory's name for a mailbox: ASCII letters in lower case; '%', '/', control characters and a
 * leading dot as %XX. False when that is empty or longer than a file name can be.
 */
NODISCARD bool maildir_store_directory(struct span mailbox, struct buf *out);
/* Appends the file's name, the same for every attempt: "<seconds>.M<microseconds>Q<id>R<index>.<host>". */
void maildir_store_name(int64_t received_ms, uint64_t message_id, uint32_t index, struct span host,
                        struct buf *out);

/*
 * Writes Return-Path, Delivered-To and the body, each CRLF as LF and all else as it is, to tmp/, flushes it, moves
 * it to new/ and flushes that directory, making what directories are missing. If a file of this name (before any
 * ':') is in new/ or cur/ already, an earlier attempt was delivered, and so is this.
 */
void maildir_store(const struct maildir_letter *letter, struct maildir_outcome *ret);
