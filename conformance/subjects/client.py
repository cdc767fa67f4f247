# SPDX-License-Identifier: MIT
"""The stock client of this Python, driven by lines: the verbs of subjects/client.h. Python 2.7 and 3.

Environment: XP_ADDRESS, XP_AUTHKEY. A line in, one line out: "ok VALUE" or "error CLASS TEXT".
"""
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.managers import SyncManager

manager = None
thing = None


class Interrupted(Exception):
    pass


def interrupt(number, frame):
    raise Interrupted("interrupted")


def value_of(word):
    if word == "None":
        return None
    try:
        return int(word)
    except ValueError:
        return word


def connect():
    global manager
    kind, _, rest = os.environ["XP_ADDRESS"].partition(":")
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        rest = (host, int(port))
    key = os.environ["XP_AUTHKEY"].encode("ascii")
    multiprocessing.current_process().authkey = key
    manager = SyncManager(address=rest, authkey=key)
    manager.connect()


def fork(rounds):
    """Parent and child use one dict at the same time, each its own key."""
    numbers = manager.dict()
    numbers["parent"], numbers["child"] = 1, 2
    pid = os.fork()
    key, expected = ("parent", 1) if pid else ("child", 2)
    wrong = 0
    try:
        for _ in range(rounds):
            wrong += numbers.get(key) != expected
    except Exception:
        wrong = rounds
    if pid == 0:
        os._exit(1 if wrong else 0)
    return "%d" % (wrong or os.waitpid(pid, 0)[1])


def threads(count, rounds):
    """Threads use one dict at the same time, each its own key."""
    numbers = manager.dict()
    wrong = [rounds] * count

    def use(key):
        mistakes = 0
        for i in range(rounds):
            numbers[key] = i
            mistakes += numbers.get(key) != i
        wrong[key] = mistakes

    started = [threading.Thread(target=use, args=(key,)) for key in range(count)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return "%d" % sum(wrong)


def obey(words):
    global thing
    verb, args = words[0], [value_of(word) for word in words[2:]]
    if verb == "connect":
        connect()
        return "None"
    if verb == "new":
        thing = None
        thing = getattr(manager, words[1])(*args)
        return "None"
    if verb == "fork":
        return fork(int(words[1]))
    if verb == "threads":
        return threads(int(words[1]), int(words[2]))
    if verb == "nested":
        return str(len(manager.list(manager.dict({1: 2, 3: 4}))))
    if verb == "abandon":
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        return str(getattr(thing, words[1])(*args))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


while True:
    line = sys.stdin.readline()
    if not line:
        break
    try:
        answer = "ok " + obey(line.split())
    except BaseException as error:
        answer = "error %s %s" % (type(error).__name__, error)
    sys.stdout.write(" ".join(answer.split()) + "\n")
    sys.stdout.flush()
os._exit(0)
