#include "config.h"

#include "backup/notify/configured.h"

bool
hf_notify_is_configured(const HfSettings *settings)
{
	return hf_settings_text(settings, HF_SET_NOTIFY_EMAIL_TO) ||
	       hf_settings_secret(settings, HF_SET_WEBHOOK_URL) ||
	       hf_settings_secret(settings, HF_SET_HEARTBEAT_URL);
}
