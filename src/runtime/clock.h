/* clock.h: the two clocks. Protocol code gets time as a parameter; only roles and adapters ask here. */
#pragma once

#include <stdint.h>

/* Milliseconds since 1970 UTC: for what people read and what is stored. It may jump. */
int64_t clock_wall_ms(void);
/* Milliseconds that never go back: for deadlines. */
int64_t clock_mono_ms(void);
