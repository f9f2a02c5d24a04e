# The far end without nvad, as wireguard-go and wg of Debian set it up. Both find each other by a
# socket in /run/wireguard, which all network namespaces share: hence the mount.
unshare -m sh -e <<'EOS'
mkdir -p /run/wireguard
mount -t tmpfs tmpfs /run/wireguard
wireguard-go wg0 </dev/null >/dev/null 2>&1
echo XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os= | wg set wg0 private-key /dev/stdin listen-port 51820 \
  peer hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= endpoint 10.0.0.4:51820 persistent-keepalive 25 allowed-ips 0.0.0.0/0,::/0
EOS
ip address add 169.254.0.2/30 dev wg0
ip link set wg0 mtu 1440 up
