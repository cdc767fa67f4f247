# SPDX-License-Identifier: MIT
# no_data - stands where a figure would, and says why there is none. Variables: why
unset border
unset tics
unset grid
unset key
set xrange [0:1]
set yrange [0:1]
set label 1 why at screen 0.5,0.45 center noenhanced tc rgb '#555555'
plot NaN notitle
