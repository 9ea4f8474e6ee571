# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines that a benchmark prints: what was measured, the figure, a ratio, the budget, and whether it is kept."""
import statistics

WIDTH = 58


class Figures:
    def __init__(self):
        self.missed = []

    @staticmethod
    def title(text):
        print(f"\n{text:{WIDTH}}{'figure':>24}{'ratio':>8}{'budget':>12}", flush=True)

    @staticmethod
    def note(text):
        print(f"  ({text})", flush=True)

    def line(self, name, figure, ratio=None, budget=None, kept=None):
        """`kept`: whether the budget is; None: there is no budget for it."""
        shown = "" if ratio is None else f"{ratio:.3f}"
        verdict = "" if kept is None else "ok" if kept else "MISSED"
        print(f"  {name:{WIDTH - 2}}{figure:>24}{shown:>8}{budget or '':>12}  {verdict}".rstrip(), flush=True)
        if kept is False:
            self.missed.append(name)

    def at_most(self, name, figure, value, limit, unit):
        """A value with its unit, and no ratio."""
        self.line(name, figure, None, f"{limit:g} {unit}", value <= limit)

    def end(self):
        if self.missed:
            print("\nbudgets missed: " + "; ".join(self.missed))
        else:
            print("\nno budget missed")


def quartiles(values):
    """25th percentile, median, 75th."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))
