#!/bin/sh
# On the machine that run.sh boots: each package refused beside another agent, installed, used, upgraded, taken away.
#     inside.sh COUNTERSIGN DEB RPM
set -eu
countersign=$1 deb=$2 rpm=$3
fail() { echo "FAILED: $1" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "ok      $1"; }
himds=http://localhost:40342
challenges=/var/opt/azcmagent/tokens

"$countersign" up --data /srv/site --https-port 443 --no-machine --ready-file /srv/ready.json >/srv/up.log 2>&1 &
tries=0
until [ -f /srv/ready.json ]; do tries=$((tries + 1)); [ "$tries" -lt 200 ] || { cat /srv/up.log; fail "no site"; }; sleep 0.1; done
ready() { jq -er "$1" /srv/ready.json; }

ask() { curl -s --max-time 10 -H Metadata:true "$@" "$himds/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https%3A%2F%2Fvault.azure.net"; }
# The two steps; the file is read by the command given.
token() {
    file=$(ask -D - -o /dev/null | grep Www-Authenticate | cut -d= -f2 | tr -d '[:cntrl:]')
    ask -H "Authorization: Basic $("$@" cat "$file")" | jq -r '.token_type // .error'
}
status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(systemctl show -P MainPID himdsd.service)/status"; }

# The file system behind the challenges, and what it allows.
in_memory() {
    grep " $challenges " /proc/mounts | cut -d' ' -f3,4 | tr ', ' '\n\n' |
        grep -x -e tmpfs -e rw -e 'no[sde].*' -e 'size=.*' -e 'nr_inodes=.*' | sort | tr '\n' ' '
}
mount_unit=var-opt-azcmagent-tokens.mount

# Where challenges cannot be kept in memory they are kept beneath, and `check` says so.
without_mount() {
    systemctl stop "$mount_unit"
    systemctl mask --quiet --runtime "$mount_unit"
    expect "$1: without the mount a caller is served" "$(token env) $(stat -f -c %T "$challenges" | grep -c tmpfs)" "Bearer 0"
    expect "$1: and check says where challenges are" "$(kept)" "note on a disk"
    systemctl unmask --quiet --runtime "$mount_unit"
    systemctl start "$mount_unit"
    expect "$1: mounted under a running agent, it is taken" "$(token env) $(stat -f -c %T "$challenges")" "Bearer tmpfs"
    systemctl restart himdsd.service
    expect "$1: and again with the next start" "$(token runuser -u member --) $(kept)" "Bearer good in memory"
}
kept() { azcmagent check -j | jq -r --arg at "$challenges" '.[] | select(.endpoint == $at) | .result + " " + (.detail | capture("(?<kept>in memory|on a disk)").kept)'; }

