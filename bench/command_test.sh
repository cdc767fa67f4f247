#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line of xpbench: bad input is exit code 2, one line on standard error, and nothing made.
# Usage: command_test.sh XPBENCH RECORDED-RUN
xpbench=$1
recorded=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

refused() {
	"$xpbench" "$@" --dry --out="$work/refused" >"$work/out" 2>"$work/err"
	code=$?
	[ $code -eq 2 ] || fail "$* ended with $code, want 2"
	[ -s "$work/out" ] && fail "$* printed to standard output"
	[ "$(wc -l <"$work/err")" -eq 1 ] || fail "$* printed: $(cat "$work/err")"
	[ -e "$work/refused" ] && fail "$* left $work/refused"
	rm -rf "$work/refused"
}

refused --no-such-option
refused argument
refused --benchmark_no_such_flag=1
refused --benchmark_filter=matches_nothing_at_all
refused '--benchmark_filter=('
refused --benchmark_repetitions=many
refused --benchmark_min_time=soon
refused --benchmark_format=poem
refused --placement=moon
refused --placement=0-99999
refused --placement=
refused --seed=x
refused --report
refused --report=poem

run="$work/some/new/folders/run"
"$xpbench" --dry --benchmark_filter='floor/(syscall|futex)' --out="$run" >"$work/out" 2>&1 ||
	fail "a dry run failed: $(cat "$work/out")"
for file in context.json bench.json topology.xml; do
	[ -s "$run/$file" ] || fail "the run has no $file"
done
grep -q '"complete": true' "$run/context.json" || fail "the run does not say that it is complete"
"$xpbench" --dry --benchmark_filter=syscall --out=/proc/none/run >/dev/null 2>"$work/err"
[ $? -eq 2 ] || fail "a folder that cannot be made was accepted"
grep -q 'out: /proc/none/run: ' "$work/err" || fail "no word about the folder: $(cat "$work/err")"
"$xpbench" --dry --benchmark_filter=syscall --out="$run" >/dev/null 2>&1
[ $? -eq 2 ] || fail "a run was written over"
"$xpbench" --report targets "$run" >"$work/out" 2>&1 || fail "--report targets: $(cat "$work/out")"
"$xpbench" --report targets "$recorded" >"$work/out" || fail "--report targets of a recorded run"
# A ratio that is paired, one that is not, a limit without a reference, and what the run has not.
for row in 'in batches of 32, against the best peer.*| 1.51 | >= 1 | met' \
	'queue, 8 B items, against the queue on a pipe .*| >= 10 | met' \
	'a small request decoded.*| - | - | - | <= 1000 | met |' \
	'lock, contended, fair: .*| absent |'; do
	grep -q "$row" "$work/out" || fail "--report targets has no row '$row'"
done
"$xpbench" --report targets "$work" >/dev/null 2>&1
[ $? -eq 2 ] || fail "--report of no run"
printf '{"name":' >>"$run/bench.json"
"$xpbench" --report targets "$run" >/dev/null 2>"$work/err"
[ $? -eq 2 ] || fail "--report of a malformed run"
grep -q "bench.json:[0-9]*: " "$work/err" || fail "the malformed line is not named: $(cat "$work/err")"

"$xpbench" --help | grep -q -- --placement || fail "--help"
"$xpbench" doctor >/dev/null || fail "doctor"
[ "$("$xpbench" --benchmark_list_tests --benchmark_filter='floor/syscall' | wc -l)" -eq 1 ] ||
	fail "--benchmark_list_tests"
"$xpbench" --dry --benchmark_filter=floor/syscall --benchmark_format=json >"$work/out" 2>/dev/null ||
	fail "--benchmark_format=json"
grep -q '"name": "floor/floor/syscall/single"' "$work/out" || fail "Google Benchmark's names"

# An interruption: 130, no member left, what was complete is there and says so.
"$xpbench" --benchmark_filter=floor/futex --benchmark_min_time=2 --out="$work/cut" >/dev/null 2>&1 &
pid=$!
tries=0
until [ "$(pgrep -c -P $pid)" -ge 2 ] || [ $tries -ge 500 ]; do
	tries=$((tries + 1))
done
members=$(pgrep -P $pid)
kill -INT $pid
wait $pid
[ $? -eq 130 ] || fail "an interrupted run did not end with 130"
for member in $members; do
	[ -e "/proc/$member" ] && fail "member $member outlived the interruption"
done
grep -q '"complete": false' "$work/cut/context.json" || fail "an interrupted run claims to be complete"
exit $failed
