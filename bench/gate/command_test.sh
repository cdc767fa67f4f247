#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the gate does with builds that misbehave, with bad input, and when it is interrupted: the exit
# status, one clear line, and no report that looks whole and is not.
# Usage: command_test.sh XPGATE FAKE_WORKER JUNIT_XSD
set -uo pipefail
xpgate=$1 fake=$2 xsd=$3
work=$(mktemp -d)
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
failures=0
out=$work/out
# A copy, so that no other test's workers are taken for those of this one.
cp "$fake" "$work/fake_worker_of_this_test" && fake=$work/fake_worker_of_this_test
# The controls are told too and not measured: what else the machine does is no part of this test.
controls=(--control-program "$fake")
short=(--launches 2 --blocks 6 "${controls[@]}")

fail() {
	echo "FAIL: $1"
	sed 's/^/    /' "$out"
	failures=$((failures + 1))
}

# build NAME [BEHAVIOUR...]: a folder that looks like a build, whose worker behaves like that.
build() {
	local name=$1
	shift
	mkdir -p "$work/$name/bin"
	printf '#!/bin/sh\nexec %s --noise 0.01 %s "$@"\n' "$fake" "$*" >"$work/$name/bin/xpbench"
	chmod +x "$work/$name/bin/xpbench"
}

# gate STATUS PATTERN ARGUMENT...: the gate ends with STATUS and prints a line that matches PATTERN.
gate() {
	local wanted=$1 pattern=$2 status=0
	shift 2
	"$xpgate" "$@" >"$out" 2>&1 </dev/null || status=$?
	((status == wanted)) || fail "status $status, not $wanted: xpgate $*"
	grep -qE -- "$pattern" "$out" || fail "no line like '$pattern': xpgate $*"
}
against() {
	local wanted=$1 pattern=$2 candidate=$3
	shift 3
	gate "$wanted" "$pattern" compare --baseline "$work/base" --candidate "$work/$candidate" \
		"${short[@]}" --looks 1 --timeout 60 --counted no "$@"
}
one_line() {
	(($(wc -l <"$out") == 1)) || fail "more than one line: $1"
}

build base
build same
build slow --slower 30 --slow-case fake/middle
build crash --crash-after 10 --slow-case fake/quick
build hang --hang-after 10 --slow-case fake/quick
build lack --lack fake/slow
build schema --schema 2
build ready --wrong-ready
build garbage --garbage-after 3
build status --bad-status 3
build listcrash --crash-list
build listhang --hang-list
build orphan --orphan
mkdir "$work/empty"
mkdir -p "$work/notrun/bin" && echo text >"$work/notrun/bin/xpbench"

against 0 'No regression found: 3 ok' same
against 1 'fake/middle +regressed' slow
grep -qE 'fake/quick +ok' "$out" || fail 'fake/quick is not ok beside a regression'
against 3 'fake/quick +error .*crashed with signal 6 .*told to crash' crash
grep -qE 'fake/middle +ok' "$out" || fail 'a crash of one case took another with it'
against 3 'fake/quick +error .*hung: no answer within 2' hang --timeout 2 fake/quick
against 0 'fake/slow +skipped .*the candidate lacks it' lack
against 4 'fake/slow +skipped' lack --strict
against 3 'speaks another protocol' ready
against 3 'answered "what\?"' garbage
against 3 'ended with status 3' status
against 0 'No regression found' orphan
against 2 'schema 2' schema
one_line schema
against 3 'crashed with signal 6 while it listed' listcrash
one_line listcrash
against 3 'hung: --list-cases' listhang --timeout 2
one_line listhang
against 2 'No such file' absent
one_line absent
against 2 'no program bin/xpbench' empty
one_line empty
against 2 'cannot be executed' notrun
one_line notrun
against 2 'neither build has a case fake/none' same fake/none
one_line 'no such case'
against 2 'wants a number' same --launches none
against 2 'larger than --margin' same --margin 20
gate 2 'wants --baseline' compare --candidate "$work/same"
gate 2 "no verb" frobnicate
against 0 'fake/extra +ok' same 'fake/*'
against 77 'Nothing could run' same --budget 0

