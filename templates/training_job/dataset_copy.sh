# The data copied from the host that made it; include it after dataset_make.sh. Needs `path`.
# shellcheck disable=SC2154  # want is prelude.sh's, path and dataset_parts are the script's

# copied NAME: have a file of the other host below $new; apt's own download goes on with what it finds.
copied() {
  local host=${want[from]#http://} said
  mkdir -p "$(dirname "$new/$1")"
  if ! said=$(LC_ALL=C /usr/lib/apt/apt-helper -o "Acquire::http::Proxy::${host%:*}=DIRECT" \
    download-file "${want[from]}/$1" "$new/$1" 2>&1); then
    rm -f "$new/$1.FAILED"
    said=$(grep -m 1 '^E: ' <<<"$said") || said='no word why'
    die "$HOSTNAME cannot copy ${want[from]}/$1: $said" "is rocestack-dataset.service active on the head host, and the data network up? The next up goes on there."
  fi
}

copy_dataset() {
  local new=$path/.rocestack-new name bytes free needed=0
  need from
  if [[ -e $path/manifest ]] && in_image check "$path" --name "${want[dataset]}" >&2; then
    return
  fi
  mkdir -p "$new"
  [[ ! -e $new/manifest ]] || mv -f "$new/manifest" "$new/manifest.before"
  copied manifest
  [[ $(dataset_name "$new") == "${want[dataset]}" ]] ||
    die "the head host hands out $(dataset_name "$new"), not ${want[dataset]}." "run the same command again; it makes the head host's data first."
  if [[ -e $new/manifest.before ]] && ! cmp -s "$new/manifest" "$new/manifest.before"; then
    rm -rf "${new:?}"/{train_lmdb,val_lmdb,mean.binaryproto}
  fi
  rm -f "$new/manifest.before" "$new/sizes"
  copied sizes
  while read -r bytes name; do
    needed=$((needed + bytes))
    [[ ! -e $new/$name ]] || needed=$((needed - $(stat -c %s "$new/$name")))
  done <"$new/sizes"
  free=$(($(stat -f -c '%a * %S' "$path")))
  ((free >= needed)) ||
    die "$HOSTNAME has no room in $path: $((free / 1000000)) MB are free, and the copy takes $((needed / 1000000)) MB more." "make room there, or choose another training.data_path."
  for name in "${dataset_parts[@]}"; do
    copied "$name"
  done
  # All records are read: the copy holds what the manifest of the other host names.
  if ! in_image check "$new" --name "${want[dataset]}" >&2; then
    rm -rf "$new"
    die "the copy on $HOSTNAME is not what the head host's manifest names, and is removed." "run the same command again; twice the same means a bad disk or network."
  fi
  rm -f "$path/manifest"
  for name in train_lmdb val_lmdb mean.binaryproto manifest; do
    rm -rf "${path:?}/$name"
    mv "$new/$name" "$path/$name"
  done
  rm -rf "$new"
}
