# shellcheck disable=SC2154  # the script sets conf
# Have the module settings in each initramfs too: there nouveau would load before the root file system does.

# initramfs_stale: the images that are older than the settings, so made without them; also after a half-done run.
initramfs_stale() {
  local image
  command -v update-initramfs >/dev/null || return 0
  for image in /boot/initrd.img-*; do
    if [[ -e $image && $image -ot $conf ]]; then
      printf '%s\n' "$image"
    fi
  done
}

# initramfs_update always|older: make all images anew, or those that are stale.
initramfs_update() {
  local image images
  command -v update-initramfs >/dev/null || return 0
  if [[ $1 == always ]]; then
    images=$(find /boot -maxdepth 1 -name 'initrd.img-*' -type f)
  else
    images=$(initramfs_stale)
  fi
  for image in $images; do
    update-initramfs -u -k "${image#/boot/initrd.img-}" </dev/null >/dev/null ||
      die "update-initramfs failed for $image." "see its own words above; is /boot full?"
  done
}