# Nothing is left of any of them, nor of the child that one of them left behind.
if pgrep -f "$fake" >"$out"; then
	fail 'a worker is still alive'
fi

# A machine on which the idle worker burns CPU cannot measure.
build real --real
build burn --real --burn
gate 3 'while it should sleep' compare --baseline "$work/real" --candidate "$work/burn" --launches 3 \
	--blocks 6 --looks 1 --counted no "${controls[@]}"

# Reports: whole, valid, and made again from the recorded pairs with the same verdicts.
against 1 regressed slow --json "$work/run.json" --junit "$work/run.xml" --html "$work/run.html" \
	--markdown "$work/run.md" --annotations "$work/run.txt" --gbench "$work/gbench.json"
if command -v xmllint >/dev/null; then
	xmllint --noout --schema "$xsd" "$work/run.xml" 2>"$out" || fail 'the JUnit report is not valid'
	grep -q 'failures="1" errors="0"' "$work/run.xml" || fail 'the JUnit counts are wrong'
fi
gate 1 'fake/middle +regressed' judge "$work/run.json" --junit "$work/again.xml"
cmp -s "$work/run.xml" "$work/again.xml" || fail 'a recorded run makes another JUnit report'
head -c 1000 "$work/run.json" >"$work/half.json"
gate 2 'half.json:1:' judge "$work/half.json"
one_line 'half a run'
gate 2 'No such file' judge "$work/absent.json"
gate 2 'is not a run of xpgate' judge "$work/gbench.json"

# Counted costs: exact, and named; a count that rose fails the gate although the time is the same.
build syscalls --syscalls 1 --slow-case fake/middle
build allocations --allocations 2 --slow-case fake/quick
counted() {
	local wanted=$1 pattern=$2 candidate=$3
	shift 3
	gate "$wanted" "$pattern" compare --baseline "$work/base" --candidate "$work/$candidate" --counted only "$@"
}
counted 0 'No regression found: 2 ok' same fake/middle fake/quick
allocations=yes
if grep -q 'not counted (the worker does not start with the counter preloaded' "$out"; then
	echo "built with a sanitizer, which wants to be loaded first: allocations are not counted"
	allocations=no
fi
if grep -q 'not counted (tracing' "$out"; then
	echo "tracing is not allowed here: system calls are not counted"
else
	counted 1 'fake/middle +regressed +syscalls per operation: 1, was 0; getppid \+1' syscalls fake/middle fake/slow
	grep -qE 'fake/slow +ok' "$out" || fail 'a system call of one case took another with it'
fi
if [[ $allocations == yes ]]; then
	counted 1 'fake/quick +regressed +allocations per operation: 2, was 0' allocations
	grep -qE 'fake/middle +ok' "$out" || fail 'an allocation of one case took another with it'
fi

# Switches decide where they are a whole number. A share of operations that sleep is the scheduler's choice, even
# if it comes out the same each time.
for every in 1 2 4 1000000; do
	build sleep$every --sleep-every $every --slow-case fake/slow
done
switches() {
	gate "$1" "$2" compare --baseline "$work/sleep$3" --candidate "$work/sleep$4" --counted only fake/slow
}
switches 1 'fake/slow +regressed +switches per operation: 1, was 0' 1000000 1
switches 0 'No regression found: 1 ok' 4 2

# Stored baselines: their counts decide, their times warn, another machine's are refused.
gate 0 'stored.json: 3 cases' baseline --build "$work/base" --file "$work/stored.json" "${short[@]}"
gate 0 '3 ok' against --build "$work/same" --file "$work/stored.json" "${short[@]}" \
	--history "$work/history.jsonl"
if [[ $allocations == yes ]]; then
	gate 1 'allocations per operation: 2' against --build "$work/allocations" --file "$work/stored.json" \
		--counted-only --history "$work/history.jsonl"
