/*
 * cli/commands.h -- the commands themselves; each stands in a file of its own with its options and its help, and
 * commands.c has the table of them.
 */
#pragma once

#include "cli/command.h"

#define HF_SET_HELP \
	"SET is a set's id, as \"holdfast list\" prints it, a unique beginning of one, or \"latest\", the " \
	"newest good one."

extern const HfCommand hf_command_backup_database;
extern const HfCommand hf_command_backup_images;
extern const HfCommand hf_command_backup_full;
extern const HfCommand hf_command_list;
extern const HfCommand hf_command_show;
extern const HfCommand hf_command_restore_database;
extern const HfCommand hf_command_restore_images;
extern const HfCommand hf_command_cat;
extern const HfCommand hf_command_diff;
extern const HfCommand hf_command_verify;
extern const HfCommand hf_command_accept;
extern const HfCommand hf_command_chain;
extern const HfCommand hf_command_drill;
extern const HfCommand hf_command_delete;
extern const HfCommand hf_command_prune;
extern const HfCommand hf_command_replicate;
extern const HfCommand hf_command_audit;
extern const HfCommand hf_command_jobs;
extern const HfCommand hf_command_run_job;
extern const HfCommand hf_command_refresh;
extern const HfCommand hf_command_hold;
extern const HfCommand hf_command_release;
extern const HfCommand hf_command_schedule;
extern const HfCommand hf_command_metrics;
extern const HfCommand hf_command_config;
extern const HfCommand hf_command_doctor;
extern const HfCommand hf_command_keygen;
extern const HfCommand hf_command_token;
extern const HfCommand hf_command_notify;
