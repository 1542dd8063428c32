#!/bin/sh
# Checks all models: a good one must hold (exit 0), one in broken/ or refuted/
# must be attacked (exit 2). VERIFPAL names the binary if it is not in PATH.
# With file names as arguments only these are checked.
cd "$(dirname "$0")" || exit 1
vp=${VERIFPAL:-verifpal}
bad=0
[ $# -gt 0 ] || set -- *.vp broken/*.vp refuted/*.vp
for f; do
	want=0
	case $f in broken/* | refuted/*) want=2 ;; esac
	t=$(date +%s)
	out=$("$vp" verify "$f" --fail-on-attack --quiet --result-code --color never)
	rc=$?
	t=$(($(date +%s) - t))
	code=$(printf '%s\n' "$out" | tail -n 1)
	say=ok
	[ $rc -eq $want ] || { say=WRONG; bad=1; }
	printf '%-34s exit %d  %4d s  %s  %s\n' "$f" $rc $t "$code" $say
done
exit $bad
