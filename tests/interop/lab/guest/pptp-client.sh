# Sourced in a guest: PPTP calls with pppd.
#   pptp_up SERVER 'PPPD OPTIONS' [USER [PASSWORD]]   pptp-linux under pppd's pty
#   kpptp_up SERVER 'PPPD OPTIONS' [USER [PASSWORD]]  the kernel's PPTP (labpptp.so): fast
# Both wait for an address on ppp0 (20 s) and return 0 when there is one; pppd's
# debug log is /tmp/client.log, its pid is in $client.  $PPTP_NETNS, if set, is the
# guest's network namespace to call from.
#   pptp_down                                          ends the call
_call() {
    _user=${1:-alice} _password=${2:-secret}
    shift 2
    rm -f /tmp/client.log
    # A plain command, so that $! is pppd itself.
    _in=${PPTP_NETNS:+ip netns exec $PPTP_NETNS}
    $_in pppd "$@" user "$_user" name "$_user" password "$_password" remotename lab noauth \
        nodetach nodefaultroute noipdefault novj novjccomp debug logfile /tmp/client.log >/tmp/client.out 2>&1 &
    client=$!
    _n=0
    while [ $_n -lt 100 ]; do
        $_in ip -o addr show dev ppp0 2>/dev/null | grep -q 'inet ' && return 0
        kill -0 $client 2>/dev/null || break
        sleep 0.2
        _n=$((_n + 1))
    done
    return 1
}
pptp_up() { _server=$1 _options=$2; _call "$3" "$4" pty "pptp $_server --nolaunchpppd" $_options; }
kpptp_up() { _server=$1 _options=$2; _call "$3" "$4" plugin labpptp.so pptp-server "$_server" $_options; }
pptp_down() { kill "$client" 2>/dev/null; wait "$client" 2>/dev/null; }
