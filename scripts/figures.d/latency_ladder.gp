# SPDX-License-Identifier: MIT
# latency_ladder - one row an implementation, by kind, on a logarithmic time axis.
# data, one index a group: value row ci_lo ci_hi p99 floor text_x "text"; a missing number is NaN.
# style[i] is the line style of the i-th group, the same in every run.
# Variables: data groups style[] rows x_min x_max x_tics y_tics
set lmargin at screen 0.28
set rmargin at screen 0.97
set tmargin at screen top(44.)
set bmargin at screen bottom(136.)
set logscale x
eval "set xtics " . x_tics . " textcolor rgb '#222222'"
eval "set ytics " . y_tics . " noenhanced font small textcolor rgb '#222222'"
set xrange [x_min:x_max]
set yrange [rows:-0.8]
set xlabel 'time of one operation or round trip, median (log scale)'
set grid xtics noytics ls 30
set key at screen 0.5,bottom(66.) center top horizontal maxrows 2 samplen 1 font small
plot for [i=0:groups-1] data index i using 1:2:($5-$1):(0) with vectors nohead ls 22 notitle, \
     for [i=0:groups-1] data index i using 5:2 with points ls 22 notitle, \
     for [i=0:groups-1] data index i using 6:2 with points ls 20 notitle, \
     for [i=0:groups-1] data index i using 1:2:3:4 with xerrorbars ls style[i+1] dt 1 \
       notitle, \
     for [i=0:groups-1] data index i using 7:2:8 with labels left offset 0.9,0 \
       font small noenhanced notitle, \
     for [i=0:groups-1] data index i using (NaN):2 with points ls style[i+1] \
       title columnheader(1), \
     NaN with points ls 20 title 'floor of the row', \
     NaN with points ls 22 title '99th percentile'
