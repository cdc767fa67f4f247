# SPDX-License-Identifier: MIT
# response_rate - time from the intended moment until the item is there, by the rate of the items.
# data, one index a series: rate median lo hi p99 late; the last is NaN where the rate was achieved.
# Variables: data series late x_min x_max x_tics y_min y_max y_tics
set lmargin at screen 0.10
set rmargin at screen 0.70
set tmargin at screen top(44.)
set bmargin at screen bottom(98.)
set logscale x
set logscale y
eval "set xtics " . x_tics . " textcolor rgb '#222222'"
eval "set ytics " . y_tics . " textcolor rgb '#222222'"
set xlabel 'items that come per second (log scale)'
set ylabel 'response time (log scale)'
set xrange [x_min:x_max]
set yrange [y_min:y_max]
set key at screen 0.715,top(44.) left top reverse Left samplen 3 font small
plot for [i=0:series-1] data index i using 1:2:3:4 with yerrorlines ls i%8+1 \
       title columnheader(1).', median', \
     for [i=0:series-1] data index i using 1:5 with lines ls i%8+1 lw 1 \
       title (i == 0 ? 'thin: 99 %' : ''), \
     for [i=0:series-1] data index i using 1:6 with points pt 6 ps 2.4 lw 1.5 lc rgb '#000000' \
       title (i == 0 && late ? 'rate not achieved' : '')
