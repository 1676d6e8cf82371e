#include "config.h"

#include "fcgi/answer.h"
#include "fcgi/body.h"
#include "fcgi/handlers.h"

#include <string.h>

#define LEVEL_MAX 4
#define RESTORE_JOBS_MAX 64

static HfReply *
refuse(const HfRoute *route, const char *text)
{
	return hf_reply_problem(422, HF_CODE_USAGE, route->failure, text);
}

static HfReply *
order(HfService *service, const HfRequest *request, const HfRoute *route, const char *kind,
      HfJson *parameters, const char *message)
{
	g_autofree char *job = NULL;
	HfReply *refusal = hf_answer_start(service, request, route, kind, parameters, &job);

	return refusal ? refusal : hf_answer_accepted(job, message);
}

/* Copies a member under another name, where it was sent. */
static void
pass_on(HfJson *from, const char *name, HfJson *to, const char *as)
{
	HfJson *value = NULL;

	if (json_object_object_get_ex(from, name, &value))
		hf_json_add(to, as, json_object_get(value));
}

static const char *
text_of(HfJson *body, const char *name)
{
	HfJson *value = NULL;

	return json_object_object_get_ex(body, name, &value) ? json_object_get_string(value) : NULL;
}

/* Which store is read: a replica's name, which must be one of the settings'; NULL: nothing is wrong. */
static const char *
check_from(const HfService *service, HfJson *body)
{
	const char *from = text_of(body, "from");

	for (unsigned number = 1; from && number <= HF_REPLICAS_MAX; number++) {
		g_autofree char *name = g_strdup_printf("replica-%u", number);

		if (strcmp(from, name) == 0 && hf_settings_has_replica(service->settings, number))
			return NULL;
	}
	return from ? "from: the name of a replica that has a place in the settings is wanted, such as "
		      "replica-1"
		    : NULL;
}

HfReply *
hf_handle_verify(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember known[] = {{"level", json_type_int}, {"from", json_type_string}, {0}};
	HfReply *refusal = hf_answer_check_set(arguments[0], route);
	g_autoptr(HfJson) body = refusal ? NULL : hf_body_parse(request, known, route->failure, &refusal);
	HfJson *parameters;
	HfJson *level = NULL;

	if (!body)
		return refusal;
	if (json_object_object_get_ex(body, "level", &level) &&
	    (json_object_get_int64(level) < 1 || json_object_get_int64(level) > LEVEL_MAX))
		return refuse(route, "level: 1 (stored), 2 (read), 3 (restored) or 4 (equal) is wanted");
	if (check_from(service, body))
		return refuse(route, check_from(service, body));
	parameters = json_object_new_object();
	hf_json_add_text(parameters, "set", arguments[0]);
	if (level)
		hf_json_add(parameters, "level", json_object_get(level));
	pass_on(body, "from", parameters, "from");
	return order(service, request, route, "verify", parameters, "Verification started");
}

/* ---- restore ---- */

/* What is wrong with a restore of the database; NULL: nothing. */
static const char *
check_database(HfJson *body)
{
	static const char *const modes[] = {"swap", "in-place", NULL};
	const char *mode = text_of(body, "mode");
	HfJson *tables = NULL;

	if (!text_of(body, "confirm"))
		return "confirm: the name of the database that is replaced is wanted";
	if (text_of(body, "only"))
		return "only goes with \"what\": \"images\"";
	if (mode && !g_strv_contains(modes, mode))
		return "mode: swap (into a new database, which takes the place of the live one) or in-place "
		       "is wanted";
	if (mode && json_object_object_get_ex(body, "tables", NULL))
		return "mode does not go with tables";
	if (!json_object_object_get_ex(body, "tables", &tables))
		return NULL;
	if (json_object_array_length(tables) == 0)
		return "tables: at least one name is wanted";
	for (size_t i = 0; i < json_object_array_length(tables); i++)
		if (!json_object_is_type(json_object_array_get_idx(tables, i), json_type_string))
			return "tables: names are wanted";
	return NULL;
}

static const char *
check_images(HfJson *body)
{
	static const char *const modes[] = {"missing-only", "overwrite", "mirror", NULL};
	const char *mode = text_of(body, "mode");

	if (json_object_object_get_ex(body, "tables", NULL) || text_of(body, "confirm"))
		return "tables and confirm go with \"what\": \"database\"";
	if (mode && !g_strv_contains(modes, mode))
		return "mode: missing-only, overwrite or mirror is wanted";
	return NULL;
}

