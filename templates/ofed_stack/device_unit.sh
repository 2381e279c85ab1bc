# Bind a unit to its interface's device, so that a driver reload stops it and starts it again. Where no udev
# runs there are no device units; the unit's script then waits for the interface itself.
bind_to_device() {
  local unit=$1 interface=$2 dropin
  dropin=/etc/systemd/system/$unit@$interface.service.d/device.conf
  if systemctl is-active --quiet "sys-subsystem-net-devices-$(systemd-escape "$interface").device"; then
    put_file "$dropin" 644 <<'UNIT'
{% include "ofed_stack/device.conf" %}
UNIT
  else
    unbind_device "$unit" "$interface"
  fi
}

unbind_device() {
  local dropin=/etc/systemd/system/$1@$2.service.d
  rm -f "$dropin/device.conf"
  if [[ -d $dropin ]]; then
    rmdir --ignore-fail-on-non-empty "$dropin"
  fi
}
