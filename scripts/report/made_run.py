# SPDX-License-Identifier: MIT
"""made_run - an invented run, to test the report with: no number in it was measured.

    make(folder, cpus=2)    a run as results/FORMAT.md describes it, of a machine with so many CPUs
"""
import json
import math
import os
import random

# implementation: scope, time of one operation in ns, floor
LATENCY = [
    ("value_pingpong", "value", "value/raw", "shm", "rtt", 120, "floor/cache_line_two"),
    ("value_pingpong", "value", "value/locked", "shm", "rtt", 210, "floor/cache_line_two"),
    ("lock_uncontended", "lock", "lock/futex", "inherited", "op", 21, "floor/atomic"),
    ("lock_uncontended", "lock", "lock/pthread", "inherited", "op", 27, "floor/atomic"),
    ("event_handoff", "event", "event/futex", "inherited", "rtt", 8100, "floor/futex"),
    ("pipe_pingpong", "pipe", "pipe/fd", "inherited", "rtt", 9300, "floor/pipe"),
    ("queue_pingpong", "queue", "queue/ring", "inherited", "rtt", 190, "floor/cache_line"),
    ("queue_pingpong", "queue", "queue/pipe", "inherited", "rtt", 15200, "floor/pipe"),
]
FLOORS = {"floor/cache_line": 95, "floor/cache_line_two": 110, "floor/atomic": 5,
          "floor/futex": 7200, "floor/pipe": 8900, "floor/socketpair": 9600, "floor/syscall": 70}
MANAGERS = [("manager/event", "subject", 14000), ("manager/thread", "subject", 21000),
            ("manager/cpython3.11", "peer", 78000), ("manager/redis", "peer", 26000)]
SIZES = [8, 64, 512, 4096, 32768, 262144, 2097152]


