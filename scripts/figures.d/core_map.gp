# SPDX-License-Identifier: MIT
# core_map - the round trip of one cache line between every two CPUs.
# data index 0: x y value, NaN for a pair not measured (grey); index 1 and 2: x y "text", light, dark.
# Variables: data cpus labels cpu_tics c_min c_max
set size square
set tmargin at screen top(44.)
set bmargin at screen bottom(104.)
set object 1 rectangle from graph 0,0 to graph 1,1 behind fillcolor rgb '#e6e6e6' fillstyle solid
set xrange [-0.5:cpus - 0.5]
set yrange [cpus - 0.5:-0.5]
set cbrange [c_min:c_max]
eval "set xtics " . cpu_tics . " textcolor rgb '#222222'"
eval "set ytics " . cpu_tics . " textcolor rgb '#222222'"
set xlabel 'from CPU'
set ylabel 'to CPU'
set cblabel 'round trip of one cache line, ns'
set border 15 ls 31
unset grid
unset key
plot data index 0 using 1:2:3 with image pixels, \
     for [i=1:2*labels] data index i using 1:2:3 with labels \
       tc rgb (i == 1 ? 'white' : 'black') font normal
