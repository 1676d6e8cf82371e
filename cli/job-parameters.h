/*
 * cli/job-parameters.h -- a command's options and arguments as the parameters of a job, and back.
 *
 * The table of the command's options is the whole mapping: "--full-images" is the member "full_images": true, and SET is
 * "set".  So what a command learns, a job knows.
 */
#pragma once

#include "cli/command.h"

/*
 * What was given on the command line, after it was parsed: a JSON object as text, g_free() it.  Passwords in it are
 * replaced by "***": it is for others to read.
 */
char *hf_job_parameters_of(const HfCommand *command, char **arguments);

/* The same for parameters that somebody else wrote. */
char *hf_job_parameters_without_passwords(const char *parameters);

/*
 * Parses parameters into the command's options, and gives its arguments; g_strfreev() them.  USAGE names what the command
 * does not know, and what is of another type.
 */
char **hf_job_parameters_parse(const HfCommand *command, const char *parameters,
			       GError **error) G_GNUC_WARN_UNUSED_RESULT;
