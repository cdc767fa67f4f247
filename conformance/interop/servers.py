# SPDX-License-Identifier: MIT
"""servers - the interpreters that are here, and the two servers that are compared: ours and CPython's own.

Runs in the python3 of the build. What runs in each interpreter, 2.7 included, is scenes.py, random_ops.py
and stock.py.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "interoperable"
SKIPPED = 77
PATIENCE = 60 * float(os.environ.get("XP_TIMEOUT_MULTIPLIER", "1"))


def interpreters():
    """Version to command: python3, python2, and those in XP_PYTHONS (separated by colons or blanks)."""
    found = {}
    for command in ["python3", "python2"] + re.split(r"[:\s]+", os.environ.get("XP_PYTHONS", "")):
        if not command:
            continue
        try:
            said = subprocess.run([command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE)
        except OSError:
            continue
        if said.returncode == 0:
            found.setdefault(said.stdout.decode().strip(), command)
    return found


def by_age(version):
    return tuple(int(part) for part in version.split("."))


def environment():
    return dict(os.environ, XP_AUTHKEY=KEY, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")


class Server(object):
    """A server process with a folder for its socket. Use as a context."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="xpinterop")
        self.process = None
        self.addresses = []

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop()

    def status(self, field):
        with open("/proc/%d/status" % self.process.pid) as rows:
            for row in rows:
                if row.startswith(field + ":"):
                    return int(row.split()[1])
        raise KeyError(field)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode if self.process else None


class Ours(Server):
    """xpmanager on a socket file and on a TCP port, for clients of every version."""

    def __init__(self, program, *options):
        super().__init__()
        reader, writer = os.pipe()
        self.path = os.path.join(self.folder, "ours")
        self.process = subprocess.Popen(
            [program, "--quiet", "--listen=unix:" + self.path, "--listen=tcp:127.0.0.1:0", "--allow-md5",
             "--ready-fd=%d" % writer] + list(options), env=environment(), pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as lines:
            self.addresses = lines.read().split()
        if len(self.addresses) != 2:
            self.stop()
            raise SystemExit("xpmanager did not start")

    def finish(self):
        """Stop it as a user would. Returns what is wrong with how it ended."""
        code = self.stop()
        if code != 0:
            return ["xpmanager ended with %s" % code]
        return ["xpmanager left its socket"] if os.path.exists(self.path) else []


class Stock(Server):
    """CPython's own manager, of one version and one address family."""

    def __init__(self, command, family):
        super().__init__()
        address = os.path.join(self.folder, "stock") if family == "unix" else "tcp"
        self.process = subprocess.Popen([command, "-B", os.path.join(HERE, "stock.py"), address],
                                        env=environment(), stdout=subprocess.PIPE)
        self.addresses = [self.process.stdout.readline().decode().strip()]
        if not self.addresses[0]:
            self.stop()
            raise SystemExit("the manager of %s did not start" % command)

    def stop(self):
        self.process.stdout.close()
        return super().stop()


def run(command, script, *args, patience=PATIENCE):
    """Run a script of this folder in an interpreter. Returns its status and its output."""
    try:
        done = subprocess.run([command, "-B", os.path.join(HERE, script)] + list(args), env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode("utf-8", "replace") + "\ntimed out"
    return done.returncode, done.stdout.decode("utf-8", "replace")


def wanted(argument):
    """The interpreters of a test: the version that it is for, or all. Ends the test if there is none."""
    here = interpreters()
    if argument != "all":
        here = {version: command for version, command in here.items() if version == argument}
    if not here:
        print("no CPython %s here (PATH, XP_PYTHONS): skipped" % argument)
        sys.exit(SKIPPED)
    return sorted(here.items(), key=lambda item: by_age(item[0]))
