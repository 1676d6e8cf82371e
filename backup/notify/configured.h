/*
 * backup/notify/configured.h -- whether anybody is to hear of anything: for those who only start the delivery.
 */
#pragma once

#include "common/settings.h"

bool hf_notify_is_configured(const HfSettings *settings);
