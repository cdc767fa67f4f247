# SPDX-License-Identifier: MIT
"""departed_test - clients of every interpreter that are killed, forked or inherited (departed.py).

    departed_test.py --xpmanager PROGRAM
"""
import sys

import servers


def main(argv):
    failures = runs = 0
    for model in ("event", "thread"):
        with servers.Ours(argv[2], "--server=" + model) as ours:
            for version, command in servers.wanted("all"):
                for address in ours.addresses:
                    status, said = servers.run(command, "departed.py", address)
                    good = status == 0 and said.endswith("in order\n")
                    print("%-6s %-5s %-5s %s" % (model, version, address.partition(":")[0],
                                                 "in order" if good else "FAILED\n" + said))
                    failures += not good
                    runs += 1
            for failure in ours.finish():
                failures += 1
                print(failure)
    print("%d runs, %d failures" % (runs, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
