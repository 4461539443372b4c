/*
 * memory_file.h: a block of bytes in a sealed memory file, handed to other processes by descriptor. The seals
 * forbid every later change, so what was checked once stays as it was.
 */
#pragma once

#include "base/err.h"

/* A new sealed memory file with the bytes; the caller closes the descriptor. */
enum err_code memory_file_make(const char *name, struct span bytes, int *ret_fd, struct err *err);
/*
 * Maps a sealed memory file read-only. ERR_INVALID when it is not fully sealed, or larger than max. The descriptor
 * stays the caller's and may be closed. Unmap with memory_file_unmap.
 */
enum err_code memory_file_map(int fd, size_t max, struct span *ret, struct err *err);
void memory_file_unmap(struct span mapped);
