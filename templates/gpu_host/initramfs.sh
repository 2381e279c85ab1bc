# shellcheck disable=SC2154  # the script sets conf
# Have the module settings in each initramfs too: there nouveau would load before the root file system does.
# An initramfs that is older than the settings was made without them, also after a half-done run.
initramfs_update() {
  local image
  command -v update-initramfs >/dev/null || return 0
  for image in /boot/initrd.img-*; do
    if [[ -e $image && ($1 == always || $image -ot $conf) ]]; then
      update-initramfs -u -k "${image#/boot/initrd.img-}" </dev/null >/dev/null ||
        die "update-initramfs failed for $image." "see its own words above; is /boot full?"
    fi
  done
}
