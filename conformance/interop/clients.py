# SPDX-License-Identifier: MIT
"""clients - stock clients of a manager, and a text for whatever one answers. For 2.7 and 3.6 on."""
import array
import os
import re
import sys
import threading
from multiprocessing import current_process
from multiprocessing import managers

PY2 = sys.version_info[0] == 2
KEY = os.environ.get("XP_AUTHKEY", "").encode()

# A proxy that comes out of a managed object authenticates with the key of the process, not the manager's.
current_process().authkey = KEY


class Sync(managers.SyncManager):
    pass


class Base(managers.BaseManager):
    """As users write one that knows nothing but names."""


for name in ("Queue", "JoinableQueue", "Event", "Lock", "RLock", "Semaphore", "BoundedSemaphore",
             "Condition", "Barrier", "list", "dict", "Value", "Array", "Namespace", "Iterator"):
    Base.register(name, proxytype={"list": managers.ListProxy, "dict": managers.DictProxy}.get(name))


def address_of(text):
    kind, _, rest = text.partition(":")
    if kind == "unix":
        return rest
    host, _, port = rest.rpartition(":")
    return host, int(port)


def connect(text, cls=Sync):
    manager = cls(address_of(text), KEY)
    manager.connect()
    return manager


def stable(text):
    """Without what differs between two runs: addresses in memory, thread ids, idents."""
    text = re.sub(r"0x[0-9a-fA-F]+", "0x*", text)
    return re.sub(r"owner=[1-9][0-9]*", "owner=*", text)


def describe(value, seen=()):
    """Type and value, all the way down. Equal texts: no program can tell the values apart."""
    kind = type(value)
    if id(value) in seen:
        return "<cycle %d>" % (len(seen) - seen.index(id(value)))
    inside = seen + (id(value),)
    if kind in (list, tuple):
        return "%s[%s]" % (kind.__name__, ", ".join(describe(item, inside) for item in value))
    if kind is dict:
        pairs = ["%s: %s" % (describe(k, inside), describe(v, inside)) for k, v in value.items()]
        return "dict{%s}" % ", ".join(sorted(pairs) if sys.version_info < (3, 6) else pairs)
    if kind in (set, frozenset):
        return "%s{%s}" % (kind.__name__, ", ".join(sorted(describe(item, inside) for item in value)))
    if isinstance(value, BaseException):
        return "%s%s" % (kind.__name__, describe(value.args, inside))
    if isinstance(value, managers.BaseProxy):
        return "proxy of " + value._token.typeid
    if isinstance(value, (array.array, slice)):
        return repr(value)
    if type(value).__name__ == "Namespace" or type(value).__module__ == "__main__":
        return "%s%s" % (kind.__name__, describe(getattr(value, "__dict__", None), inside))
    return "%s %s" % (kind.__name__, stable(repr(value)))


def last_line(text):
    """Of a remote traceback, without the dashes around it."""
    lines = [line for line in str(text).splitlines() if line.strip() and not line.startswith("-----")]
    return lines[-1] if lines else ""


def describe_error(err):
    if isinstance(err, managers.RemoteError):
        return "RemoteError: " + stable(last_line(err))
    return "%s.%s%s" % (type(err).__module__, type(err).__name__, stable(describe(err.args)))


class Later(threading.Thread):
    """A call in a thread of its own, which has a connection of its own."""

    def __init__(self, function):
        threading.Thread.__init__(self)
        self.daemon = True
        self.function = function
        self.answer = "no answer"
        self.start()

    def run(self):
        try:
            self.answer = describe(self.function())
        except Exception as err:
            self.answer = "raises " + describe_error(err)

    def result(self):
        self.join(60)
        return self.answer


def other(function):
    return Later(function).result()
