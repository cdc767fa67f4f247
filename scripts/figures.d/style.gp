# SPDX-License-Identifier: MIT
# style - what all figures share. Loaded after the figure's variables and before the figure.
# Variables of every figure: title note width height (in points) and the fonts small normal large
# Okabe-Ito colours, each with a marker and a dash of its own, so that no series needs its colour.
set encoding utf8
set style line 1 lc rgb '#0072B2' pt 7  ps 0.9 dt 1 lw 2
set style line 2 lc rgb '#D55E00' pt 5  ps 0.9 dt 2 lw 2
set style line 3 lc rgb '#009E73' pt 9  ps 1.0 dt 4 lw 2
set style line 4 lc rgb '#CC79A7' pt 13 ps 1.0 dt 5 lw 2
set style line 5 lc rgb '#E69F00' pt 11 ps 1.0 dt 3 lw 2
set style line 6 lc rgb '#56B4E9' pt 6  ps 0.9 dt 1 lw 2
set style line 7 lc rgb '#000000' pt 4  ps 0.9 dt 2 lw 2
set style line 8 lc rgb '#666666' pt 8  ps 1.0 dt 4 lw 2
# Limits are drawn in black and thin; grids and borders step back.
set style line 20 lc rgb '#000000' pt 2 ps 0.8 dt 3 lw 1.5
set style line 21 lc rgb '#000000' pt 1 ps 0.8 dt 4 lw 1.5
set style line 22 lc rgb '#8c8c8c' pt 3 ps 0.7 dt 1 lw 1
set style line 30 lc rgb '#d9d9d9' lw 0.6 dt 1
set style line 31 lc rgb '#808080' lw 0.8 dt 1
set border 3 ls 31
set tics nomirror out scale 0.5 textcolor rgb '#222222'
set grid ls 30
set key noenhanced
set title noenhanced
# Margins in points, so that they hold at every height.
top(points) = 1. - points / height
bottom(points) = points / height
set label 90 title at screen 0.012,top(20.) left noenhanced font large
set label 91 note at screen 0.988,bottom(12.) right noenhanced tc rgb '#555555' font small
# viridis, which gnuplot 5.4 does not have by name
set palette defined (0 '#440154', 1 '#472c7a', 2 '#3b518b', 3 '#2c718e', 4 '#21908d', \
  5 '#27ad81', 6 '#5cc863', 7 '#aadc32', 8 '#fde725')
