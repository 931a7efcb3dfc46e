#!/bin/bash
# Proves the lab by itself: guest "server" runs poptop, guest "client" calls it with
# pptp-linux; between them a bridge in a host network namespace of our own.
#   selftest.sh [OPTIONS OF guest-run.sh]
# Prints one line for each call; exit status 0 when all of them worked.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
ns=labself$$
work=$(mktemp -d /tmp/lab-selftest.XXXXXX)
trap 'ip netns del $ns; rm -rf "$work"' EXIT
ip netns add $ns
ip -n $ns link set lo up
ip -n $ns link add br0 type bridge
ip -n $ns addr add 10.99.0.1/24 dev br0
ip -n $ns link set br0 up
for t in ts tc; do
    ip -n $ns tuntap add dev $t mode tap
    ip -n $ns link set $t master br0 up
done
cat >"$work/server.sh" <<'X'
. /lab/lib/pptpd-server.sh
while [ ! -e /lab/run/stop ]; do
    if [ -e /lab/run/options ]; then
        start_pptpd 10.99.0.2 "$(cat /lab/run/options)"
        rm /lab/run/options
        touch /lab/run/ready
        while [ ! -e /lab/run/again ]; do sleep 0.2; done
        stop_pptpd
        rm /lab/run/again
    fi
    sleep 0.2
done
X
cat >"$work/client.sh" <<'X'
. /lab/lib/pptp-client.sh
bad=0
call() { # name, server's options, client's options, pattern that pppd must log
    rm -f /lab/run/ready
    echo "$2" >/lab/run/options.new; sync; mv /lab/run/options.new /lab/run/options
    while [ ! -e /lab/run/ready ]; do sleep 0.2; done
    if pptp_up 10.99.0.2 "$3" && ping -c 5 -i 0.2 -W 2 10.50.0.1 >/tmp/ping && grep -q "$4" /tmp/client.log; then
        echo "ok   $1 ($(tail -1 /tmp/ping))"
    else
        echo "FAIL $1"; tail -20 /tmp/client.log; bad=1
    fi
    pptp_down
    touch /lab/run/again
    while [ -e /lab/run/again ]; do sleep 0.2; done
}
ms="refuse-pap refuse-chap refuse-mschap require-mschap-v2"
call "PAP, no encryption" "require-pap noccp" "noccp" "PAP authentication succeeded"
call "MS-CHAPv2, MPPE-128 stateless" "$ms require-mppe-128" "require-mppe-128" "MPPE 128-bit stateless"
call "MS-CHAPv2, MPPE-40 stateless" "$ms require-mppe-40" "require-mppe-40" "MPPE 40-bit stateless"
call "MS-CHAPv2, MPPE-128 stateful both ways" \
    "$ms plugin labpptp.so require-mppe-128 mppe-stateful want-mppe-stateful" \
    "plugin labpptp.so require-mppe-128 mppe-stateful want-mppe-stateful" "MPPE 128-bit stateful"
touch /lab/run/stop
exit $bad
X
mkdir "$work/share"
"$here/guest-run.sh" "$@" --netns $ns --name server --share "$work/share" --tap ts --addr 10.99.0.2/24 \
    --script "$work/server.sh" >"$work/server.out" 2>&1 &
sleep 4
"$here/guest-run.sh" "$@" --netns $ns --name client --share "$work/share" --tap tc --addr 10.99.0.3/24 \
    --script "$work/client.sh"
rc=$?
touch "$work/share/stop"
wait
((rc)) && cat "$work/server.out"
exit $rc
