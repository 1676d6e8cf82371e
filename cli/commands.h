/*
 * cli/commands.h -- the commands themselves; commands.c has the table of them.
 */
#pragma once

#include "cli/command.h"

bool hf_command_backup_database(HfCli *cli, char **arguments, GError **error);
bool hf_command_backup_images(HfCli *cli, char **arguments, GError **error);
bool hf_command_backup_full(HfCli *cli, char **arguments, GError **error);
bool hf_command_list(HfCli *cli, char **arguments, GError **error);
bool hf_command_show(HfCli *cli, char **arguments, GError **error);
bool hf_command_restore_database(HfCli *cli, char **arguments, GError **error);
bool hf_command_restore_images(HfCli *cli, char **arguments, GError **error);
bool hf_command_diff(HfCli *cli, char **arguments, GError **error);
bool hf_command_cat(HfCli *cli, char **arguments, GError **error);
bool hf_command_verify(HfCli *cli, char **arguments, GError **error);
bool hf_command_delete(HfCli *cli, char **arguments, GError **error);
bool hf_command_prune(HfCli *cli, char **arguments, GError **error);
bool hf_command_config(HfCli *cli, char **arguments, GError **error);
bool hf_command_doctor(HfCli *cli, char **arguments, GError **error);

/* Where GOptionContext puts what was given to these commands, for the life of the process. */
typedef struct {
	struct {
		gboolean full;
	} backup_images;
	struct {
		gboolean full_images;
	} backup_full;
	struct {
		gboolean wants_tables, wants_objects, wants_references;
		char *prefix;
	} show;
	struct {
		char *to, *only;
		gboolean missing_only, overwrite, mirror;
	} restore_images;
	struct {
		char *object;
	} cat;
	struct {
		char *to;
		gboolean create, allow_non_empty;
	} restore;
	struct {
		gboolean is_forced;
	} delete;
	struct {
		gboolean is_dry;
	} prune;
	struct {
		int level;
	} verify;
} HfCommandOptions;
extern HfCommandOptions hf_command_options;
