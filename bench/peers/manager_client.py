# SPDX-License-Identifier: MIT
"""Unmodified CPython as the client of a manager: driven by bench/workloads/manager_python.c.

Usage: manager_client.py ADDRESS KEY CLIENTS CPU METHOD
ADDRESS is a path or host:port. Prints "ready", then for each line "run N" on its standard input one line
"ns TOTAL" (from the first call to the last reply of all clients), for "each N" the time of every call, as
"ns T T T ...". CPU is where a single client runs; -1: anywhere.
"""
import os
import sys
import time
from multiprocessing.managers import SyncManager


def connect(address, key):
    if ":" in address:
        host, port = address.rsplit(":", 1)
        address = (host, int(port))
    manager = SyncManager(address, key.encode())
    manager.connect()
    return manager


def operation(manager, method):
    """A function that does one exchange."""
    if method == "connect":
        return manager.connect
    if method == "object":
        return manager.dict
    shared = manager.dict(key=7)
    if method == "dict.get":
        return lambda: shared["key"]
    if method == "dict.set":
        return lambda: shared.__setitem__("key", 7)
    text = "x" * 17000  # above 16 KiB CPython writes the header by itself
    return lambda: shared.__setitem__("key", text)


def work(act, n):
    for _ in range(n):
        act()


def helper(address, key, method, orders, answers):
    act = operation(connect(address, key), method)
    act()
    answers.write("ready\n")
    for line in orders:
        answers.flush()
        work(act, int(line))
        answers.write("done\n")
        answers.flush()


def start_helper(address, key, method):
    """A further client, as a process: the pipes to and from it."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    if os.fork() == 0:
        os.close(to_write)
        os.close(from_read)
        status = 1
        try:
            with os.fdopen(to_read) as orders, os.fdopen(from_write, "w", 1) as answers:
                helper(address, key, method, orders, answers)
            status = 0
        finally:
            os._exit(status)
    os.close(to_read)
    os.close(from_write)
    pipes = os.fdopen(to_write, "w", 1), os.fdopen(from_read)
    if pipes[1].readline() != "ready\n":
        raise OSError("a client cannot connect")
    return pipes


def run(act, helpers, n):
    share, rest = divmod(n, len(helpers) + 1)
    begin = time.monotonic_ns()
    for orders, _ in helpers:
        orders.write("%d\n" % share)
    work(act, share + rest)
    for _, answers in helpers:
        if answers.readline() != "done\n":
            raise OSError("a client failed")
    return [time.monotonic_ns() - begin]


def each(act, n):
    times = []
    for _ in range(n):
        begin = time.monotonic_ns()
        act()
        times.append(time.monotonic_ns() - begin)
    return times


def main():
    address, key, clients, cpu, method = sys.argv[1:6]
    if int(cpu) >= 0:
        os.sched_setaffinity(0, {int(cpu)})
    helpers = [start_helper(address, key, method) for _ in range(int(clients) - 1)]
    act = operation(connect(address, key), method)
    act()
    print("ready", flush=True)
    for line in sys.stdin:
        order, n = line.split()
        try:
            times = each(act, int(n)) if order == "each" else run(act, helpers, int(n))
            print("ns", *times, flush=True)
        except Exception as error:  # told to whoever asked, not to the terminal
            print("error", repr(error), flush=True)


if __name__ == "__main__":
    main()
