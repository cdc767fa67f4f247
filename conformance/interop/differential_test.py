# SPDX-License-Identifier: MIT
"""differential_test - random operations on xpmanager and on CPython's own manager, through one client.

    differential_test.py VERSION|first|all TYPEID|all --xpmanager PROGRAM [--operations N] [--seed N]

first: python3 alone. The same stock client sends the same operations to both; results and exceptions, with
their arguments, must be the same, but for the rows of differences.py.
"""
import argparse
import sys

import servers

TYPEIDS = ["list", "dict", "Namespace", "Value", "Array", "Queue"]


def judge(command, typeids, program, operations, seed):
    good = True
    with servers.Ours(program) as ours, servers.Stock(command, "unix") as stock:
        for typeid in typeids:
            status, said = servers.run(command, "random_ops.py", ours.addresses[0], stock.addresses[0],
                                       typeid, str(operations), str(seed),
                                       patience=servers.PATIENCE * (1 + operations / 2000))
            print(said.rstrip("\n"))
            sys.stdout.flush()
            good = good and status == 0
        for failure in ours.finish():
            print(failure)
            good = False
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("typeid")
    parser.add_argument("--xpmanager", required=True)
    parser.add_argument("--operations", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=6056)
    args = parser.parse_args()
    typeids = TYPEIDS if args.typeid == "all" else [args.typeid]
    if args.version == "first":
        commands = ["python3"]
    else:
        commands = [command for _, command in servers.wanted(args.version)]
    good = True
    print("seed %d, %d operations a typeid" % (args.seed, args.operations))
    for command in commands:
        good = judge(command, typeids, args.xpmanager, args.operations, args.seed) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
