/* explain_code.h: `mailreeve explain CODE`: a refusal of the past, as it was, and how to ask again about the
 * present. */
#pragma once

#include <stdbool.h>

/*
 * Prints the refusal with that code (with or without brackets), from the ring in the state folder; the exit status:
 * CLI_OK, or CLI_FAILED after an error was written.
 */
int explain_code(const char *state, const char *code, bool json);
