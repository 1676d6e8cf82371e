#include "config.h"

#include "fcgi/handlers.h"

#include <string.h>

#define PATTERN_SEGMENTS_MAX 8

static const HfRoute routes[] = {
	{"POST", "trigger", hf_handle_trigger, "Backup failed", "backup full"},
	{"POST", "database", hf_handle_trigger, "Database backup failed", "backup database"},
	{"POST", "images", hf_handle_trigger, "S3 images backup failed", "backup images"},
	{"GET", "status", hf_handle_status, "Failed to get backup status", NULL},
	{"GET", "sets", hf_handle_sets, "Failed to list backups", NULL},
	{"GET", "sets/*", hf_handle_set, "Failed to read backup", NULL},
	{"DELETE", "sets/*", hf_handle_delete, "Delete failed", NULL},
	{"PUT", "sets/*/hold", hf_handle_mark, "Hold failed", "hold"},
	{"DELETE", "sets/*/hold", hf_handle_mark, "Release failed", "release"},
	{"POST", "sets/*/accept", hf_handle_mark, "Accept failed", "accept"},
	{"POST", "sets/*/verify", hf_handle_verify, "Verification failed", "verify"},
	{"POST", "sets/*/restore", hf_handle_restore, "Restore failed", NULL},
	{"GET", "sets/*/objects", hf_handle_objects, "Failed to list images", NULL},
	{"GET", "sets/*/objects/**", hf_handle_object, "Failed to read image", NULL},
	{"GET", "jobs", hf_handle_jobs, "Failed to list jobs", NULL},
	{"GET", "jobs/*", hf_handle_job, "Failed to read job", NULL},
	{"GET", "jobs/*/log", hf_handle_log, "Failed to read log", NULL},
	{"POST", "jobs/*/cancel", hf_handle_cancel, "Cancel failed", NULL},
	{"POST", "prune", hf_handle_prune, "Prune failed", "prune"},
	{"POST", "replicate", hf_handle_replicate, "Replication failed", "replicate"},
	{"GET", "schedule", hf_handle_schedule, "Failed to read schedule", NULL},
	{"GET", HF_METRICS_ROUTE, hf_handle_metrics, "Failed to read metrics", NULL},
	{"GET", "health", hf_handle_health, "Unhealthy", NULL},
	{"GET", "openapi.json", hf_handle_openapi, "Failed to read description", NULL},
	{"POST", "internal/run", hf_handle_run, "Scheduled run failed", NULL},
	{"GET", "internal/schedule", hf_handle_slots, "Failed to read schedule", NULL},
};

const HfRoute *
hf_routes(size_t *count_out)
{
	*count_out = G_N_ELEMENTS(routes);
	return routes;
}

static char *
join_rest(const GPtrArray *segments, guint from)
{
	GString *rest = g_string_new(segments->pdata[from]);

	for (guint i = from + 1; i < segments->len; i++)
		g_string_append_printf(rest, "/%s", (const char *)segments->pdata[i]);
	return g_string_free(rest, FALSE);
}

/* The arguments, or NULL where the path is another one. */
static char **
match(const HfRoute *route, const GPtrArray *segments)
{
	g_auto(GStrv) pattern = g_strsplit(route->pattern, "/", PATTERN_SEGMENTS_MAX);
	g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
	guint i;

	for (i = 0; pattern[i]; i++) {
		if (i >= segments->len)
			return NULL;
		if (strcmp(pattern[i], "**") == 0) {
			g_autofree char *rest = join_rest(segments, i);

			g_strv_builder_add(arguments, rest);
			return g_strv_builder_end(arguments);
		}
		if (strcmp(pattern[i], "*") == 0)
			g_strv_builder_add(arguments, segments->pdata[i]);
		else if (strcmp(pattern[i], segments->pdata[i]) != 0)
			return NULL;
	}
	return i == segments->len ? g_strv_builder_end(arguments) : NULL;
}

const HfRoute *
hf_route_find(const HfRequest *request, char ***arguments_out, char **allow_out)
{
	g_autoptr(GString) allow = g_string_new(NULL);

	*arguments_out = NULL;
	*allow_out = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(routes); i++) {
		char **arguments = match(&routes[i], request->segments);

		if (!arguments)
			continue;
		if (strcmp(routes[i].method, request->method) == 0) {
			*arguments_out = arguments;
			return &routes[i];
		}
		g_strfreev(arguments);
		g_string_append_printf(allow, "%s%s%s", allow->len > 0 ? ", " : "", routes[i].method,
				       strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
	}
	if (allow->len > 0)
		*allow_out = g_string_free(g_steal_pointer(&allow), FALSE);
	return NULL;
}
