#!/bin/bash
# Build the lab guest: a User Mode Linux kernel (Debian package user-mode-linux)
# and a Debian root directory with PPTP programs nobody here wrote
# (pptp-linux, ppp, pptpd).  Everything comes from Debian packages.
#
#   guest-build.sh [DIR]        DIR defaults to $LAB_DIR or ~/.cache/fastpptp-lab
#
# Two kernels: bookworm's 6.1, and one from forky (with libc6 from trixie) in
# DIR/uml-newer, unpacked and not installed.  The newer one makes the system calls
# of guest programs about three times cheaper (seccomp=on) and is the only one that
# runs on processors with AMX: 6.1 ends with "ptrace set fp regs failed" there.
# The first that boots is written to DIR/kernel, which guest-run.sh reads.
#
# Leaves DIR/rootfs, which guests read through hostfs.  About a minute; a second
# run only does what is missing.  Needs root and apt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${LAB_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fastpptp-lab}
while (($#)); do
    case $1 in
    -*) echo "guest-build.sh: unknown argument $1" >&2; exit 2 ;;
    *) dir=$1 ;;
    esac
    shift
done
# the Debian mirror that this machine's apt uses
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)}
[[ -n $mirror ]] || { echo "guest-build.sh: apt lists no Debian mirror: run apt-get update, or set MIRROR" >&2; exit 1; }
suite=bookworm
packages=iproute2,iputils-ping,ppp,pptp-linux,pptpd,iperf3,tcpdump,procps,kmod,psmisc,python3-minimal,busybox-static,socat,strace,netcat-openbsd,sysstat,ethtool,nftables

mkdir -p "$dir"
need=()
for pair in linux.uml:user-mode-linux debootstrap:debootstrap ip:iproute2 gcc:gcc busybox:busybox-static; do
    command -v "${pair%%:*}" >/dev/null || need+=("${pair##*:}")
done
[[ -e /usr/include/pppd/pppd.h ]] || need+=(ppp-dev)
if ((${#need[@]})); then
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${need[@]}" >"$dir/apt.log" 2>&1
fi

root=$dir/rootfs
if [[ ! -e $root/.lab-complete ]]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" >"$dir/debootstrap.log" 2>&1
    touch "$root/.lab-complete"
fi
mkdir -p "$root/lib/modules" "$root/lab/lib" "$root/lab/run"
copy_modules() {
    for d in "$1"/*; do
        [[ -e $root/lib/modules/${d##*/}/modules.dep ]] && continue
        rm -rf "$root/lib/modules/${d##*/}"
        cp -a "$d" "$root/lib/modules/"
    done
}
copy_modules /usr/lib/uml/modules
install -m755 "$here/guest-init" "$root/lab/init"
gcc -shared -fPIC -O2 -Wall -Wno-address-of-packed-member \
    -o "$root/usr/lib/pppd/2.4.9/labpptp.so" "$here/guest/labpptp.c"

fetch_newer() (
    set -e
    n=$dir/uml-newer
    rm -rf "$n"
    mkdir -p "$n/apt/lists/partial"
    printf 'deb %s %s main\n' "$mirror" trixie "$mirror" forky >"$n/apt/sources.list"
    apt_newer() {
        apt-get -o Dir::Etc::sourcelist="$n/apt/sources.list" -o Dir::Etc::sourceparts=- \
            -o Dir::State::Lists="$n/apt/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
    }
    apt_newer update >"$n/apt/log" 2>&1
    (cd "$n" && apt_newer download user-mode-linux/forky libc6/trixie >>"$n/apt/log" 2>&1)
    dpkg -x "$n"/user-mode-linux_*.deb "$n/uml"
    dpkg -x "$n"/libc6_*.deb "$n/libc"
    # The newer kernel binary wants a newer libc than bookworm's: lay that over
    # the old one in a mount namespace of its own (busybox is static).
    cat >"$n/linux.uml" <<X
#!/bin/bash
exec unshare -m /bin/busybox sh -c 'B=/bin/busybox
\$B mount --bind \$0/ld-linux-x86-64.so.2 \$(\$B realpath /lib64/ld-linux-x86-64.so.2) &&
\$B mount --bind \$0/libc.so.6 \$(\$B realpath /lib/x86_64-linux-gnu/libc.so.6) &&
exec $n/uml/usr/bin/linux.uml "\$@"' $n/libc/usr/lib/x86_64-linux-gnu "\$@"
X
    chmod +x "$n/linux.uml"
    copy_modules "$n/uml/usr/lib/uml/modules"
)
[[ -x $dir/uml-newer/linux.uml ]] || fetch_newer || { echo "guest-build.sh: the newer kernel could not be fetched" >&2; rm -rf "$dir/uml-newer"; }

if [[ ! -s $dir/kernel ]]; then
    for kernel in newer bookworm; do
        [[ $kernel == newer && ! -x $dir/uml-newer/linux.uml ]] && continue
        if "$here/guest-run.sh" --dir "$dir" --kernel $kernel --timeout 30 --cmd true 2>"$dir/boot-$kernel.log"; then
            echo $kernel >"$dir/kernel"
            break
        fi
    done
fi
[[ -s $dir/kernel ]] || { echo "guest-build.sh: no kernel boots here; see $dir/boot-*.log" >&2; exit 1; }

echo "kernel:  $(linux.uml --version) (user-mode-linux $(dpkg-query -W -f '${Version}' user-mode-linux))"
[[ -x $dir/uml-newer/linux.uml ]] && echo "newer:   $("$dir/uml-newer/linux.uml" --version)"
echo "guests use: $(<"$dir/kernel")"
for p in ppp pptp-linux pptpd iperf3; do
    echo "guest:   $p $(chroot "$root" dpkg-query -W -f '${Version}' $p)"
done
echo "root:    $root ($(du -sh "$root" | cut -f1))"
