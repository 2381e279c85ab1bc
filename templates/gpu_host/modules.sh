# A container sees the modules of the machine around it: they are not this host's, and it has no say in them.
module_loaded() {
  [[ -d /sys/module/$1 && ! -e /run/systemd/container && ! -e /.dockerenv ]]
}
