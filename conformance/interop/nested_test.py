# SPDX-License-Identifier: MIT
"""nested_test - proxies in managed objects, reference counts, shutdown: every interpreter, one server.

    nested_test.py --xpmanager PROGRAM
"""
import os
import sys
from multiprocessing.managers import SyncManager, dispatch
from multiprocessing.connection import Client

import servers


def main(argv):
    failures = 0
    here = servers.wanted("all")
    with servers.Ours(argv[2]) as ours:
        for version, command in here:
            for address in ours.addresses:
                status, said = servers.run(command, "nested.py", address)
                print("%-5s %-5s %s" % (version, address.partition(":")[0],
                                        "in order" if status == 0 else "FAILED\n" + said))
                failures += status != 0
        left = SyncManager(ours.path, servers.KEY.encode())
        left.connect()
        if left._number_of_objects():
            failures += 1
            print(left._debug_info())
        # As a stock manager's own finalizer ends it.
        with Client(ours.path, authkey=servers.KEY.encode()) as link:
            dispatch(link, None, "shutdown")
        code = ours.process.wait(servers.PATIENCE)
        if code != 0 or os.path.exists(ours.path):
            failures += 1
            print("shutdown: status %s, or the socket is still there" % code)
    print("%d interpreters, %d failures" % (len(here), failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
