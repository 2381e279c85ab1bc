# shellcheck disable=SC2154  # the script sets want
# The kernel's own RDMA device over an interface (rdma_rxe), as its files show it. Read only.

# soft_device INTERFACE: the name of its RDMA device, in REPLY; nothing where there is none.
soft_device() {
  local file
  REPLY=''
  # Of all RDMA devices only these name the interface below them so.
  for file in "${want[sysfs_root]:-/sys}"/class/infiniband/*/parent; do
    if [[ -r $file && $(cat "$file" 2>/dev/null) == "$1" ]]; then
      REPLY=${file%/parent}
      REPLY=${REPLY##*/}
      return
    fi
  done
}

# soft_gid DEVICE ADDRESS: the type of the GID of an IPv4 address in the port's table, in REPLY: RoCE v2 or absent.
soft_gid() {
  local table=${want[sysfs_root]:-/sys}/class/infiniband/$1/ports/1 octets part file type
  REPLY=absent
  IFS=. read -ra octets <<<"$2"
  printf -v part '%02x%02x:%02x%02x' "${octets[@]}"
  for file in "$table"/gids/*; do
    [[ -r $file && $(<"$file") == "0000:0000:0000:0000:0000:ffff:$part" ]] || continue
    type=$(cat "$table/gid_attrs/types/${file##*/}" 2>/dev/null) || continue
    REPLY=$type
    [[ $type != 'RoCE v2' ]] || return 0
  done
}
