#!/usr/bin/env bash
# inside_image.sh TOOL...: runs inside the new system, before its first boot.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
kernel=$(basename /lib/modules/*)

# builds gpio-sim and irq_sim, which Debian's kernel omits, from Debian's source of this kernel
gpio_sim() {
  local source work=/tmp/gpio-sim
  source=linux-source-$(cut -d. -f1,2 <<<"$kernel")
  mkdir -p "$work/module"
  cd "$work"
  apt-get -qq update
  apt-get -qq download "$source"
  dpkg-deb --fsys-tarfile ./"$source"_*.deb | tar -xO "./usr/src/$source.tar.xz" | xz -dc |
    tar -x --wildcards --strip-components=1 '*/drivers/gpio/*' '*/kernel/irq/irq_sim.c'
  cp drivers/gpio/gpio-sim.c drivers/gpio/gpiolib*.h kernel/irq/irq_sim.c module/
  cp drivers/gpio/dev-sync-probe.* module/ 2>/dev/null || true # newer kernels share it
  # a module may not call irq_to_desc(); this exported call does the same
  sed -i 's/handle_simple_irq(irq_to_desc(irqnum));/generic_handle_irq(irqnum);/' module/irq_sim.c
  grep -q MODULE_LICENSE module/irq_sim.c ||
    printf '#include <linux/module.h>\nMODULE_LICENSE("GPL");\n' >>module/irq_sim.c
  (cd module && printf 'obj-m += %s\n' *.c | sed 's/\.c$/.o/' >Makefile)
  make -s -C "/lib/modules/$kernel/build" M="$work/module" modules
  install -D -t "/lib/modules/$kernel/updates" module/*.ko
  depmod "$kernel"
  cd /
}

# replaces python3-lgpio of Raspberry Pi OS
lgpio() {
  # PYPI=1: include its C library, as Debian has none
  PYPI=1 PIP_CERT=/root/ca-certificates.crt \
    pip install -q --break-system-packages --root-user-action=ignore --no-cache-dir 'lgpio>=0.2.2'
}

configure() {
  echo parley-vm >/etc/hostname
  passwd -q -d root
  printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n' >/etc/systemd/network/ether.network
  systemctl -q enable systemd-networkd
  echo 'nameserver 10.0.2.3' >/etc/resolv.conf # QEMU's
  # they would hold apt's lock when install.sh needs it
  systemctl -q mask apt-daily.timer apt-daily-upgrade.timer
  mkdir -p /host
  echo 'host /host 9p trans=virtio,version=9p2000.L,msize=262144 0 0' >>/etc/fstab
  printf '9p\n9pnet_virtio\n' >/etc/modules-load.d/host.conf
}

gpio_sim
lgpio
configure
apt-get -qq purge --autoremove "$@" >/dev/null
rm -rf /root/* /tmp/* /var/cache/apt/archives/*.deb
