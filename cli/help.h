/*
 * cli/help.h -- help, man page and shell completion, made from the tables of commands and settings.
 */
#pragma once

#include "cli/command.h"

/* All of these print to stdout.  global_options are those that every command takes. */
void hf_help_print(const GOptionEntry *global_options);
void hf_help_print_command(const HfCommand *command, const GOptionEntry *global_options);

/* troff, in the macros of man(7). */
void hf_help_print_man(const GOptionEntry *global_options);
void hf_help_print_completion(const GOptionEntry *global_options);

/* The words of text in lines of at most 80 columns, each after indent blanks. */
void hf_help_print_wrapped(const char *text, int indent);

/* "-q, --quiet", "--to=URL"; NULL for one that is not to be shown.  g_free() it. */
char *hf_help_option_text(const GOptionEntry *option);
