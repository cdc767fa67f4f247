# SPDX-License-Identifier: MIT
"""words - numbers as people read them: three digits and a unit."""
import math

NS_STEPS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns"))
RATE_STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def digits3(x):
    if x == 0 or not math.isfinite(x):
        return "0" if x == 0 else str(x)
    x = float(f"{x:.3g}")  # 0.9997 is 1.00, not 1.000
    places = max(0, 2 - math.floor(math.log10(abs(x))))
    text = f"{x:.{places}f}"
    return text.rstrip("0").rstrip(".") if places > 2 else text


def scaled(x, steps, unit=""):
    for factor, prefix in steps:
        if abs(x) >= factor * 0.9995:
            return " ".join(f"{digits3(x / factor)} {prefix}{unit}".split())
    factor, prefix = steps[-1]
    return " ".join(f"{digits3(x / factor)} {prefix}{unit}".split())


def duration(ns):
    return scaled(ns, NS_STEPS)


def rate(x, unit):
    """1.2 GB/s, 1.2 M items/s: a prefix joins a symbol, not a word."""
    return scaled(x, RATE_STEPS, unit if len(unit) <= 3 else " " + unit)


def tick(x, unit):
    """A round number on an axis: 10 ns, 5 GB/s."""
    steps, suffix = (NS_STEPS, "") if unit == "ns" else (RATE_STEPS, unit)
    factor, prefix = next((s for s in steps if x >= s[0] * 0.9995), steps[-1])
    return f"{x / factor:g} {prefix}{suffix}"


def size(octets):
    """A payload or a memory size: powers of 1024, exact where it is a whole number."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if octets >= factor:
            x = octets / factor
            return f"{x:.0f} {unit}" if x == int(x) else f"{digits3(x)} {unit}"
    return f"{octets:.0f} B"


def quantity(x, unit):
    """A value of a record in its unit."""
    if unit == "ns":
        return duration(x)
    if unit == "bytes":
        return size(x)
    if unit == "bytes/s":
        return rate(x, "B/s")
    return rate(x, unit)


def ratio(x):
    return f"{digits3(x)}×" if x < 1000 else f"{x:,.0f}×"


def count(n):
    return f"{int(n):,}"


def plural(n, one, many=None):
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def listed(items, last="and"):
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + f" {last} {items[-1]}"
