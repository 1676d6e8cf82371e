#include "config.h"

#include "cli/help.h"

#include <stdio.h>
#include <string.h>

/* troff reads "\" as an escape, "-" as a hyphen that is no minus sign, and a line that begins with "." or "'" as a
 * request (groff_man(7), "Portability"). */
static void
print_escaped(const char *text)
{
	if (*text == '.' || *text == '\'')
		printf("\\&");
	for (; *text; text++) {
		if (*text == '\\')
			printf("\\e");
		else if (*text == '-')
			printf("\\-");
		else
			putchar(*text);
	}
}

static void
print_paragraphs(const char *text)
{
	g_auto(GStrv) paragraphs = g_strsplit(text, "\n\n", -1);

	for (char **paragraph = paragraphs; *paragraph; paragraph++) {
		bool is_example = **paragraph == ' ';

		printf(paragraph == paragraphs ? "" : ".IP\n");
		printf(is_example ? ".EX\n" : "");
		print_escaped(g_strchug(*paragraph));
		printf(is_example ? "\n.EE\n" : "\n");
	}
}

static void
print_tagged(const char *tag, const char *text)
{
	printf(".TP\n.B ");
	print_escaped(tag);
	printf("\n");
	print_paragraphs(text);
}

static void
print_options(const GOptionEntry *options)
{
	for (; options && options->long_name; options++) {
		g_autofree char *tag = hf_help_option_text(options);

		if (tag)
			print_tagged(tag, options->description);
	}
}

static void
print_command(const HfCommand *command)
{
	g_autofree char *tag = g_strdup_printf("holdfast %s %s", command->name, command->arguments);

	print_tagged(g_strchomp(tag), command->help);
	if (command->options) {
		printf(".RS\n");
		print_options(command->options);
		printf(".RE\n");
	}
}

static void
print_setting(const HfSetting *setting)
{
	g_autofree char *tag = setting->alias ? g_strdup_printf("%s, %s", setting->name, setting->alias)
					      : g_strdup(setting->name);
	g_autoptr(GString) text = g_string_new(setting->help);

	if (setting->default_value)
		g_string_append_printf(text, " Default: %s.", setting->default_value);
	if (setting->type == HF_TYPE_SECRET)
		g_string_append_printf(text, " %s_FILE names a file to read it from.", setting->name);
	print_tagged(tag, text->str);
}

static void
print_settings(void)
{
	const char *group = NULL;

	printf(".SH SETTINGS\n"
	       "Settings are environment variables. Those that are not set there are looked for in the file "
	       "of\n"
	       ".BR \\-\\-env\\-file ,\nelse in\n.IR ./.env ,\nelse in\n.IR /etc/holdfast/holdfast.env .\n"
	       "The file holds NAME=VALUE lines as dotenv reads them. Names that are none of these are not "
	       "looked\n"
	       "at, unless they look like a slip of the finger.\n");
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++) {
		if (hf_setting_is_repeated(id))
			continue;
		if (g_strcmp0(group, hf_setting(id)->group) != 0)
			printf(".SS %s\n", hf_setting(id)->group);
		group = hf_setting(id)->group;
		print_setting(hf_setting(id));
	}
}

void
hf_help_print_man(const GOptionEntry *global_options)
{
	size_t count;
	const HfCommand *const *commands = hf_commands(&count);

	printf(".\\\" Made by holdfast \\-\\-man; do not edit.\n"
	       ".TH HOLDFAST 1 \"\" \"holdfast %s\" \"User Commands\"\n"
	       ".SH NAME\nholdfast \\- back up a PostgreSQL database, prove the backup, restore it\n"
	       ".SH SYNOPSIS\n.B holdfast\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n"
	       ".SH DESCRIPTION\nHoldfast dumps a PostgreSQL database into a folder or an S3 bucket, as "
	       "files that\n"
	       "gunzip and psql read, and restores it from there.\n"
	       "A backup exists when its manifest exists; the manifest is written last.\n"
	       ".SH COMMANDS\n",
	       PACKAGE_VERSION);
	for (size_t i = 0; i < count; i++)
		print_command(commands[i]);
	printf(".SH OPTIONS\nThese may stand before or behind the command.\n");
	print_options(global_options);
	print_settings();
	printf(".SH EXIT STATUS\n");
	print_tagged("0", "Done.");
	print_tagged("1", "Failed; one line on standard error says why.");
	print_tagged("2", "What was asked for, or a setting, is wrong; nothing was done.");
	print_tagged("3", "Done, but the result is suspect or partial.");
	printf(".SH SEE ALSO\n.BR pg_dump (1),\n.BR psql (1)\n");
}

void
hf_help_print_completion(const GOptionEntry *global_options)
{
	g_autoptr(GString) words = g_string_new("help");
	g_autoptr(GString) options = g_string_new(NULL);
	size_t count;
	const HfCommand *const *commands = hf_commands(&count);

	for (const GOptionEntry *option = global_options; option->long_name; option++)
		if (!(option->flags & G_OPTION_FLAG_HIDDEN))
			g_string_append_printf(options, "--%s ", option->long_name);
	for (size_t i = 0; i < count; i++) {
		g_string_append_printf(words, " %s", commands[i]->name);
		for (const GOptionEntry *o = commands[i]->options; o && o->long_name; o++)
			g_string_append_printf(options, "--%s ", o->long_name);
	}
	printf("# bash completion for holdfast\n"
	       "_holdfast() {\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]}\n"
	       "\tcase $word in\n"
	       "\t-*) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\") ;;\n"
	       "\t*) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\") ;;\n"
	       "\tesac\n}\n"
	       "complete -o default -F _holdfast holdfast\n",
	       g_strchomp(options->str), words->str);
}
