#!/bin/bash
# The rules of docs/style.md that a machine can check, as TAP.  Each rule stands beside its reason: a function that
# prints its findings, and prints nothing where there are none.
set -u
cd "$(dirname "$0")/.." || exit 1

files() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -- "$@"
	else
		for pattern in "$@"; do find . -type f -name "$pattern" -not -path './build*' | sed 's|^\./||'; done
	fi | while read -r f; do [ -f "$f" ] && echo "$f"; done
}
mapfile -t c_files < <(files '*.c' '*.h')
mapfile -t c_sources < <(files '*.c')
mapfile -t shell_files < <(files '*.sh' && echo .ci/run)
mapfile -t python_files < <(files '*.py')
mapfile -t all_files < <(files '*')

# One format, so that a diff shows changes and nothing else.
clang_format() {
	for f in "${c_files[@]}"; do
		clang-format --dry-run -Werror "$f" >/dev/null 2>&1 || echo "$f: run clang-format -i"
	done
}

# Each of these overruns a buffer, keeps hidden state, hides an error, or starts a shell.
banned_functions() {
	grep -nE '\b(sprintf|vsprintf|strcpy|strcat|strtok|atoi|atol|gets|system|popen|gmtime|localtime)\(' "${c_files[@]}"
}

# What is too long to be read at once hides mistakes (docs/style.md, "Size").
file_size() {
	wc -l "${c_files[@]}" "${shell_files[@]}" "${python_files[@]}" |
		awk '$2 != "total" && $1 > 700 {print $2 ": " $1 " lines"}'
}
function_size() {
	pmccabe "${c_sources[@]}" 2>/dev/null |
		awk '$5 > 70 || $1 > 15 {print $6 " " $7 ": " $5 " lines, complexity " $1}'
}

# Words of unfinished work (split, so that this line does not find itself).
unfinished_words() {
	grep -nwE 'TO''DO|FIX''ME|X''XX|HA''CK' "${c_files[@]}" "${shell_files[@]}" "${python_files[@]}"
}

# Quoting and unset variables are where shell scripts go wrong.
shell_check() {
	shellcheck -x -S warning "${shell_files[@]}" 2>&1
}

# A path of a developer's machine works nowhere else.
machine_paths() {
	grep -nIE '(^|[^A-Za-z0-9_.])/(work|farm)/' "${all_files[@]}" | grep -v '^tests/lint.sh:'
}

# Arrows point one way (docs/design.md, section 2).
arrows() {
	grep -nE '#include "(backup|auth|fcgi|timer|cli)/' common/*.[ch]
	grep -rnE --include='*.[ch]' '#include "(auth|fcgi|timer|cli)/' backup
}

n=0
failures=0
for rule in clang_format banned_functions file_size function_size unfinished_words shell_check machine_paths arrows; do
	n=$((n + 1))
	findings=$($rule)
	if [ -z "$findings" ]; then
		echo "ok $n /lint/$rule"
	else
		printf '%s\n' "$findings" | head -n 20
		echo "not ok $n /lint/$rule"
		failures=$((failures + 1))
	fi
done
echo "1..$n"
[ "$failures" -eq 0 ]
