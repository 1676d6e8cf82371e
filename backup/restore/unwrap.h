/*
 * backup/restore/unwrap.h -- a dump without its own BEGIN and COMMIT (around large objects), so that one transaction can hold
 * all of it.
 */
#pragma once

#include "backup/stage/stage.h"

/* Takes next. */
HfStage *hf_unwrap_new(HfStage *next);
