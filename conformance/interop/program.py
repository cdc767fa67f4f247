# SPDX-License-Identifier: MIT
"""program - an ordinary program around multiprocessing.Manager(), as its users write them. For 2.7 and 3.6 on.

    program.py [fork|spawn|forkserver]

The test runs it as it stands, and once more with the one line that makes the manager replaced by those that the
README shows: both must print the same.
"""
from __future__ import print_function

import multiprocessing
import sys

PY2 = sys.version_info[0] == 2
PATIENCE = 60  # seconds that nothing here should ever need


def square(job):
    number, results, lock, totals = job
    results[number] = number * number
    with lock:
        totals["sum"] += number
    return number


def worker(tasks, done, log):
    """Until it gets None: words in, lengths out."""
    while True:
        word = tasks.get()
        if word is None:
            break
        done.put((word, len(word)))
        log.append(word)


def finisher(queue):
    for _ in range(5):
        queue.get()
        queue.task_done()


def party(barrier, places):
    places.append(barrier.wait())


def consumer(condition, shelf, taken):
    with condition:
        while not len(shelf):
            condition.wait(PATIENCE)
        taken.append(shelf.pop())


def waiter(event, space, value, array):
    if event.wait(PATIENCE) is False:
        return
    space.seen = space.message + "!"
    value.value += 1
    for index in range(len(array)):
        array[index] *= 2


def nest(outer, key):
    outer[0][key] = [key]
    outer[1].append(key)


def holder(lock, semaphore, space):
    with lock:
        with lock:
            space.deep = True
    with semaphore:
        space.inside += 1


def run(children):
    for child in children:
        child.start()
    for child in children:
        child.join()
        if child.exitcode:
            print("a child ended with", child.exitcode)


def with_pool(manager):
    results, lock, totals = manager.dict(), manager.Lock(), manager.dict(sum=0)
    pool = multiprocessing.Pool(3)
    try:
        print(sorted(pool.map(square, [(n, results, lock, totals) for n in range(20)])))
    finally:
        pool.close()
        pool.join()
    print(sorted(results.items())[:3], len(results), totals["sum"], totals.copy())


def with_queues(manager):
    tasks, done, log = manager.Queue(), manager.Queue(), manager.list()
    children = [multiprocessing.Process(target=worker, args=(tasks, done, log)) for _ in range(2)]
    for word in "the quick brown fox jumps over a lazy dog".split() + [None, None]:
        tasks.put(word)
    run(children)
    print(sorted(done.get() for _ in range(9)), done.empty(), sorted(log))
    joinable = manager.JoinableQueue(5)
    for number in range(5):
        joinable.put(number)
    print(joinable.full())
    child = multiprocessing.Process(target=finisher, args=(joinable,))
    child.start()
    joinable.join()
    child.join()
    print(joinable.qsize())


def with_waiting(manager):
    condition, shelf, taken = manager.Condition(), manager.list(), manager.list()
    children = [multiprocessing.Process(target=consumer, args=(condition, shelf, taken)) for _ in range(2)]
    for child in children:
        child.start()
    for thing in ("bread", "butter"):
        with condition:
            shelf.append(thing)
            condition.notify_all()
    for child in children:
        child.join()
    print(sorted(taken), len(shelf))
    event, space = manager.Event(), manager.Namespace(message="hello")
    value, array = manager.Value("i", 41), manager.Array("d", [0.5, 1.5])
    child = multiprocessing.Process(target=waiter, args=(event, space, value, array))
    child.start()
    event.set()
    child.join()
    print(space.seen, value.value, list(array), space)
    if not PY2:
        barrier, places = manager.Barrier(3), manager.list()
        run([multiprocessing.Process(target=party, args=(barrier, places)) for _ in range(3)])
        print(sorted(places), barrier.broken, barrier.n_waiting)
    lock, semaphore, space = manager.RLock(), manager.BoundedSemaphore(2), manager.Namespace(inside=0)
    run([multiprocessing.Process(target=holder, args=(lock, semaphore, space))])
    print(space.deep, space.inside)


def with_nesting(manager):
    # A manager of 2.7 keeps a copy of what its proxies stand for.
    outer = manager.list([{"a": 1}, [2]] if PY2 else [manager.dict(a=1), manager.list([2])])
    run([multiprocessing.Process(target=nest, args=(outer, key)) for key in ("x", "y")])
    if not PY2:
        print(sorted(outer[0].items()), sorted(outer[1][:], key=str), type(outer[0]).__name__)
        print(sorted(outer[0].keys()), "x" in outer[0], [len(part) for part in outer])


def main():
    if len(sys.argv) > 1 and not PY2:
        multiprocessing.set_start_method(sys.argv[1])
    manager = multiprocessing.Manager()
    with manager:
        with_pool(manager)
        with_queues(manager)
        with_waiting(manager)
        with_nesting(manager)
    print("the end")


if __name__ == "__main__":
    main()
