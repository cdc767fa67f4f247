# SPDX-License-Identifier: MIT
"""departed - clients that are killed, forked or inherited, and what those who stay see. For 2.7 and 3.6 on.

    departed.py ADDRESS      (key in XP_AUTHKEY)

Children stop at a point that the parent knows of by the server itself, and are killed there. CPython's own
manager fails most of this: what is demanded is in the checks.
"""
from __future__ import print_function

import gc
import os
import signal
import sys
from multiprocessing import Process

import clients
from clients import PY2, Later

PATIENCE = 60


def stop_here(reached):
    reached.set()
    signal.pause()


def hold(lock, reached):
    lock.acquire()
    lock.acquire()
    stop_here(reached)


def hold_condition(condition, reached):
    condition.acquire()
    stop_here(reached)


def wait_in(condition, reached):
    condition.acquire()
    reached.set()
    condition.wait()


def get_from(queue, reached):
    reached.set()
    queue.get()


def wait_at(barrier, reached):
    reached.set()
    barrier.wait()


def take(lock, reached):
    lock.acquire()
    stop_here(reached)


def start(function, thing, reached):
    reached.clear()
    child = Process(target=function, args=(thing, reached))
    child.start()
    assert reached.wait(PATIENCE) is not False
    return child


def kill(child):
    os.kill(child.pid, signal.SIGKILL)
    child.join()


def is_parked(m, thing):
    """Whether the one call on @thing waits: the text of a condition says how many do."""
    return ", 1)>" in str(thing) if thing._token.typeid == "Condition" else thing.n_waiting == 1


def until(check):
    """No longer than a server needs for the requests that it has already got."""
    for _ in range(100000):
        if check():
            return
    raise AssertionError("never came")


def killed_while_holding(m, reached):
    lock = m.RLock()
    child = start(hold, lock, reached)
    assert lock.acquire(False) is False
    waiter = Later(lambda: lock.acquire())
    kill(child)
    assert waiter.result() in ("bool True", "int 1"), "an RLock is free once its owner is dead: " + waiter.result()

    condition = m.Condition()
    child = start(hold_condition, condition, reached)
    kill(child)
    condition.acquire()
    condition.notify()
    condition.release()

    # Anybody may release a Lock, so nobody's death does: as CPython.
    plain = m.Lock()
    kill(start(take, plain, reached))
    assert plain.acquire(False) is False
    plain.release()
    assert plain.acquire(False) is True


def killed_while_waiting(m, reached):
    condition = m.Condition()
    child = start(wait_in, condition, reached)
    until(lambda: is_parked(m, condition))
    kill(child)

    def one():
        condition.acquire()
        reached.set()
        condition.wait(PATIENCE)
        condition.release()
        return 1
    reached.clear()
    waiter = Later(one)
    reached.wait(PATIENCE)
    condition.acquire()  # after the wait has let it go
    condition.notify()
    condition.release()
    assert waiter.result() == "int 1", "a notification is not spent on the dead: " + waiter.result()

    queue = m.Queue()
    children = [start(get_from, queue, reached) for _ in range(3)]
    for child in children:
        kill(child)
    queue.put("for the living")
    assert queue.get(True, PATIENCE) == "for the living", "an item is not given to the dead"

    if not PY2:
        import threading
        barrier = m.Barrier(2)
        child = start(wait_at, barrier, reached)
        until(lambda: is_parked(m, barrier))
        kill(child)
        try:
            barrier.wait(PATIENCE)
            raise AssertionError("a barrier waits for the dead")
        except threading.BrokenBarrierError:
            pass
        barrier.reset()


def forked(m):
    """os.fork() tells multiprocessing nothing: parent and child have one connection. In turns that works."""
    shared = m.list([0])
    shared.append(1)
    for turn in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                shared.append("child %d" % turn)
                os._exit(0 if len(shared) == 3 + turn else 1)
            finally:
                os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
    assert len(shared) == 5

    # At the same time it mixes up replies, in the clients. The server and other clients do not mind.
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            signal.alarm(2)  # a reply that another has taken never comes
            try:
                for _ in range(50):
                    shared.append(2)
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


def use(shared, number):
    shared.append(number)


def inherited(m, address):
    """Proxies travel to children of each start method, with the key that goes with them."""
    import multiprocessing
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        shared = m.list([m.dict(a=1)])
        children = [context.Process(target=use, args=(shared, number)) for number in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0, (method, child.exitcode)
        assert sorted(shared[1:]) == [0, 1, 2] and shared[0]["a"] == 1, method


def main(address):
    m = clients.connect(address)
    reached = m.Event()
    killed_while_holding(m, reached)
    killed_while_waiting(m, reached)
    if not PY2:
        inherited(m, address)
    other = clients.connect(address)
    fresh = other.list([1])
    forked(m)
    # After the mix-up: a thread of its own has a connection of its own.
    assert Later(lambda: fresh[:]).result() == "list[int 1]"
    gc.collect()
    print("those who stayed are in order")


if __name__ == "__main__":
    main(sys.argv[1])
