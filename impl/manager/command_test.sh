#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line of xpmanager: wrong usage, and what --stats prints of a manager that runs.
# Usage: command_test.sh XPMANAGER
xpmanager=$1
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>"$work/kill"; rm -rf "$work"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

# Ends with $1 and says $2 on standard error; nothing on standard output.
refused() {
	want=$1
	words=$2
	shift 2
	"$xpmanager" "$@" >"$work/out" 2>"$work/err"
	code=$?
	[ $code -eq "$want" ] || fail "$* ended with $code, want $want"
	[ -s "$work/out" ] && fail "$* printed to standard output"
	grep -q -e "$words" "$work/err" || fail "$* did not say '$words': $(cat "$work/err")"
}

printf 'a test key' >"$work/key"
chmod 600 "$work/key"
XP_AUTHKEY='a test key'
export XP_AUTHKEY

refused 2 'say where to listen'
refused 2 'unrecognized option' --no-such-option
refused 2 'unexpected argument' --listen "unix:$work/s" argument
refused 2 'not unix:/path' --listen nowhere
refused 2 'not unix:/path' --stats nowhere
refused 2 'a way to print --stats' --json --listen "unix:$work/s"
refused 2 'event or thread' --server process --listen "unix:$work/s"
refused 2 'wants a number' --max-objects many --listen "unix:$work/s"
(unset XP_AUTHKEY; refused 2 'no key' --stats "unix:$work/s"; exit $failed) || failed=1
refused 1 'nobody listens' --stats "unix:$work/s"
refused 1 "cannot listen on unix:$work/no/s: No such file" --listen "unix:$work/s" --listen "unix:$work/no/s"
[ -e "$work/s" ] && fail 'the socket of an address beside one that failed is left'
refused 1 "cannot listen on unix:$work/key: .*not a socket" --quiet --listen "unix:$work/key"
refused 1 'cannot listen on fd:77: Bad file descriptor' --listen fd:77

# Somebody keeps the lock on the directory for as long as it likes.
mkdir "$work/locked"
flock "$work/locked" "$xpmanager" --listen "unix:$work/locked/s" 2>"$work/err"
[ $? -eq 1 ] || fail "in a locked directory it does not end with 1"
grep -q "on unix:$work/locked/s: .*keeps its directory locked" "$work/err" || fail "it says: $(cat "$work/err")"

for model in event thread; do
	mkfifo "$work/ready"
	"$xpmanager" --server $model --quiet --listen "unix:$work/s" --ready-fd 3 3>"$work/ready" &
	server=$!
	read -r address <"$work/ready"
	rm "$work/ready"
	[ "$address" = "unix:$work/s" ] || fail "$model listens on $address"
	"$xpmanager" --stats "$address" --authkey-file "$work/key" >"$work/table" || fail "--stats failed"
	grep -q "^  model  *$model\$" "$work/table" || fail "the table lacks the model"
	grep -q '^  peak  *[0-9.]* MiB$' "$work/table" || fail "the table lacks the memory"
	grep -q '^  functions.stats  *1$' "$work/table" || fail "the table lacks the call itself"
	# A client that has ended counts until the server has heard of it, so the question is asked again.
	asked=1
	until [ $asked -ge 500 ]; do
		asked=$((asked + 1))
		"$xpmanager" --stats "$address" --json >"$work/json" || fail "--stats --json failed"
		grep -q '"now": 1,' "$work/json" && break
	done
	python3 - "$work/json" $model $server $asked <<-'END' || fail "the JSON is not: $(cat "$work/json")"
		import json, sys
		stats = json.load(open(sys.argv[1]))
		assert stats["server"]["model"] == sys.argv[2] and stats["server"]["pid"] == int(sys.argv[3])
		assert stats["clients"]["now"] == 1, stats["clients"]
		assert stats["calls"]["functions"]["stats"] == int(sys.argv[4]), stats["calls"]
	END
	XP_AUTHKEY=wrong refused 1 'refuses the key' --stats "$address"
	kill "$server"
	wait "$server" || fail "the server ended with $?"
	server=
done

# IPv4 and IPv6; a log that nobody can write, because the disk is full, is no reason not to serve.
for host in 127.0.0.1 '[::1]'; do
	mkfifo "$work/ready"
	"$xpmanager" --listen "tcp:$host:0" --ready-fd 3 3>"$work/ready" 2>/dev/full &
	server=$!
	read -r address <"$work/ready"
	rm "$work/ready"
	if [ -z "$address" ] && [ "$host" = '[::1]' ] && [ ! -s /proc/net/if_inet6 ]; then
		echo "no IPv6 here"
		server=
		continue
	fi
	for _ in 1 2 3; do
		XP_AUTHKEY=wrong refused 1 'refuses the key' --stats "$address"
	done
	"$xpmanager" --stats "$address" >"$work/table" || fail "--stats $address failed"
	grep -q '^  refused.key  *3$' "$work/table" || fail "the refusals are not counted"
	kill "$server"
	wait "$server" || fail "the server ended with $?"
	server=
done

# A file system that takes no more files.
mkdir "$work/full"
mounted='mount -t tmpfs -o nr_inodes=1 none "$1" && shift && exec "$@"'
if unshare -rm sh -c "$mounted" sh "$work/full" true 2>"$work/err"; then
	unshare -rm sh -c "$mounted" sh "$work/full" "$xpmanager" --listen "unix:$work/full/s" 2>"$work/err"
	[ $? -eq 1 ] || fail "on a full file system it does not end with 1"
	grep -q 'cannot listen on unix:.*/full/s: No space left on device' "$work/err" || fail "it says: $(cat "$work/err")"
else
	echo "no mount namespace here: the full file system is not tried"
fi
exit $failed
