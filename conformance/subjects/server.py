# SPDX-License-Identifier: MIT
"""The stock manager of this Python as a server process. Speaks Python 2.7 and 3.

argv: the descriptor to write the address to. Environment: XP_ADDRESS, XP_AUTHKEY.
"""
import multiprocessing
import os
import sys
from multiprocessing.managers import SyncManager

try:
    import queue
except ImportError:
    import Queue as queue

the_queue = queue.Queue()


def get_the_queue():
    return the_queue


class Manager(SyncManager):
    pass


Manager.register("shared_queue", callable=get_the_queue)


class Shy(object):
    """What must not be reachable: an attribute, a private method, a method off the list."""
    attribute = 1

    def __init__(self):
        pass

    def open(self):
        return 1

    def off_the_list(self):
        return 2

    def _private(self):
        return 3


Manager.register("shy", Shy, exposed=("open",))


def main():
    kind, _, rest = os.environ["XP_ADDRESS"].partition(":")
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        address = (host, int(port))
    else:
        address = rest
    key = os.environ["XP_AUTHKEY"].encode("ascii")
    multiprocessing.current_process().authkey = key
    server = Manager(address=address, authkey=key).get_server()
    where = server.address
    text = "tcp:%s:%d\n" % where if isinstance(where, tuple) else "unix:%s\n" % where
    ready = int(sys.argv[1])
    os.write(ready, text.encode("ascii"))
    os.close(ready)
    server.serve_forever()


main()
