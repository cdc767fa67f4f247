# SPDX-License-Identifier: MIT
"""gnuplot - run one of scripts/figures.d/*.gp and make sure that it drew something."""
import math
import os
import shutil
import subprocess
import tempfile

import words

FIGURES_D = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "figures.d")
FONT = "DejaVu Sans"
FALLBACK = "DejaVu Sans, Verdana, Arial, sans-serif"
BYTES_MIN = {"svg": 1000, "png": 1500}  # less than this is an empty canvas


class PlotError(Exception):
    pass


def quoted(text):
    """A gnuplot string; within single quotes only the quote itself is special."""
    return "'" + str(text).replace("'", "''").replace("\n", " ") + "'"


def literal(value):
    return quoted(value) if isinstance(value, str) else repr(value)


def assignments(variables):
    lines = []
    for name, value in variables.items():
        if isinstance(value, list):
            items = ", ".join(literal(v) for v in value)
            lines.append(f"array {name}[{len(value)}] = [{items}]")
        else:
            lines.append(f"{name} = {literal(value)}")
    return "\n".join(lines) + "\n"


def tics(pairs):
    """What follows "set xtics": [(text, place)]."""
    return "(" + ", ".join(f"{quoted(text)} {place!r}" for text, place in pairs) + ")"


def log_tics(low, high, unit):
    """Ticks at the powers of ten, at 2 and 5 too where they are few."""
    mantissas = (1, 2, 5) if high / low < 200 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return tics([(words.tick(m * 10 ** e, unit), float(m * 10 ** e))
                 for e in range(first, last + 1) for m in mantissas])


def terminal(kind, width, height):
    # The two terminals disagree on the size of a point, by about 4:3.
    if kind == "svg":
        return (f"set terminal svg size {width},{height} dynamic font {quoted(FONT + ',14')} "
                "background '#ffffff'\nsmall = ',12'\nnormal = ',14'\nlarge = ',17'\n")
    return ("small = ',9'\nnormal = ',11'\nlarge = ',13'\n"
            f"set terminal pngcairo size {2 * width},{2 * height} font {quoted(FONT + ',11')} "
            "fontscale 2 linewidth 2 pointscale 2 background '#ffffff'\n")


def blocks(series):
    """Data blocks, an index each: [(header, [row, ...])]; a row is a tuple of numbers and text."""
    def cell(x):
        if x is None:
            return "NaN"
        return '"' + x.replace('"', "'") + '"' if isinstance(x, str) else repr(x)

    return "\n\n\n".join(
        cell(header) + "\n" + "\n".join(" ".join(cell(x) for x in row) for row in rows)
        for header, rows in series) + "\n"


def draw(program, folder, name, size, variables, data=None):
    """Draw name.svg and name.png into folder. data: {variable: blocks}, each put into a file.

    A variable whose value is a list of block lists becomes an array of file names.
    """
    if not shutil.which("gnuplot"):
        raise PlotError("there is no gnuplot; scripts/setup installs it")
    variables = {**variables, "width": size[0], "height": float(size[1])}
    with tempfile.TemporaryDirectory(prefix="xpshare-plot-") as scratch:
        def file_of(series, stem):
            path = os.path.join(scratch, stem + ".dat")
            with open(path, "w", encoding="utf-8") as file:
                file.write(blocks(series))
            return path

        for variable, series in (data or {}).items():
            if series and isinstance(series[0], list):
                variables[variable] = [file_of(s, f"{variable}{i}") for i, s in enumerate(series)]
            else:
                variables[variable] = file_of(series, variable)
        for kind in ("svg", "png"):
            out = os.path.join(scratch, f"{name}.{kind}")
            script = os.path.join(scratch, f"{name}.{kind}.gp")
            with open(script, "w", encoding="utf-8") as file:
                file.write(terminal(kind, *size) + f"set output {quoted(out)}\n"
                           + assignments(variables)
                           + f"load {quoted(os.path.join(FIGURES_D, 'style.gp'))}\n"
                           + f"load {quoted(os.path.join(FIGURES_D, program + '.gp'))}\n"
                           + "unset output\n")
            run = subprocess.run(["gnuplot", script], capture_output=True, text=True, check=False)
            if run.returncode != 0:
                raise PlotError(f"{program}.gp: gnuplot exits {run.returncode}: "
                                f"{run.stderr.strip()[-800:]}")
            if not os.path.exists(out) or os.path.getsize(out) < BYTES_MIN[kind]:
                raise PlotError(f"{program}.gp: gnuplot drew nothing: {run.stderr.strip()[-800:]}")
            if kind == "svg":
                with open(out, encoding="utf-8") as file:
                    text = file.read().replace(f'font-family="{FONT}"', f'font-family="{FALLBACK}"')
                with open(out, "w", encoding="utf-8") as file:
                    file.write(text)
            final = os.path.join(folder, f"{name}.{kind}")
            shutil.copyfile(out, final + ".new")
            os.replace(final + ".new", final)
