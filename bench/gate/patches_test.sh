#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every patch of patches/ still applies, and states which cases must regress.
# Usage: patches_test.sh SOURCE
set -uo pipefail
source=$1
failures=0
for patch in "$source"/bench/gate/patches/*.patch; do
	if ! git -C "$source" apply --check "$patch"; then
		echo "FAIL: $(basename "$patch") does not apply: make it anew from what it says that it does"
		failures=$((failures + 1))
	fi
	if ! grep -q '^Regressed: .' "$patch"; then
		echo "FAIL: $(basename "$patch") does not say which cases must regress"
		failures=$((failures + 1))
	fi
done
exit $((failures > 0))
