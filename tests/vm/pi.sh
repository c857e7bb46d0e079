#!/usr/bin/env bash
# Makes the guest a stand-in for a Pi: two loopback cards, a GPIO chip, a revision.
set -euo pipefail

modprobe snd-aloop enable=1,1 index=0,1 id=Speaker,Mic pcm_substreams=1,1

modprobe gpio-sim
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
chip=/sys/kernel/config/gpio-sim/parley
if [[ ! -d $chip ]]; then
  mkdir -p "$chip/header"
  echo 28 >"$chip/header/num_lines"
  echo pinctrl-bcm2711 >"$chip/header/label"
  echo 1 >"$chip/live"
fi
for line in 23 24; do # button and mute switch: not pressed
  echo pull-up >"$(echo /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio$line/pull)"
done

# gpiozero reads the model of the Pi: a Pi 4
if ! grep -q Revision /proc/cpuinfo; then
  { cat /proc/cpuinfo; printf 'Hardware\t: BCM2711\nRevision\t: c03114\n'; } >/run/cpuinfo
  mount --bind /run/cpuinfo /proc/cpuinfo
fi
