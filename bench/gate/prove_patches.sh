#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# prove_patches - show that the gate finds real slowdowns, not injected ones, and nothing else.
#
# Each patch of patches/ slows something down, and names the cases that must then be "regressed" (lines
# "Regressed: GLOB") and those that may be (lines "May: GLOB"). No other case may be. Wants a quiet
# machine and about eight minutes a patch; results go to OUT (results/gate/patches by default).
# Usage: prove_patches.sh [OUT [PATCH...]]
set -uo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
top=$(realpath "$here/../..")
out=$(realpath -m "${1:-$top/results/gate/patches}")
shift || true
(($# > 0)) || set -- "$here"/patches/*.patch
failures=0

# matches NAME KEY PATCH: whether a line "KEY: GLOB" of the patch matches the name.
matches() {
	local glob
	while read -r glob; do
		# shellcheck disable=SC2053 # a glob it is
		[[ $1 != $glob ]] || return 0
	done < <(sed -n "s/^$2: //p" "$3")
	return 1
}

for patch in "$@"; do
	name=$(basename "$patch" .patch)
	report=$out/$name
	status=0
	"$top/scripts/regress" HEAD --patch "$patch" --out "$report" || status=$?
	((status < 128)) || exit "$status"
	wrong=0
	if ((status != 1)); then
		echo "WRONG: $name: the gate exits $status, not 1"
		wrong=1
	fi
	while read -r case verdict _; do
		if matches "$case" Regressed "$patch"; then
			[[ $verdict == regressed ]] || {
				echo "WRONG: $name: $case is $verdict, not regressed"
				wrong=1
			}
		elif [[ $verdict == regressed ]] && ! matches "$case" May "$patch"; then
			echo "WRONG: $name: $case is regressed, and the patch does not touch it"
			wrong=1
		fi
	done < <(grep -E '^  [a-z_]+/' "$report/regress.txt" 2>/dev/null | grep -v '  control ')
	((wrong)) || echo "RIGHT: $name: regressed where it must be, and nowhere else"
	failures=$((failures + wrong))
	rm -f "$report"/regress.{gbench.json,annotations}
	# Kept for others, to whom the place of this checkout says nothing.
	sed -i "s#$top/##g" "$report"/regress.* 2>/dev/null
done
echo "$(($# - failures)) of $# patches found in the right cases"
exit $((failures > 0))
