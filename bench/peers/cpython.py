# SPDX-License-Identifier: MIT
"""Peer: CPython's multiprocessing, driven by lines on standard input (bench/workloads/cpython.c).

Usage: cpython.py WORKLOAD SIZE CPU CPU
Answers "ready", then to each "run N": "ns TOTAL", or "error TEXT". Ends with its input.
The two processes run on the two CPUs; the clock is that of the first one, or of the receiver.
"""
import multiprocessing
import os
import sys
import time


def payload(size, number):
    return number.to_bytes(8, "little") * (size // 8)


def value_pingpong(size):
    there = multiprocessing.RawValue("q", 0)
    back = multiprocessing.RawValue("q", 0)

    def lead(first, n):
        for i in range(first + 1, first + n + 1):
            there.value = i
            while back.value != i:
                pass

    def follow(first, n):
        for i in range(first + 1, first + n + 1):
            while there.value != i:
                pass
            back.value = i
    return lead, follow


def pipe_pingpong(size):
    one, two = multiprocessing.Pipe()

    def lead(first, n):
        data = payload(size, 7)
        for _ in range(n):
            one.send_bytes(data)
            if one.recv_bytes() != data:
                raise ValueError("another message came back")

    def follow(first, n):
        for _ in range(n):
            two.send_bytes(two.recv_bytes())
    return lead, follow


def queue_pingpong(size):
    there, back = multiprocessing.Queue(64), multiprocessing.Queue(64)

    def lead(first, n):
        for i in range(n):
            data = payload(size, i)
            there.put(data)
            if back.get() != data:
                raise ValueError("another item came back")

    def follow(first, n):
        for _ in range(n):
            back.put(there.get())
    return lead, follow


def queue_stream(size):
    queue, done = multiprocessing.Queue(4096), multiprocessing.SimpleQueue()

    def lead(first, n):
        for i in range(n):
            queue.put(payload(size, i))
        if done.get() != "right":
            raise ValueError("an item is not what was sent")

    def follow(first, n):
        right = all(queue.get() == payload(size, i) for i in range(n))
        done.put("right" if right else "wrong")
    return lead, follow


def lock_uncontended(size):
    lock = multiprocessing.Lock()

    def lead(first, n):
        for _ in range(n):
            lock.acquire()
            lock.release()

    def follow(first, n):
        pass
    return lead, follow


WORKLOADS = {f.__name__: f for f in (value_pingpong, pipe_pingpong, queue_pingpong, queue_stream,
                                     lock_uncontended)}


def serve_orders(orders, answers, follow, cpu):
    os.sched_setaffinity(0, {cpu})
    first = 0
    while True:
        n = orders.get()
        if n == 0:
            return
        answers.put("at it")
        follow(first, n)
        first += n


def main():
    workload, size, here, there = sys.argv[1], *map(int, sys.argv[2:5])
    multiprocessing.set_start_method("fork")
    lead, follow = WORKLOADS[workload](size)
    orders, answers = multiprocessing.SimpleQueue(), multiprocessing.SimpleQueue()
    child = multiprocessing.Process(target=serve_orders, args=(orders, answers, follow, there),
                                    daemon=True)
    child.start()
    os.sched_setaffinity(0, {here})
    print("ready", flush=True)
    first = 0
    for line in sys.stdin:
        n = int(line.split()[1])
        orders.put(n)
        answers.get()
        try:
            begin = time.monotonic_ns()
            lead(first, n)
            print("ns", time.monotonic_ns() - begin, flush=True)
        except Exception as error:  # told to whoever asked, not to the terminal
            print("error", error, flush=True)
        first += n
    orders.put(0)
    child.join(5)


if __name__ == "__main__":
    main()
