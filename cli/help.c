#include "config.h"

#include "cli/help.h"
#include "cli/text.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 80

char *
hf_help_option_text(const GOptionEntry *option)
{
	g_autofree char *letter = option->short_name ? g_strdup_printf("-%c, ", option->short_name)
						     : g_strdup("");

	if (option->flags & G_OPTION_FLAG_HIDDEN)
		return NULL;
	return g_strdup_printf("%s--%s%s%s", letter, option->long_name, option->arg_description ? "=" : "",
			       option->arg_description ? option->arg_description : "");
}

static void
add_options(HfGrid *grid, const GOptionEntry *options)
{
	for (; options && options->long_name; options++) {
		g_autofree char *text = hf_help_option_text(options);

		if (text)
			hf_grid_add(grid, (const char *const[]){"", text, options->description});
	}
}

static void
print_options(const char *heading, const GOptionEntry *options)
{
	g_autoptr(HfGrid) grid = hf_grid_new("lll");
	g_autofree char *text = NULL;

	add_options(grid, options);
	text = hf_grid_to_text(grid);
	printf("\n%s:\n%s", heading, text);
}

void
hf_help_print(const GOptionEntry *global_options)
{
	g_autoptr(HfGrid) grid = hf_grid_new("lll");
	g_autofree char *text = NULL;
	size_t count;
	const HfCommand *const *commands = hf_commands(&count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *form = g_strdup_printf("%s %s", commands[i]->name, commands[i]->arguments);

		hf_grid_add(grid, (const char *const[]){"", g_strchomp(form), commands[i]->summary});
	}
	text = hf_grid_to_text(grid);
	printf("usage: holdfast [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	       "Backs up a PostgreSQL database, proves that it can be restored, and restores it.\n\n"
	       "commands:\n%s",
	       text);
	print_options("options", global_options);
	printf("\n\"holdfast help COMMAND\" says more about one of them; \"holdfast doctor\" is a good "
	       "beginning.\n");
}

void
hf_help_print_wrapped(const char *text, int indent)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	size_t column = 0;

	for (char **word = words; *word; word++) {
		if (column > 0 && column + 1 + strlen(*word) > COLUMNS) {
			printf("\n");
			column = 0;
		}
		column += (size_t)printf("%*s%s", column > 0 ? 1 : indent, "", *word);
	}
	printf("\n");
}

/* One that begins with blanks is an example and stays as it is. */
static void
print_paragraph(const char *paragraph)
{
	if (paragraph[0] == ' ')
		printf("%s\n", paragraph);
	else
		hf_help_print_wrapped(paragraph, 0);
}

void
hf_help_print_command(const HfCommand *command, const GOptionEntry *global_options)
{
	g_auto(GStrv) paragraphs = g_strsplit(command->help, "\n\n", -1);

	printf("usage: holdfast %s%s%s%s\n", command->name, command->options ? " [OPTIONS]" : "",
	       *command->arguments ? " " : "", command->arguments);
	for (char **paragraph = paragraphs; *paragraph; paragraph++) {
		printf("\n");
		print_paragraph(*paragraph);
	}
	if (command->options)
		print_options("options", command->options);
	print_options("options of every command", global_options);
}