used() {
    expect "$1: the socket and the service are up" "$(systemctl is-active himdsd.socket himdsd.service | tr '\n' ' ')" "active active "
    expect "$1: they start with the machine" "$(systemctl is-enabled himdsd.socket himdsd.service | tr '\n' ' ')" "enabled enabled "
    expect "$1: the agent is no root and can become none" \
        "$(ps -o user= -p "$(systemctl show -P MainPID himdsd.service)") $(status_of CapEff) $(status_of NoNewPrivs) $(status_of Seccomp)" "himds 0000000000000000 1 2"
    expect "$1: its directories" "$(stat -c '%U:%G %a' /var/opt/azcmagent /var/opt/azcmagent/tokens | tr '\n' ' ')" "himds:himds 755 himds:himds 750 "
    expect "$1: challenges are in memory, bounded, and nothing else" "$(in_memory)" \
        "nodev noexec nosuid nr_inodes=10240 rw size=40960k tmpfs "
    expect "$1: clients find its file" "$(runuser -u nobody -- test -r /opt/azcmagent/bin/himds && echo yes)" yes
    expect "$1: an unconnected machine says so" "$(ask | jq -r .error)" invalid_request
    printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "env >/srv/service.env"\n' >/etc/systemd/system/other.service
    systemctl daemon-reload && systemctl start other.service
    expect "$1: a service finds the pair of variables" "$(grep -c -e '^IDENTITY_ENDPOINT=http://localhost:40342/metadata/identity/oauth2/token$' -e '^IMDS_ENDPOINT=http://localhost:40342$' /srv/service.env)" 2

    azcmagent connect --site "$(ready .resource_manager)" --ca-file "$(ready .ca_file)" -g countersign -n "$1" \
        -i "$(ready .operator.client_id)" --service-principal-secret-file "$(ready .operator.client_secret_file)"
    expect "$1: the key is the agent's alone" "$(stat -c '%U %a' /var/opt/azcmagent/machine.key)" "himds 600"
    expect "$1: root gets a token" "$(token env)" Bearer
    useradd -M -G himds member 2>/dev/null || true
    expect "$1: a member of the group gets one" "$(token runuser -u member --)" Bearer
    expect "$1: others do not" "$(token runuser -u nobody -- 2>/dev/null || true)" forbidden
    azcmagent check -j >/srv/check.json || fail "check: $(cat /srv/check.json)"
    expect "$1: check finds nothing wrong" "$(jq 'map(select(.result == "bad")) | length' /srv/check.json)" 0

    without_mount "$1"
    systemctl stop himdsd.service
    expect "$1: a caller wakes a stopped agent and is served" "$(token env)" Bearer
    kill -KILL "$(systemctl show -P MainPID himdsd.service)"
    expect "$1: a killed one comes back for the next caller" "$(token env)" Bearer
}

# The owner has switched it off: `$2…` is an upgrade, and switches nothing on.
stays_off() {
    name=$1
    shift
    systemctl disable --quiet --now himdsd.socket himdsd.service csagent-certificates.service
    "$@" >/srv/said 2>&1 || fail "$*: $(cat /srv/said)"
    expect "$name: an upgrade leaves what its owner has switched off" \
        "$(systemctl is-enabled himdsd.socket himdsd.service csagent-certificates.service | sort -u) $(systemctl is-active himdsd.socket himdsd.service csagent-certificates.service | sort -u)" "disabled inactive"
    systemctl enable --quiet --now himdsd.socket himdsd.service csagent-certificates.service
}

gone() {
    expect "$1: nothing runs" "$(systemctl is-active himdsd.socket himdsd.service | sort -u)" inactive
    expect "$1: no file is left" "$(ls -d /opt/azcmagent/bin /usr/bin/csagent /usr/bin/azcmagent /usr/lib/systemd/system/himdsd.* "/usr/lib/systemd/system/$mount_unit" /lib/systemd/system.conf.d/azcmagent.conf /usr/lib/sysusers.d/csagent.conf 2>/dev/null || true)" ""
    expect "$1: nothing is mounted" "$(grep -c " $challenges " /proc/mounts || true)" 0
    expect "$1: nobody listens" "$(curl -s -o /dev/null --max-time 5 $himds || echo refused)" refused
    # The machine is deleted at its site, or stays: either way no later test meets it.
    userdel member
}

# Beside another agent.
mkdir -p /opt/azcmagent/bin && touch /opt/azcmagent/bin/himds
for install in "dpkg -i $deb" "rpm -i --nodeps $rpm"; do
    if $install >/srv/said 2>&1; then fail "installed over another agent's file: $install"; fi
    grep -q 'himds is there and is not ours' /srv/said || fail "another reason: $(cat /srv/said)"
done
rm -rf /opt/azcmagent
dpkg --purge csagent >/dev/null 2>&1 || true
mkdir -p /srv/other/DEBIAN
printf 'Package: azcmagent\nVersion: 1.64\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >/srv/other/DEBIAN/control
dpkg-deb --build /srv/other /srv/other.deb >/dev/null && dpkg -i /srv/other.deb >/dev/null 2>&1
if dpkg -i "$deb" >/srv/said 2>&1; then fail "installed beside azcmagent"; fi
grep -q 'azcmagent is installed' /srv/said || fail "another reason: $(cat /srv/said)"
dpkg --purge csagent azcmagent >/dev/null 2>&1
echo "ok      neither package is installed beside another agent"

