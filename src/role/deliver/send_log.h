/* send_log.h: rows of the protocol log of send connectors, told to manage. */
#pragma once

#include "delivery/delivery.h"

/* A delivery_log_fn; context is not used. */
void send_log_row(void *context, const struct delivery_log_row *row);
