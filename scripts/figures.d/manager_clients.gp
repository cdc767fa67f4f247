# SPDX-License-Identifier: MIT
# manager_clients - a manager under a growing number of clients: latency left, throughput right.
# data[p], one index a series: clients value lo hi. style[8 * (p - 1) + i] is the i-th one's line style.
# Variables: panels data[] series[] style[] caption[] y_tics[] crowded c_max c_tics key_lines
set multiplot layout 1, panels margins 0.085,0.98,bottom(116. + 18. * key_lines),top(76.) spacing 0.10
set logscale x 2
set logscale y
set xlabel 'clients at the same time'
eval "set xtics " . c_tics . " textcolor rgb '#222222'"
set xrange [0.8:c_max * 1.25]
# From here on there are more processes than CPUs.
set object 1 rectangle from crowded,graph 0 to graph 1,graph 1 behind fillcolor rgb '#f2f2f2' \
  fillstyle solid noborder
do for [p=1:panels] {
  set title caption[p]
  eval "set ytics " . y_tics[p] . " textcolor rgb '#222222'"
  set key at graph 0.02,screen bottom(40. + 18. * key_lines) left top maxcols 1 samplen 3 \
    font small reverse Left
  plot for [i=1:series[p]] data[p] index i-1 using 1:2:3:4 with yerrorlines \
       ls style[8 * (p - 1) + i] title columnheader(1)
  unset label 90
  unset label 91
}
unset multiplot
