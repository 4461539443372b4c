/*
 * memory_file.h: a block of bytes in a sealed memory file, handed to other processes by descriptor. The seals
 * forbid every later change, so what was checked once stays as it was. Shared ones are the exception: memory that
 * several processes write, or one writes and others read, of which only the size is sealed.
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

/* Zeroed memory for several processes to write; the caller closes the descriptor. */
enum err_code memory_file_make_shared(const char *name, size_t size, int *ret_fd, struct err *err);
/*
 * Maps such memory, writable. ERR_INVALID unless its size is `size` and sealed: it cannot be cut off under us. What
 * is in it may change at any time. The descriptor stays the caller's and may be closed. Unmap with munmap.
 */
enum err_code memory_file_map_shared(int fd, size_t size, void **ret, struct err *err);

/*
 * Zeroed memory that only the caller writes, through *ret_memory; whoever gets the descriptor can but read it. The
 * caller closes the descriptor; the mapping is its own to unmap (munmap).
 */
enum err_code memory_file_make_published(const char *name, size_t size, int *ret_fd, void **ret_memory,
                                         struct err *err);
/*
 * Maps such memory read-only, as memory_file_map_shared does. What is in it changes under the reader. Unmap with
 * munmap.
 */
enum err_code memory_file_map_published(int fd, size_t size, const void **ret, struct err *err);