fi
gate 0 'warning: fake/middle: \+(29|30|31) % against the stored time' against --build "$work/slow" \
	--file "$work/stored.json" "${short[@]}"
runs=1
if [[ $allocations == yes ]]; then
	gate 0 'fake/middle,allocations,0' export "$work/history.jsonl"
	runs=2
fi
(($(wc -l <"$work/history.jsonl") == 3 * runs)) || fail 'the history has not a line for each case of each run'
echo '{"schema":1,"ca' >>"$work/history.jsonl"
gate 2 "history.jsonl:$((3 * runs + 1)):" export "$work/history.jsonl" "$work/export.csv"
[[ ! -e $work/export.csv ]] || fail 'half an export looks whole'
gate 2 'was not written: No space left' baseline --build "$work/base" --file /dev/full --counted-only
sed 's/"cpus": [0-9]*/"cpus": 4096/' "$work/stored.json" >"$work/foreign.json"
gate 2 'baseline of another machine \(cpus: [0-9]+, was 4096\)' against --build "$work/same" \
	--file "$work/foreign.json"
one_line 'a foreign baseline'
gate 0 '3 ok' against --build "$work/same" --file "$work/foreign.json" --counted-only
gate 0 '3 ok' against --build "$work/slow" --file "$work/foreign.json" --normalize "${short[@]}"
sed 's/"arch": "[^"]*"/"arch": "pdp11"/' "$work/stored.json" >"$work/foreign.json"
gate 2 'arch: .*, was pdp11' against --build "$work/same" --file "$work/foreign.json" --counted-only
gate 2 'is not a baseline' against --build "$work/same" --file "$work/run.json"

# A report that cannot be written is an error, and the others are written all the same.
against 2 'json report /dev/full was not written: No space left' same --json /dev/full \
	--markdown "$work/beside.md"
[[ -s $work/beside.md ]] || fail 'one report that failed took another with it'
[[ -c /dev/full ]] || fail 'a device was replaced by a report'
if [[ $EUID -eq 0 ]] && mkdir "$work/small" && mount -t tmpfs -o size=4k none "$work/small" 2>/dev/null; then
	against 2 'was not written: No space left' same --json "$work/small/run.json"
	[[ -z $(ls -A "$work/small") ]] || fail 'half a report is left on a full disk'
	umount "$work/small"
fi

# Interrupted: it says so, the report says so, no worker stays, and the caller sees the signal.
# The process group is its own, as a terminal's would be.
set -m
"$xpgate" compare --baseline "$work/real" --candidate "$work/real" --quiet --counted no --json "$work/part.json" \
	>"$out" 2>&1 &
pid=$!
set +m
while [[ ! -d /proc/$pid/task/$pid ]] || ! pgrep -g "$pid" -f xpgate >/dev/null ||
	! pgrep -f "$fake" >/dev/null; do
	kill -0 $pid 2>/dev/null || break
done
kill -INT -- -"$pid"
wait "$pid"
status=$?
((status == 130)) || fail "an interrupted run ends with $status, not 130"
grep -q 'INTERRUPTED' "$out" || fail 'an interrupted run does not say so'
grep -q '"complete":false' "$work/part.json" || fail 'the report of an interrupted run looks whole'
if pgrep -f "$fake" >"$out"; then
	fail 'an interrupted run leaves workers'
fi

# Killed outright, it takes its workers with it.
"$xpgate" compare --baseline "$work/real" --candidate "$work/real" --quiet --counted no >"$out" 2>&1 &
pid=$!
while ! pgrep -f "$fake" >/dev/null; do
	kill -0 $pid 2>/dev/null || break
done
kill -KILL $pid
wait $pid 2>/dev/null
for _ in $(seq 200); do
	pgrep -f "$fake" >/dev/null || break
done
if pgrep -f "$fake" >"$out"; then
	fail 'a killed gate leaves workers'
fi

((failures == 0)) && echo "all as expected"
exit $((failures > 0))
