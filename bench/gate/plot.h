/* SPDX-License-Identifier: MIT */
/*
 * plot - the drawings of the gate's page, as inline SVG
 *
 * Every plot has a title element for readers who cannot see it, states its n, and is drawn from a
 * judged run. Verdicts differ in colour (Okabe and Ito's, safe for the colour-blind) and in shape.
 */
#ifndef GATE_PLOT_H
#define GATE_PLOT_H

#include "gate/run.h"

#include <stdio.h>

/** xg_plot_colour() - "#D55E00" for regressed. */
const char *xg_plot_colour(enum xg_verdict verdict);

/** xg_plot_forest() - A row for each case: the change and its interval, over the tolerance band.
 * @order holds @count indices into the run's cases. */
void xg_plot_forest(const struct xg_run *run, const size_t *order, size_t count, FILE *file);

/** xg_plot_scatter() - Candidate over baseline, a dot a pair. */
void xg_plot_scatter(const struct xg_run *run, const struct xg_case *tested, FILE *file);

/** xg_plot_ecdf() - Both arms' distributions of the time per operation. 0, -ENOMEM. */
XP_MUST_CHECK int xg_plot_ecdf(const struct xg_case *tested, FILE *file);

/** xg_plot_drift() - The change of each pair over the time of the run, launches told apart. */
void xg_plot_drift(const struct xg_run *run, const struct xg_case *tested, FILE *file);

#endif
