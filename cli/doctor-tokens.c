#include "config.h"

#include "auth/auth.h"
#include "auth/key.h"
#include "auth/metrics-token.h"
#include "cli/doctor.h"

static void
check_metrics_token(HfDoctor *doctor)
{
	const HfSecret *token;
	g_autoptr(GError) error = NULL;

	if (!hf_metrics_token(doctor->cli->settings, &token, &error))
		hf_doctor_report(doctor, HF_MARK_WARN, "metrics", "the service would not start: %s",
				 error->message);
}

/* Only the service wants a key: without one all else still works, so nothing here is a failure of backups. */
void
hf_doctor_check_tokens(HfDoctor *doctor)
{
	const HfSettings *settings = doctor->cli->settings;
	const HfSecret *secret = hf_settings_secret(settings, HF_SET_JWT_SECRET);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfAuth) auth = NULL;

	check_metrics_token(doctor);
	if (!hf_auth_is_set(settings)) {
		hf_doctor_report(
			doctor, HF_MARK_OK, "tokens",
			"no key is set, which only the service needs: JWT_SECRET, JWT_PUBLIC_KEY_FILE, "
			"JWT_JWKS_FILE or JWT_JWKS_URL");
		return;
	}
	if (secret && hf_secret_len(secret) < HF_KEY_SECRET_BYTES_MIN) {
		hf_doctor_report(
			doctor, HF_MARK_WARN, "tokens",
			"JWT_SECRET has %zu bytes: whoever holds a token may find it by trying: take %d or "
			"more (openssl rand -hex 32)",
			hf_secret_len(secret), HF_KEY_SECRET_BYTES_MIN);
		return;
	}
	auth = hf_auth_new(settings, &error);
	if (auth)
		hf_doctor_report(doctor, HF_MARK_OK, "tokens",
				 "the keys that tokens are checked with can be used");
	else
		hf_doctor_report(doctor, HF_MARK_WARN, "tokens", "the service would not start: %s",
				 error->message);
}
