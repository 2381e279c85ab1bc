# What the data step owns under a data_path; include it before its use.
# shellcheck disable=SC2034,SC2329  # a script uses what it needs
dataset_parts=(train_lmdb/data.mdb val_lmdb/data.mdb mean.binaryproto manifest)
dataset_files=(manifest train_lmdb val_lmdb mean.binaryproto .rocestack-new .rocestack-download)

# drop_dataset PATH: remove the data under PATH and the folders that were made for it, where empty now.
drop_dataset() {
  local name folder
  for name in "${dataset_files[@]}"; do
    rm -rf "${1:?}/$name"
  done
  for folder in ${own[installed]:-}; do
    [[ ! -d $folder ]] || rmdir --ignore-fail-on-non-empty "$folder"
  done
}

# dataset_sum PATH: what tells one making of the data from another, without reading all of it.
dataset_sum() {
  {
    (cd "$1" && stat -c '%n %s %Y' train_lmdb/data.mdb val_lmdb/data.mdb mean.binaryproto && cat manifest)
  } 2>/dev/null | sha256sum | cut -d ' ' -f 1
}

# dataset_name PATH: which data the manifest there names, or nothing.
dataset_name() {
  [[ ! -r $1/manifest ]] || sed -n 's/^name=//p' "$1/manifest"
}
