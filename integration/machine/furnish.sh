# Runs in a fresh root. No service is started, and none may act by itself later.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get update -qq
apt-get install -y -qq --no-install-recommends cloud-init
rm /usr/sbin/policy-rc.d
apt-get clean
rm -rf /var/lib/apt/lists/*

systemctl -q enable systemd-networkd
systemctl -q mask systemd-networkd-wait-online.service console-getty.service systemd-resolved.service \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer

# Each machine gets an id of its own, and a journal that can be read when it is off.
: >/etc/machine-id
mkdir -p /var/log/journal
