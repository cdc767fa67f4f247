# SPDX-License-Identifier: MIT
# throughput_size - payload bytes a second by message size, under copying in memory.
# data, one index a series: size value lo hi; the last (ceilings) are memcpy.
# Variables: data series ceilings x_min x_max y_min y_max y_tics
set lmargin at screen 0.10
set rmargin at screen 0.70
set tmargin at screen top(44.)
set bmargin at screen bottom(98.)
set logscale x 2
set logscale y
set xtics ('8 B' 8, '64 B' 64, '512 B' 512, '4 KiB' 4096, '32 KiB' 32768, '256 KiB' 262144, \
  '2 MiB' 2097152, '16 MiB' 16777216) textcolor rgb '#222222'
eval "set ytics " . y_tics . " textcolor rgb '#222222'"
set xlabel 'message size (log scale)'
set ylabel 'payload received and verified (log scale)'
set xrange [x_min:x_max]
set yrange [y_min:y_max]
set key at screen 0.715,top(44.) left top reverse Left samplen 3 font small
plot for [i=0:series-1] data index i using 1:2:3:4 with yerrorlines ls i%8+1 \
       title columnheader(1), \
     for [i=series:series+ceilings-1] data index i using 1:2 with linespoints \
       ls 20+(i-series)%2 lw 2 \
       title columnheader(1)
