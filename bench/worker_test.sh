#!/bin/sh
# SPDX-License-Identifier: MIT
# The protocol of bench/worker.h, spoken by a program that knows nothing else of it.
# Usage: worker_test.sh XPBENCH
set -eu
xpbench=$1
case=$("$xpbench" --list-cases | cut -f1 | grep '^floor/floor/futex/' | head -1)
[ -n "$case" ] || { echo "no case to drive"; exit 1; }

answers=$(printf 'run 100\neach 200\nrun 0\nrun\nsing\nrun 5 6\nrun 50\nquit\n' | "$xpbench" --worker "$case")
expected="^ready $case
^ns [0-9]+ ops 100\$
^ns [0-9]+ ops 200 p50 [0-9]+ p99 [0-9]+\$
^error want
^error want
^error want
^error want
^ns [0-9]+ ops 50\$
^bye\$"
n=0
echo "$expected" | while read -r pattern; do
	n=$((n + 1))
	line=$(echo "$answers" | sed -n "${n}p")
	echo "$line" | grep -qE "$pattern" || { echo "line $n: '$line', want $pattern"; exit 1; }
done
[ "$(echo "$answers" | wc -l)" -eq 9 ]

set +e
"$xpbench" --worker no/such/case </dev/null | grep -q '^error no case' || exit 1
"$xpbench" --worker no/such/case </dev/null >/dev/null; [ $? -eq 2 ] || exit 1
"$xpbench" --worker "$case" </dev/null >/dev/null; [ $? -eq 0 ] || exit 1
