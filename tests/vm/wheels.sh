#!/usr/bin/env bash
# wheels.sh DIR: builds DIR/share/wheels with install.sh, in the root made by image.sh in DIR, so
# that an emulated guest compiles nothing. Needs root. DIR/share/parley.git: the sources.
set -euo pipefail

# separate mounts, which always end with the script
[[ ${1:-} == inside ]] || exec unshare --mount --pid --fork --kill-child --mount-proc "$0" inside "$@"
dir=$2
root=$dir/root
share=$dir/share
mkdir -p "$share/wheels" "$share/pip" "$root/host"
mount --bind /proc "$root/proc"
mount --bind "$share" "$root/host"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/root/ca-certificates.crt"
rm -rf "$root/root/parley"
chroot "$root" env -i PATH="$PATH" HOME=/root https_proxy="${https_proxy:-}" \
  PIP_CERT=/root/ca-certificates.crt PIP_CACHE_DIR=/host/pip bash -euc '
    git clone -q /host/parley.git /root/parley
    rm -f /host/wheels/parleyd-*.whl # of an older commit
    /root/parley/install.sh --make-wheels /host/wheels'
