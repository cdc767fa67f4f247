# SPDX-License-Identifier: MIT
"""versions_test - a CPython's stock clients against xpmanager, and our proxies against its manager.

    versions_test.py VERSION|all --probe PROGRAM --xpmanager PROGRAM

For every typeid and both transports: the transcript of the interpreter's client (scenes.py) with xpmanager
must be the one that it has with its own manager, but for the rows of differences.py; and the probe
must find in order what it does with the interpreter's manager. Prints a table of version, typeid
and direction. Exit status 77: there is no such interpreter.
"""
import subprocess
import sys

import differences
import servers
from scenes import SCENES

COLUMNS = ["client unix", "client tcp", "BaseManager", "proxy unix", "proxy tcp"]
# What the probe calls them. An Iterator is what a dict makes, and is checked with it.
PROBED = {"JoinableQueue": "joinable", "BoundedSemaphore": "bounded", "Iterator": "dict"}
LEAST = 10  # lines of a scene; fewer means that something ended early


def compare(version, typeid, ours, theirs):
    """Returns failures and the number of lines that a row of differences.py explains."""
    failures, explained = [], 0
    if len(theirs) < LEAST or theirs[-1] != "the end":
        failures.append("CPython's own manager did not finish: %s" % theirs[-1:])
    for mine, stock in zip(ours, theirs):
        if mine == stock:
            continue
        called, _, said = mine.partition(" -> ")
        if called == stock.partition(" -> ")[0] and differences.reason(
                version, called, said, stock.partition(" -> ")[2]):
            explained += 1
        else:
            failures.append("ours:  %s\n    stock: %s" % (mine, stock))
    if len(ours) != len(theirs):
        failures.append("%d lines are not %d: %s" % (len(ours), len(theirs), ours[-3:]))
    return failures, explained


def applicable(version, typeid):
    return not (typeid == "Barrier" and version.startswith("2"))


def clients_of(version, command, ours, stock):
    """The first three columns: typeid -> [(verdict, failures)]."""
    columns = {}
    for typeid in SCENES:
        if not applicable(version, typeid):
            columns[typeid] = [("-", [])] * 3
            continue
        judge = servers.run(command, "scenes.py", stock.addresses[0], "sync", typeid)[1].splitlines()
        cells = []
        for address, way in ((0, "sync"), (1, "sync"), (0, "base")):
            said = servers.run(command, "scenes.py", ours.addresses[address], way, typeid)[1].splitlines()
            if way == "base":  # what the proxies of Base are named is up to Base
                judge = servers.run(command, "scenes.py", stock.addresses[0], way, typeid)[1].splitlines()
            failures, explained = compare(version, typeid, said, judge)
            text = "%d" % (len(said) - 1) + (" (%d)" % explained if explained else "")
            cells.append((text if not failures else "FAILED", failures))
        columns[typeid] = cells
    return columns


def proxies_of(columns, command, probe):
    """The last two columns: our proxies with the interpreter's own manager, checked by the probe."""
    for family in ("unix", "tcp"):
        with servers.Stock(command, family) as stock:
            done = subprocess.run([probe, stock.addresses[0]], env=servers.environment(), timeout=servers.PATIENCE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        for typeid, cells in columns.items():
            verdict = said.get(PROBED.get(typeid, typeid.lower()), "nothing was said")
            good = verdict in ("OK", "-") and done.returncode == 0
            cells.append((verdict if good else "FAILED", [] if good else [verdict]))


def table(version, columns):
    print("%-5s %-17s" % (version, "typeid") + "".join("%-14s" % name for name in COLUMNS))
    for typeid, cells in columns.items():
        print("%-5s %-17s" % ("", typeid) + "".join("%-14s" % cell[0] for cell in cells))
    shown = set()
    for typeid, cells in columns.items():
        for name, cell in zip(COLUMNS, cells):
            for failure in cell[1]:
                if (typeid, failure) not in shown:
                    print("  %s %s, %s:\n    %s" % (version, typeid, name, failure))
                shown.add((typeid, failure))


def judge_version(version, command, program, probe):
    with servers.Ours(program) as ours, servers.Stock(command, "unix") as stock:
        columns = clients_of(version, command, ours, stock)
        for failure in ours.finish():
            columns["list"].append(("FAILED", [failure]))
    proxies_of(columns, command, probe)
    table(version, columns)
    return not any(cell[1] for cells in columns.values() for cell in cells)


def main(argv):
    version, probe, program = argv[1], argv[3], argv[5]
    good = True
    for name, command in servers.wanted(version):
        good = judge_version(name, command, program, probe) and good
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
