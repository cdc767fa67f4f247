# SPDX-License-Identifier: MIT
# latency_percentiles - whole distributions, a panel a workload, on a log-percentile axis.
# data[p], one index a series: percentile(0..1) value.
# Variables: panels columns_n rows_n data[] series[] caption[] x_max[] y_min[] y_max[] y_tics[]
set multiplot layout rows_n, columns_n margins 0.085,0.98,bottom(98.),top(76.) \
  spacing 0.11,bottom(90.)
set logscale xy
set xtics ("0" 1, "50" 2, "90" 10, "99" 100, "99.9" 1000, "99.99" 10000, "99.999" 100000) \
  textcolor rgb '#222222'
set key top left samplen 3 font small reverse Left
do for [p=1:panels] {
  set title caption[p]
  eval "set ytics " . y_tics[p] . " textcolor rgb '#222222'"
  if (p > panels - columns_n) { set xlabel 'percentile' } else { unset xlabel }
  set xrange [1:x_max[p]]
  set yrange [y_min[p]:y_max[p]]
  plot for [i=0:series[p]-1] data[p] index i using (1./(1.-$1)):2 with lines ls i+1 lw 2 \
       title columnheader(1)
  unset label 90
  unset label 91
}
unset multiplot
