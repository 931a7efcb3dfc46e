#!/bin/bash
# Run a shell script inside a lab guest (built by guest-build.sh) and return its
# output and exit status.
#
#   guest-run.sh [--netns NS] [--tap TAP [--host CIDR] [--addr CIDR]]... [--gw IP]
#                [--mem SIZE] [--timeout SEC] [--dir LABDIR] [--name NAME] [--share DIR]
#                [--cpu LIST] [--kernel newer|bookworm] [--verbose] (--cmd 'COMMANDS' | --script FILE)
#
#   --netns NS    run the guest in this network namespace (ip netns); the tap
#                 must be, or is made, there.  Without it: the current one.
#   --tap TAP     attach a guest interface (vec0, vec1, ...: may be given again)
#                 to this tap; made (and removed after) when it is not there yet.
#                 Without it the guest has no net.
#   --host CIDR   address to give the last tap named, if it is made here (host side)
#   --addr CIDR   guest address on the last tap named  (vec0: default 10.99.0.2/24)
#   --share DIR   a directory that the guest sees, read and write, as /lab/run;
#                 default a fresh temporary one.  Files the commands leave there
#                 are on the host afterwards, and the host can put files there.
#                 lab/guest of this checkout is there too, as /lab/lib.
#   --name NAME   the guest's host name; guests that share a directory need their own
#   --kernel K    newer or bookworm; default the one that guest-build.sh found to boot
#   --verbose     the guest's kernel messages on stderr at the end
#   --timeout S   end the guest after S seconds (exit status 124; default 120)
#
# Exit status: that of the commands; 124 timeout; 125 the guest did not run.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${LAB_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fastpptp-lab} ns= gw= mem=512M timeout=120 taps=() hosts=() addrs=()
name=guest share= cpu= verbose=0 kernel= cmd= script=
while (($#)); do
    case $1 in
    --netns) ns=$2; shift 2 ;;
    --tap) taps+=("$2"); hosts+=(""); addrs+=(""); shift 2 ;;
    --host) hosts[-1]=$2; shift 2 ;;
    --addr) addrs[-1]=$2; shift 2 ;;
    --gw) gw=$2; shift 2 ;;
    --mem) mem=$2; shift 2 ;;
    --timeout) timeout=$2; shift 2 ;;
    --dir) dir=$2; shift 2 ;;
    --name) name=$2; shift 2 ;;
    --share) share=$2; shift 2 ;;
    --cpu) cpu=$2; shift 2 ;;
    --verbose) verbose=1; shift ;;
    --kernel) kernel=$2; shift 2 ;;
    --cmd) cmd=$2; shift 2 ;;
    --script) script=$2; shift 2 ;;
    *) echo "guest-run.sh: unknown argument $1" >&2; exit 125 ;;
    esac
done
[[ -n $cmd || -n $script ]] || { echo "guest-run.sh: --cmd or --script" >&2; exit 125; }
[[ -x $dir/rootfs/lab/init ]] || { echo "guest-run.sh: no guest in $dir (guest-build.sh)" >&2; exit 125; }

state=$(mktemp -d /tmp/lab-guest.XXXXXX)
made_taps=()
if [[ -z $share ]]; then share=$state/share; mkdir "$share"; fi
share=$(realpath "$share")
rm -f "$share/$name.rc"
in_ns() { if [[ -n $ns ]]; then ip netns exec "$ns" "$@"; else "$@"; fi; }
cleanup() {
    for t in "${made_taps[@]}"; do in_ns ip link del "$t" 2>/dev/null; done
    rm -rf "$state"
}
trap cleanup EXIT
if [[ -n $script ]]; then cp "$script" "$share/$name.script"; else printf '%s\n' "$cmd" >"$share/$name.script"; fi

net=() guest_addrs=
for i in "${!taps[@]}"; do
    tap=${taps[i]}
    if ! in_ns ip link show "$tap" >/dev/null 2>&1; then
        in_ns ip tuntap add dev "$tap" mode tap || exit 125
        made_taps+=("$tap")
        [[ -n ${hosts[i]} ]] && in_ns ip addr add "${hosts[i]}" dev "$tap"
    fi
    in_ns ip link set "$tap" up
    net+=("vec$i:transport=tap,ifname=$tap,depth=128,gro=1")
    addr=${addrs[i]}
    [[ $i == 0 && -z $addr ]] && addr=10.99.0.2/24
    guest_addrs+=${guest_addrs:+,}${addr:--}
done
uml=(linux.uml)
[[ ${kernel:-$(cat "$dir/kernel" 2>/dev/null)} == newer ]] && uml=("$dir/uml-newer/linux.uml" seccomp=on)
pre=()
[[ -n $cpu ]] && pre=(taskset -c "$cpu")
# con1 is the commands' output (our stdout); con0 the kernel's and init's.
in_ns "${pre[@]}" timeout --kill-after=5 "$timeout" "${uml[@]}" \
    mem="$mem" root=/dev/root rootfstype=hostfs rootflags="$dir/rootfs" ro \
    init=/lab/init con=null con0=null,fd:3 con1=null,fd:1 \
    uml_dir="$state" umid="$name" noreboot quiet loglevel=4 random.trust_cpu=on \
    LAB_RUN="$share" LAB_LIB="$here/guest" LAB_ADDR="$guest_addrs" LAB_GW="$gw" LAB_NAME="$name" "${net[@]}" \
    </dev/null 3>"$state/console" 2>>"$state/console"
st=$?
((verbose)) && cat "$state/console" >&2
[[ $st == 124 || $st == 137 ]] && { echo "guest-run.sh: ended after $timeout s" >&2; cat "$state/console" >&2; exit 124; }
if [[ ! -s $share/$name.rc ]]; then
    echo "guest-run.sh: the guest left no exit status (uml status $st)" >&2
    cat "$state/console" >&2
    exit 125
fi
exit "$(<"$share/$name.rc")"
