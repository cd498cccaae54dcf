#!/bin/sh
# The agent's packages on a machine of their own: a copy of this one's files that vanishes, booted by a systemd of its own in
# namespaces. Installed, used, upgraded, purged; nothing outside changes. Needs root.
#
#     run.sh COUNTERSIGN DEB RPM
set -eu
here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }

if [ "${1-}" = --boot ]; then
    # The first process of the new namespaces: makes the copy, then becomes its systemd.
    work=$2
    mount --make-rprivate /
    mount -t tmpfs -o size=1g,mode=755 tmpfs "$work"
    mkdir "$work/upper" "$work/inner" "$work/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/inner" "$work/root"
    cd "$work/root"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs -o mode=1777 tmpfs tmp
    mount -t tmpfs -o mode=755 tmpfs dev
    mkdir dev/shm dev/pts dev/mqueue dev/hugepages
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    for device in null zero full random urandom tty; do touch "dev/$device" && mount --bind "/dev/$device" "dev/$device"; done
    # What the host is made of need not start here, nor may an agent it has be seen.
    rm -rf etc/systemd/system opt/azcmagent var/opt/azcmagent
    mkdir -p etc/systemd/system
    for target in sysinit basic network-online multi-user sockets; do
        printf '[Unit]\nDescription=nothing of the host\nDefaultDependencies=no\n' >"etc/systemd/system/$target.target"
    done
    printf '[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service sockets.target\n' >etc/systemd/system/booted.target
    printf 'himds-test\n' >etc/hostname
    S=countersign.localhost
    printf '127.0.0.1 localhost\n::1 localhost\n127.0.0.1 login.%s management.%s graph.%s\n' $S $S $S >etc/hosts
    ip link set lo up
    hostname himds-test
    # For good, so that systemd can make namespaces of its own for what it starts; what is mounted later is seen in them, as
    # systemd sees to on a machine that is no container.
    mkdir outside && pivot_root . outside
    exec env -i container=countersign PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c 'cd / &&
        umount -l /outside && rmdir /outside && mount --make-rshared / &&
        exec /lib/systemd/systemd --system --unit=booted.target --log-target=journal --show-status=no'
fi

countersign=$1 deb=$2 rpm=$3
[ "$(id -u)" = 0 ] || fail "only root boots a machine"
work=$(mktemp -d)
unshare -m -p -n -i -u -C --fork --kill-child=KILL sh "$here/run.sh" --boot "$work" >"$work.log" 2>&1 &
machine=$!
end() { kill -KILL "$machine" 2>/dev/null || true; wait "$machine" 2>/dev/null || true; rm -rf "$work" "$work.log"; }
trap end EXIT
# inside COMMAND…: on the booted machine.
init=''
inside() { cd / && nsenter -t "$init" -m -p -n -i -u -C -r env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
tries=0
until [ -n "$init" ] && inside systemctl is-active --quiet booted.target 2>/dev/null; do
    kill -0 "$machine" 2>/dev/null || { cat "$work.log"; fail "no machine could be booted"; }
    tries=$((tries + 1)); [ "$tries" -lt 300 ] || { cat "$work.log"; fail "the machine does not boot"; }
    init=$(cat "/proc/$machine/task/$machine/children" 2>/dev/null | tr -d ' ') ; sleep 0.1
done
echo "ok      a machine of its own is booted"
# The packages and the site's program, where the machine's own /tmp does not hide them.
mkdir "/proc/$init/root/srv/given"
for file in "$countersign" "$deb" "$rpm"; do cp "$file" "/proc/$init/root/srv/given/"; done
deb=/srv/given/$(basename "$deb") rpm=/srv/given/$(basename "$rpm")
cp "$here/inside.sh" "/proc/$init/root/srv/given/inside.sh"
inside sh /srv/given/inside.sh "/srv/given/$(basename "$countersign")" "$deb" "$rpm" || {
    inside journalctl --no-pager -n 60 -u himdsd.service -u himdsd.socket || true
    exit 1
}
