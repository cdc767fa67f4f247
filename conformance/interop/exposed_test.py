# SPDX-License-Identifier: MIT
"""exposed_test - the methods of every typeid of every CPython, against those of xpmanager, in both directions.

    exposed_test.py --xpmanager PROGRAM

Each interpreter asks its own manager and xpmanager (exposed.py). A name that one of them lists or answers
and the other does not, an order of names, or another kind of answer to the bare name, is a failure but for
the rows of differences.py.
"""
import sys

import differences
import servers

LEAST = 90  # lines; fewer means that something ended early


def answers(command, address):
    """What was said: subject -> rest of the line."""
    status, said = servers.run(command, "exposed.py", address)
    lines = dict(line.partition(" ")[::2] for line in said.splitlines())
    if status != 0 or len(lines) < LEAST:
        lines["it"] = "ended with %s: %s" % (status, said[-300:])
    return lines


def main(argv):
    failures = 0
    with servers.Ours(argv[2]) as ours:
        for version, command in servers.wanted("all"):
            with servers.Stock(command, "unix") as stock:
                mine, theirs = answers(command, ours.addresses[0]), answers(command, stock.addresses[0])
            other = []
            for subject in sorted(set(mine) | set(theirs)):
                pair = mine.get(subject, "absent"), theirs.get(subject, "absent")
                if pair[0] == pair[1]:
                    continue
                reason = differences.reason(version, subject, *pair)
                other.append(reason)
                if reason is None:
                    failures += 1
                    print("%s %s\n    ours:  %s\n    stock: %s" % ((version, subject) + pair))
            print("%-5s %3d names and answers, %d other" % (version, len(mine), len(other)))
        for failure in ours.finish():
            failures += 1
            print(failure)
    print("%d failures" % failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