/* The members are those of `holdfast restore database` and `restore images` (backup/job/kind.h). */
static HfJson *
restore_parameters(const char *set, HfJson *body, bool is_database)
{
	HfJson *parameters = json_object_new_object();
	g_autofree char *mode = g_strdup(text_of(body, "mode"));

	hf_json_add_text(parameters, "set", set);
	pass_on(body, "jobs", parameters, "jobs");
	pass_on(body, "from", parameters, "from");
	if (is_database) {
		pass_on(body, "tables", parameters, "table");
		pass_on(body, "confirm", parameters, "confirm");
		if (!json_object_object_get_ex(body, "tables", NULL))
			hf_json_add_flag(parameters, g_strcmp0(mode, "in-place") == 0 ? "in_place" : "swap",
					 true);
		return parameters;
	}
	pass_on(body, "only", parameters, "only");
	if (mode)
		hf_json_add_flag(parameters, g_strdelimit(mode, "-", '_'), true);
	return parameters;
}

HfReply *
hf_handle_restore(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember known[] = {{"what", json_type_string},  {"confirm", json_type_string},
					 {"tables", json_type_array}, {"only", json_type_string},
					 {"mode", json_type_string},  {"jobs", json_type_int},
					 {"from", json_type_string},  {0}};
	HfReply *refusal = hf_answer_check_set(arguments[0], route);
	g_autoptr(HfJson) body = refusal ? NULL : hf_body_parse(request, known, route->failure, &refusal);
	HfJson *jobs = NULL;
	const char *what;
	const char *wrong;
	bool is_database;

	if (!body)
		return refusal;
	what = text_of(body, "what");
	is_database = g_strcmp0(what, "database") == 0;
	if (!is_database && g_strcmp0(what, "images") != 0)
		return refuse(route, "what: \"database\" or \"images\" is wanted");
	wrong = is_database ? check_database(body) : check_images(body);
	if (json_object_object_get_ex(body, "jobs", &jobs) &&
	    (json_object_get_int64(jobs) < 1 || json_object_get_int64(jobs) > RESTORE_JOBS_MAX))
		wrong = "jobs: a number from 1 to 64 is wanted";
	wrong = wrong ? wrong : check_from(service, body);
	if (wrong)
		return refuse(route, wrong);
	return order(service, request, route, is_database ? "restore database" : "restore images",
		     restore_parameters(arguments[0], body, is_database), "Restore started");
}

/* ---- prune ---- */

HfReply *
hf_handle_prune(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember none[] = {{0}};
	static const char *const names[] = {"dryRun", NULL};
	static const char *const dry_words[] = {"prune", "--dry-run", NULL};
	const char *dry = hf_request_query(request, "dryRun");
	g_autoptr(GError) error = NULL;
	HfReply *refusal = hf_answer_check_query(request, route, names);
	g_autoptr(HfJson) body = refusal ? NULL : hf_body_parse(request, none, route->failure, &refusal);
	HfJson *reply;

	(void)arguments;
	if (!body)
		return refusal;
	/* Nobody should lose sets by a slip of the finger in "dryRun=yes". */
	if (dry && strcmp(dry, "1") != 0 && strcmp(dry, "0") != 0)
		return hf_reply_problem(400, HF_CODE_USAGE, route->failure, "dryRun: 1 or 0 is wanted");
	if (!dry || strcmp(dry, "0") == 0)
		return order(service, request, route, "prune", NULL, "Prune started");
	reply = hf_tool_run(service->tool, dry_words, &error);
	return reply ? hf_reply_json(200, reply) : hf_reply_error(error, route->failure);
}

/* ---- replicate ---- */

HfReply *
hf_handle_replicate(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember known[] = {{"replica", json_type_int}, {0}};
	HfReply *refusal = NULL;
	g_autoptr(HfJson) body = hf_body_parse(request, known, route->failure, &refusal);
	g_autoptr(HfJson) parameters = NULL;
	HfJson *number = NULL;

	(void)arguments;
	if (!body)
		return refusal;
	parameters = json_object_new_object();
	if (json_object_object_get_ex(body, "replica", &number)) {
		int64_t which = json_object_get_int64(number);

		if (which < 1 || which > HF_REPLICAS_MAX ||
		    !hf_settings_has_replica(service->settings, (unsigned)which))
			return refuse(route,
				      "replica: the number of a replica that has a place in the settings is "
				      "wanted");
		hf_json_add(parameters, "replica",
			    json_object_new_string(json_object_to_json_string(number)));
	}
	return order(service, request, route, "replicate", g_steal_pointer(&parameters),
		     "Replication started");
}
