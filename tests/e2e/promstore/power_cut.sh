# The short form of scripts/power-cut and scripts/full-disk: two cuts with each way to sync, two full disks.
. "$E2E/lib.sh"
[ "$(id -u)" = 0 ] && [ -e /dev/loop-control ] && command -v mkfs.ext4 >/dev/null || skip "needs root, loop devices and mkfs.ext4"
losetup --find >/dev/null 2>&1 || skip "no loop devices here"
scripts=$E2E/../../scripts
# The interval mode is for scripts/power-cut by hand: its bound depends on how fast the disk syncs.
"$scripts/power-cut" --cuts 2 --fsync always || fail "power cuts, --fsync=always"
"$scripts/full-disk" --sizes 2 || fail "full disks"
