/* console_server.h: control.sock, where shells outside (mailreeve shell) have statements run:
 * role/common/console.h. */
#pragma once

#include "role/common/admin.h"

#include <sys/types.h>
#include <uv.h>

enum { CONSOLE_CONNECTIONS_MAX = 32 };

struct console_server;

/*
 * Makes control.sock in the folder, which becomes the process's working folder, and serves it on the loop. One left
 * over from before is replaced. after(context) is called behind each statement, before its end is reported;
 * name_of(context, uid) says what the audit trail calls whoever sends one. Admin stays the caller's. ERR_IO.
 */
enum err_code console_server_open(uv_loop_t *loop, const char *folder, struct admin *admin,
                                  void (*after)(void *context), const char *(*name_of)(void *context, uid_t uid),
                                  void *context, struct console_server **ret, struct err *err);
/* Ends all shells and removes the socket; the memory goes with the loop's next turn. NULL allowed. */
void console_server_close(struct console_server *s);
