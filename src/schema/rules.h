/* rules.h: the rules of the classes, for the table in classes.c. ERR_CONFLICT names both sides and the remedy. */
#pragma once

#include "schema/schema.h"

enum err_code schema_check_receive_connector(const struct record *r, struct err *err);
enum err_code schema_check_send_connector(const struct record *r, struct err *err);
