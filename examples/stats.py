# SPDX-License-Identifier: MIT
"""stats - the object of stats.c from Python: nothing but multiprocessing is needed.

    XP_AUTHKEY=secret python3 stats.py add /tmp/stats 1.5 2 -4
    XP_AUTHKEY=secret python3 stats.py show /tmp/stats
"""
import os
import sys
from multiprocessing.managers import BaseManager


class StatsManager(BaseManager):
    pass


# No callable: the server makes the object. What can be called on it the server says, too.
StatsManager.register("Stats")


def main(what, path, *values):
    manager = StatsManager(path, os.environ["XP_AUTHKEY"].encode())
    manager.connect()
    stats = manager.Stats()
    if what == "add":
        for value in values:
            count = stats.add(float(value))
        print("%d values" % count)
    else:
        try:
            print("mean %g" % stats.mean())
            print("count %d, least %g, most %g" % stats.summary())
        except ValueError as err:
            print(err)


if __name__ == "__main__":
    main(*sys.argv[1:])
