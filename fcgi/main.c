/*
 * holdfast-fcgi: a worker.  It is started as many times as there shall be workers, on one socket:
 *
 *     spawn-fcgi -n -s /run/holdfast/fcgi.sock -M 0660 -- multiwatch -r 1000000 -f 4 -- holdfast-fcgi
 */
#include "config.h"

#include "common/error.h"
#include "common/log.h"
#include "fcgi/loop.h"

#include <locale.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	char *env_file;
	gboolean is_verbose, wants_version;
} given;

static GOptionEntry options[] = {
	{"env-file", 0, 0, G_OPTION_ARG_FILENAME, &given.env_file,
	 "Read settings from FILE instead of ./.env or /etc/holdfast/holdfast.env", "FILE"},
	{"verbose", 'v', 0, G_OPTION_ARG_NONE, &given.is_verbose, "Log every request", NULL},
	{"version", 0, 0, G_OPTION_ARG_NONE, &given.wants_version, "Print the version", NULL},
	{0}};

static bool
parse(int *argc, char ***argv, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) cause = NULL;

	g_option_context_set_summary(context,
				     "A worker of the Holdfast service. The listening unix socket is its "
				     "standard input: start it by spawn-fcgi and multiwatch.");
	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, argc, argv, &cause))
		return hf_error_set(error, HF_ERROR_USAGE, "%s", cause->message);
	return *argc == 1 ||
	       hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is one argument too many: see --help", (*argv)[1]);
}

static bool
check_listener(int fd, GError **error)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	int is_listening = 0;
	socklen_t size = sizeof is_listening;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || !is_listening ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0 || address.ss_family != AF_UNIX)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"standard input is no listening unix socket: start it as \"spawn-fcgi -n -s "
			"SOCKET -M 0660 -- multiwatch -f 4 -- holdfast-fcgi\"");
	return true;
}

static bool
run(GError **error)
{
	g_autoptr(HfSettings) settings = hf_settings_load(given.env_file, error);
	g_autoptr(HfPeers) peers = NULL;
	g_autoptr(HfService) service = NULL;
	HfAuth *auth;

	if (!settings || !check_listener(STDIN_FILENO, error))
		return false;
	auth = hf_auth_new(settings, error);
	if (!auth)
		return false;
	service = hf_service_new(
		settings, auth,
		hf_tool_new(hf_settings_text(settings, HF_SET_HOLDFAST_PROGRAM), given.env_file), error);
	if (!service)
		return false;
	peers = hf_peers_new(hf_settings_text(settings, HF_SET_FCGI_PEER_USERS));
	return hf_loop_run(service, peers, STDIN_FILENO, error);
}

int
main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (parse(&argc, &argv, &error)) {
		if (given.wants_version) {
			printf("holdfast-fcgi %s\n", PACKAGE_VERSION);
			return 0;
		}
		hf_log_install(given.is_verbose ? HF_LOG_VERBOSE : HF_LOG_NORMAL);
		if (run(&error))
			return 0;
	}
	fprintf(stderr, "holdfast-fcgi: %s\n", error->message);
	return hf_error_is(error, HF_ERROR_USAGE) ? 2 : 1;
}