dpkg -i "$deb" >/srv/said 2>&1 || fail "dpkg: $(cat /srv/said)"
expect "the programs are one" "$(csagent version | cut -d' ' -f1) $(azcmagent version | cut -d' ' -f1)" "csagent azcmagent"
expect "systemd has nothing to say about the units" "$(systemd-analyze verify /lib/systemd/system/himdsd.service /lib/systemd/system/himdsd.socket /lib/systemd/system/csagent-certificates.service "/lib/systemd/system/$mount_unit" 2>&1 | grep -e himdsd -e csagent -e azcmagent || true)" ""
systemd-analyze security --offline=true --threshold=20 /lib/systemd/system/himdsd.service >/srv/said 2>&1 || fail "the unit is exposed: $(tail -n 1 /srv/said)"
echo "ok      $(tail -n 1 /srv/said | tr -s ' ')"
used deb
dpkg -i "$deb" >/srv/said 2>&1 || fail "dpkg again: $(cat /srv/said)"
expect "an upgrade keeps the identity" "$(token env) $(azcmagent show -j status | jq -r .status)" "Bearer Connected"
stays_off deb dpkg -i "$deb"
dpkg -r csagent >/srv/said 2>&1 || fail "dpkg -r: $(cat /srv/said)"
expect "taken away while connected, it says so" "$(grep -c 'still connected' /srv/said)" 1
[ -e /var/opt/azcmagent/machine.key ] || fail "removing took the identity, which only purging may"
dpkg -i "$deb" >/srv/said 2>&1
expect "put back, it is the same machine" "$(token env)" Bearer
expect "and starts with the machine again" "$(systemctl is-enabled himdsd.socket himdsd.service | tr '\n' ' ')" "enabled enabled "
azcmagent disconnect -i "$(ready .operator.client_id)" --service-principal-secret-file "$(ready .operator.client_secret_file)"
dpkg --purge csagent >/srv/said 2>&1 || fail "dpkg --purge: $(cat /srv/said)"
gone deb
expect "purged, nothing is left" "$(ls -d /var/opt/azcmagent /var/lib/csagent 2>/dev/null; getent passwd himds; getent group himds; ls /etc/systemd/system/*.wants/ 2>/dev/null | grep -e himds -e csagent || true)" ""

rpm -K --nosignature "$rpm" >/dev/null || fail "the .rpm's digests do not fit"
for script in PREIN POSTIN PREUN POSTUN; do
    rpm -qp --qf "%{$script}\n" "$rpm" 2>/dev/null | sh -n || fail "$script is no script"
done
expect "the .rpm conflicts with the other agent" "$(rpm -qp --conflicts "$rpm" 2>/dev/null)" azcmagent
expect "both packages hold the same files" \
    "$(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" 2>/dev/null | sed -n 's/^[^d][^ ]* //p' | sed 's,^/usr/lib/systemd/,/lib/systemd/,' | sort | tr '\n' ' ')" \
    "$(dpkg-deb -c "$deb" | grep -v '^d' | awk '{print substr($6, 2)}' | sort | tr '\n' ' ')"
rpm -i --nodeps "$rpm" >/srv/said 2>&1 || fail "rpm -i: $(cat /srv/said)"
used rpm
rpm -U --force --nodeps "$rpm" >/srv/said 2>&1 || fail "rpm -U: $(cat /srv/said)"
expect "an upgrade keeps the identity" "$(token env) $(azcmagent show -j status | jq -r .status)" "Bearer Connected"
stays_off rpm rpm -U --force --nodeps "$rpm"
azcmagent disconnect -i "$(ready .operator.client_id)" --service-principal-secret-file "$(ready .operator.client_secret_file)"
rpm -e csagent >/srv/said 2>&1 || fail "rpm -e: $(cat /srv/said)"
gone rpm
echo "packages: every step as expected"
