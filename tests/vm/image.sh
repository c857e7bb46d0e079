#!/usr/bin/env bash
# image.sh SUITE DIR: a Debian disk for QEMU in DIR: disk.qcow2, vmlinuz, initrd.img. Needs root.
# A stand-in for Raspberry Pi OS: systemd, the stock kernel, snd-aloop, and two parts that Debian
# lacks: a simulated GPIO chip and python3-lgpio. install.sh installs the rest.
# shellcheck disable=SC2016 # mmdebstrap passes the hooks to its own shell
set -euo pipefail

# separate mounts and processes: a killed run leaves none, and the next run, which deletes an
# unfinished root, deletes nothing that is still mounted in it
[[ ${1:-} == inside ]] || exec unshare --mount --pid --fork --kill-child --mount-proc "$0" inside "$@"
suite=$2 dir=$3
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly size=6G # 1.2 GB are used; install.sh needs 1.5 GB free
readonly sources=/etc/apt/sources.list.d/debian.sources

packages=(
  systemd systemd-sysv dbus udev kmod iproute2 procps python3 git ca-certificates e2fsprogs
  linux-image-amd64 initramfs-tools qemu-guest-agent
)
# build tools of the kernel module and lgpio; removed at the end
tools=(linux-headers-amd64 gcc make xz-utils swig python3-dev python3-pip)

mkdir -p "$dir"
root=$dir/root
rm -rf --one-file-system "$root"
# the mirror of this machine, if it has one configured
mirror=()
if [[ -r $sources ]]; then
  mirror=("deb $(awk '/^URIs:/ {print $2; exit}' "$sources") $suite main")
fi

join() { local IFS=,; echo "$*"; }

mmdebstrap --mode=root --variant=minbase --architectures=amd64 \
  --include="$(join "${packages[@]}" "${tools[@]}")" \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
  --essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/small"' \
  --essential-hook='printf "%s\n" virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"' \
  --customize-hook='copy-in '"$here/inside_image.sh"' /root' \
  --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /root' \
  --customize-hook='chroot "$1" env -i PATH="$PATH" HOME=/root https_proxy="${https_proxy:-}" \
    bash /root/inside_image.sh '"${tools[*]}" \
  "$suite" "$root" "${mirror[@]}"

cp "$root"/boot/vmlinuz-* "$dir/vmlinuz"
cp "$root"/boot/initrd.img-* "$dir/initrd.img"
rm -f "$dir/disk.raw"
truncate -s "$size" "$dir/disk.raw"
mkfs.ext4 -q -F -d "$root" "$dir/disk.raw"
qemu-img convert -O qcow2 "$dir/disk.raw" "$dir/disk.qcow2"
rm -f "$dir/disk.raw" # the root stays: wheels are built in it at native speed
