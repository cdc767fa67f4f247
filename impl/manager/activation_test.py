# SPDX-License-Identifier: MIT
"""activation_test - xpmanager started as systemd starts it, and through a door.

    activation_test.py XPMANAGER

Plays systemd: listens before there is a server, hands the sockets over with names, hears READY=1 and
STOPPING=1. Then plays a parent that hands a door to a child, driven by a stock SyncManager.
"""
import array
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from multiprocessing import connection, current_process, managers

PATIENCE = 30 * float(os.environ.get("XP_TIMEOUT_MULTIPLIER", "1"))
KEY = b"activation key"
XPMANAGER = None


def spawn(descriptors, environment, *options):
    """Fork and exec xpmanager with @descriptors as 3, 4 and so on. LISTEN_PID is its own if it is "self"."""
    err_read, err_write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(err_write)
        return pid, open(err_read)
    try:
        os.dup2(err_write, 2)
        for i, descriptor in enumerate(descriptors):    # first out of the way of each other
            os.dup2(descriptor, 100 + i)
        for i in range(len(descriptors)):
            os.dup2(100 + i, 3 + i)
        os.closerange(3 + len(descriptors), 100 + len(descriptors))
        env = {"XP_AUTHKEY": KEY.decode(), "PATH": os.environ["PATH"]}
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(environment)
        if env.get("LISTEN_PID") == "self":
            env["LISTEN_PID"] = str(os.getpid())
        os.execve(XPMANAGER, [XPMANAGER] + list(options), env)
    finally:
        os._exit(126)


class Activation(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="xpshare-activation-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "socket")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(os.path.join(self.directory, "notify"))
        self.notify.settimeout(PATIENCE)
        current_process().authkey = KEY

    def listen(self):
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.bind(self.path)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind(("127.0.0.1", 0))
        for each in (unix, tcp):
            each.listen(16)
            self.addCleanup(each.close)
        return unix, tcp

    def heard(self):
        return self.notify.recv(4096).decode().split("\n")

    def environment(self, **more):
        return dict({"LISTEN_PID": "self", "NOTIFY_SOCKET": self.notify.getsockname()}, **more)

    def end(self, pid, errors):
        status = os.waitpid(pid, 0)[1]
        with errors:
            return status, errors.read()

    def use(self, address, serializer="pickle"):
        manager = managers.SyncManager(address=address, authkey=KEY, serializer=serializer)
        manager.connect()
        items = manager.list([1, 2])
        items.append(3)
        self.assertEqual(items._getvalue(), [1, 2, 3])

    def test_sockets_are_taken_over_and_left_alone(self):
        for model in ("event", "thread"):
            if os.path.exists(self.path):
                os.unlink(self.path)
            unix, tcp = self.listen()
            pid, errors = spawn([unix.fileno(), tcp.fileno()],
                                self.environment(LISTEN_FDS="2", LISTEN_FDNAMES="local:remote"),
                                "--allow-md5", "--server", model)
            self.assertIn("READY=1", self.heard())
            self.use(self.path)
            self.use(tcp.getsockname())
            os.kill(pid, signal.SIGTERM)
            self.assertIn("STOPPING=1", self.heard())
            status, said = self.end(pid, errors)
            self.assertEqual(status, 0, said)
            self.assertIn("unix:%s (local)" % self.path, said)
            self.assertIn("(remote)", said)
            # The supervisor's sockets are still there: the next one may be started on them.
            self.assertTrue(os.path.exists(self.path))
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.path)
                self.assertTrue(select.select([unix], [], [], PATIENCE)[0])

    def test_a_connection_that_came_before_the_server_is_served(self):
        unix, tcp = self.listen()
        early = socket.socket(socket.AF_UNIX)
        early.connect(self.path)
        pid, errors = spawn([unix.fileno()], self.environment(LISTEN_FDS="1"), "--quiet")
        self.assertIn("READY=1", self.heard())
        early.settimeout(PATIENCE)
        self.assertIn(b"#CHALLENGE#", early.recv(256))
        early.close()
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.end(pid, errors), (0, ""))

    def test_what_is_meant_for_another_process_is_not_taken(self):
        unix, tcp = self.listen()
        pid, errors = spawn([unix.fileno()], self.environment(LISTEN_PID="1", LISTEN_FDS="1"))
        status, said = self.end(pid, errors)
        self.assertEqual(os.WEXITSTATUS(status), 2)
        self.assertIn("say where to listen", said)

    def test_what_makes_no_sense_is_an_error(self):
        unix, tcp = self.listen()
        for more, words in (({"LISTEN_FDS": "x"}, "Invalid argument"),
                            ({"LISTEN_FDS": "1000000"}, "too long"),
                            ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "one"}, "Invalid argument"),
                            ({"LISTEN_FDS": "3"}, "Bad file descriptor")):
            pid, errors = spawn([unix.fileno(), tcp.fileno()], self.environment(**more))
            status, said = self.end(pid, errors)
            self.assertEqual(os.WEXITSTATUS(status), 2, said)
            self.assertIn(words, said)
        with open("/dev/null") as null:
            pid, errors = spawn([null.fileno()], self.environment(LISTEN_FDS="1"))
            status, said = self.end(pid, errors)
        self.assertEqual(os.WEXITSTATUS(status), 1, said)
        self.assertIn("not a socket", said.replace("Socket operation on non-socket", "not a socket"))

    def test_a_supervisor_that_is_gone_is_no_reason_not_to_serve(self):
        pid, errors = spawn([], {"NOTIFY_SOCKET": os.path.join(self.directory, "nobody")},
                            "--listen", "unix:" + self.path)
        self.assertIn("NOTIFY_SOCKET", errors.readline() + errors.readline())
        self.use(self.path)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.end(pid, errors)[0], 0)

    def test_a_door_serves_whoever_inherits_it(self):
        def through_the_door(address, authkey=None):
            ours, theirs = socket.socketpair()
            with theirs:
                door.sendmsg([b"C"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                       array.array("i", [theirs.fileno()]))])
            conn = connection.Connection(ours.detach())
            connection.answer_challenge(conn, authkey)
            connection.deliver_challenge(conn, authkey)
            return conn

        managers.listener_client["door"] = (None, through_the_door)
        self.addCleanup(managers.listener_client.pop, "door")
        for model in ("event", "thread"):
            door, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid, errors = spawn([inner.fileno()], {}, "--listen", "fd:3", "--server", model, "--quiet")
            inner.close()
            self.use("door", "door")
            # It ends when nobody can reach it any more.
            door.close()
            self.assertEqual(self.end(pid, errors), (0, ""))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
    def test_the_example_units_are_right(self):
        units = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/systemd")
        for name in os.listdir(units):
            shutil.copy(os.path.join(units, name), self.directory)
        path = os.path.join(self.directory, "xpmanager.service")
        with open(path) as unit:
            text = unit.read().replace("/usr/local/bin/xpmanager", XPMANAGER)
        with open(path, "w") as unit:
            unit.write(text)
        subprocess.check_call(["systemd-analyze", "verify", "--man=no", path,
                               os.path.join(self.directory, "xpmanager.socket")])


if __name__ == "__main__":
    XPMANAGER = os.path.abspath(sys.argv.pop(1))
    unittest.main()