class Maker:
    def __init__(self, folder, cpus, seed=7):
        self.folder, self.cpus, self.random = folder, cpus, random.Random(seed)
        self.records = []
        self.cls = "same_l3"

    def record(self, workload, kind, impl, role, metric, unit, value, params=None, cls=None,
               pair=(0, 1), floor=None, **more):
        params = params or {}
        cls = cls or self.cls
        runs = [value * self.random.uniform(0.96, 1.05) for _ in range(5)]
        middle = sorted(runs)[2]
        tail = "".join(f"/{k}:{v}" for k, v in sorted(params.items()))
        name = f"{workload}/{impl}{tail}/{cls}"
        if pair != (0, 1):
            name += ":" + "-".join(map(str, pair))
        record = {
            "schema": 1, "name": name, "workload": workload, "kind": kind, "impl": impl,
            "role": role, "carrier": "process", "params": params,
            "placement": {"class": cls, "cpus": list(pair), "memory_node": 0}, "metric": metric,
            "unit": unit, "better": "lower" if unit == "ns" else "higher", "value": middle,
            "ci": [min(runs), max(runs)], "ci_level": 0.9375, "runs": runs, "repetitions": 5,
            "samples": 250000, "valid": "valid", "why": [],
            "command": f"build/release/bin/xpbench --benchmark_filter='^{name}$'", "seconds": 0.5,
            **more}
        if floor:
            limit = FLOORS[floor]
            record["floor"] = {"name": f"floor/{floor}/{cls}", "value": limit, "unit": "ns",
                               "ratio": middle / limit}
        self.records.append(record)
        return record

    def distribution(self, record):
        """An invented distribution around the median, with a tail."""
        total, rows = record["samples"], []
        steps = [0, .1, .25, .5, .75, .9, .95, .99, .995, .999, .9995, .9999, .99999, 1]
        for p in steps:
            x = 1 / (1 - p) if p < 1 else 4 * total
            value = record["value"] * (0.9 + 0.1 * math.log2(x)) * (9 if p > 0.9985 else 1)
            rows.append((value, p, math.ceil(total * p)))
        for key, p in (("p50", .5), ("p90", .9), ("p99", .99), ("p999", .999)):
            record[key] = next(v for v, q, _ in rows if q == p)
        record["min"], record["max"] = rows[0][0], rows[-1][0]
        record["hgrm"] = "hgrm/" + record["name"].replace("/", "_").replace(":", "_") + ".hgrm"
        path = os.path.join(self.folder, record["hgrm"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("       Value     Percentile TotalCount 1/(1-Percentile)\n\n")
            for value, p, n in rows:
                inverse = f"{1 / (1 - p):.2f}" if p < 1 else "inf"
                file.write(f"{value:12.3f} {p:.12f} {n:10d} {inverse:>14}\n")
            file.write(f"#[Max = {rows[-1][0]:.3f}, Total count = {total}]\n")

    def measure(self):
        for name, ns in FLOORS.items():
            if name != "floor/cache_line":
                self.record("floor", "floor", name, "floor", "rtt", "ns", ns)
        for a in range(self.cpus):
            for b in range(self.cpus):
                if a != b:
                    near = a // 4 == b // 4
                    self.record("floor", "floor", "floor/cache_line", "floor", "rtt", "ns",
                                95 if near else 240, pair=(a, b),
                                cls="same_l3" if near else "cross_numa")
        for size in SIZES:
            self.record("floor", "floor", "floor/memcpy", "floor", "throughput", "bytes/s",
                        1e10 / (1 + 200 / size), {"size": size})
        for workload, kind, impl, scope, metric, ns, floor in LATENCY:
            waits = ("hybrid", "park") if kind in ("queue", "event") else ("hybrid",)
            for wait in waits:
                made = self.record(workload, kind, impl, "subject", metric, "ns",
                                   ns if wait == "hybrid" else ns + 9000,
                                   {"size": 8, "wait": wait}, floor=floor, scope=scope,
                                   cpu_s_per_op=2e-9 * ns, ctxt_voluntary=12, ctxt_involuntary=3,
                                   syscalls_per_op=0.0 if ns < 1000 else 2.0)
                self.distribution(made)
        for impl, top, start in (("queue/ring", 8e9, 5e7), ("queue/pipe", 1.5e9, 9e5),
                                 ("pipe/fd", 2e9, 1.1e6)):
            for size in SIZES:
                items = min(start, top / size)
                self.record("stream", impl.split("/")[0], impl, "subject", "throughput", "items/s",
                            items, {"size": size, "capacity": 1024}, scope="inherited",
                            bytes_per_s=items * size)
                limit = next(r for r in self.records if r["impl"] == "floor/memcpy"
                             and r["params"]["size"] == size)
                made = self.records[-1]
                made["bytes_per_s"] = made["value"] * size
                made["floor"] = {"name": limit["name"], "value": limit["value"],
                                 "unit": "bytes/s", "ratio": limit["value"] / made["bytes_per_s"]}
        for impl, ns, most in (("queue/ring", 300, 2e7), ("queue/pipe", 7000, 4e5)):
            for rate in (10000, 100000, 1000000):
                slow = ns / max(0.01, 1 - rate / most) if rate < most else 4e7
                made = self.record("queue_response", "queue", impl, "subject", "response", "ns", slow,
                                   {"rate": rate, "size": 64}, scope="inherited", rate_wanted=rate,
                                   rate_achieved=min(rate, most))
                self.distribution(made)
        for impl, role, ns in MANAGERS:
            for clients in (1, 2, 4, 8, 16):
                slow = ns * max(1, clients / 2)
                more = {"scope": "managed"} if role == "subject" else {}
                made = self.record("manager_call", "manager", impl, role, "rtt", "ns", slow,
                                   {"clients": clients, "method": "dict.get"},
                                   floor=None, **more)
                self.distribution(made)
                self.record("manager_call", "manager", impl, role, "throughput", "items/s",
                            clients * 1e9 / slow, {"clients": clients, "method": "dict.put"}, **more)
        self.record("lock_recovery", "lock", "lock/futex", "subject", "recovery", "ns", 52000, {},
                    scope="inherited")
        self.record("idle", "event", "event/futex", "subject", "idle", "ns", 1500000, {},
                    scope="inherited")
        # Far better than anything that two processes share, and about something else.
        self.record("manager_share", "manager", MANAGERS[0][0], "subject", "op", "ns", 14.8,
                    {"members": 4}, scope="managed")
        self.record("codec", "manager", "manager/codec", "subject", "throughput", "bytes/s", 17e9,
                    {"size": 1 << 20}, scope="managed")
        self.record("queue_handover", "queue", "queue/ring", "subject", "throughput", "items/s",
                    4.5e7, {"capacity": 16, "size": 1 << 20}, scope="inherited")
        broken = self.record("queue_pingpong", "queue", "queue/ring", "subject", "rtt", "ns", 1,
                             {"size": 64, "wait": "spin"}, scope="inherited")
        broken.update(valid="invalid", why=["member 1 moved from CPU 1 to CPU 0 <&>"])
        self.records[3].update(valid="suspect", why=["31 involuntary switches"])

    def context(self):
        return {
            "schema": 1, "program": "xpbench", "version": "0.1.0", "commit": "0" * 40,
            "dirty": False, "argv": ["xpbench", "--quick"], "quick": True, "seed": 1,
            "started": "2026-01-31T12:00:00Z", "finished": "2026-01-31T12:04:00Z",
            "complete": True, "records": {"valid": len(self.records) - 2, "suspect": 1,
                                          "invalid": 1},
            "host": {"name": "invented", "os": "no system", "kernel": "0.0", "arch": "none",
                     "cpu": "Invented CPU (no number here was measured)", "packages": 1,
                     "cores": self.cpus, "pus": self.cpus, "numa_nodes": 1,
                     "memory_bytes": 8 << 30, "hypervisor": "none", "mitigations": {"x": "y"}},
            "build": {"compiler": "gcc", "flags": "-O2", "type": "Release", "sanitize": "",
                      "libraries": {"hwloc": "2.9.0"}},
            "noise": {"load_before": 0.2, "load_after": 1.9, "steal_percent": 6.5,
                      "clock_ns": 24.0, "clock_step_ns": 1.0},
            "placements": [{"class": "same_l3", "present": True, "cpus": [0, 1], "pairs": 2},
                           {"class": "smt", "present": False, "why": "one thread a core"}],
            "not_measured": [{"what": "smt", "why": "this machine has one thread a core"}],
            "doctor": [{"check": "governor", "state": "warn", "found": "not exposed",
                        "mend": "cpupower frequency-set -g performance"}]}

    def conformance(self):
        clauses, results = [], []
        impls = [{"name": i, "kind": k, "scope": s, "role": "subject"}
                 for _, k, i, s, _, _, _ in LATENCY]
        for kind, rules in (("lock", ("exclusion", "owner_died", "deadline")),
                            ("queue", ("fifo", "producer_died"))):
            for rule in rules:
                clause = {"id": f"{kind}.{rule}", "level": "MUST", "text": f"The {rule} holds.",
                          "source": "SPEC I4"}
                clauses.append(clause)
                for impl in impls:
                    if impl["kind"] != kind:
                        continue
                    bad = impl["name"] == "queue/pipe" and rule == "producer_died"
                    results.append({"clause": clause["id"], "impl": impl["name"],
                                    "level": "MUST", "text": clause["text"], "source": "SPEC I4",
                                    "verdict": "FAIL" if bad else "PASS", "case": "x",
                                    "detail": "expected 1, got 0 <script>" if bad else "",
                                    "seconds": 0.1})
        return {"schema": 1, "program": "xpconform", "version": "0.1.0", "commit": "0" * 40,
                "argv": ["xpconform"], "started": "2026-01-31T12:04:00Z",
                "finished": "2026-01-31T12:05:00Z", "implementations": impls, "clauses": clauses,
                "results": results}


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def make(folder, cpus=2):
    os.makedirs(folder, exist_ok=True)
    maker = Maker(folder, cpus)
    maker.measure()
    write(folder, "bench.json", "".join(json.dumps(r) + "\n" for r in maker.records))
    write(folder, "context.json", json.dumps(maker.context(), indent=1) + "\n")
    write(folder, "conformance.json", json.dumps(maker.conformance()) + "\n")
