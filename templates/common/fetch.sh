# One file of a vendor, by URL or from a path on this host, never used before its sums are right; include it
# after host.sh. What was fetched stays in the cache until the twin forgets it, so a repair needs no network.
fetch_cache=/var/cache/rocestack

# fetch SOURCE SHA256 MD5: REPLY is a file with these sums (MD5 may be empty). A URL is fetched once, and what
# an interrupted run had fetched of it is used; a path is used where it is.
fetch() {
  local source=$1 name=${1##*/} folder said wrong
  if [[ $source == /* ]]; then
    [[ -r $source ]] || die "$source is not on this host." "copy it there, or set the artifact's source to a URL."
    wrong=$(fetch_wrong "$source" "$2" "$3")
    [[ -z $wrong ]] || die "$source is not what the stack names: $wrong." "copy it again, or correct the sums after checking them with its vendor."
    REPLY=$source
    return
  fi
  folder=$fetch_cache/$2
  REPLY=$folder/$name
  if [[ -e $REPLY && -z $(fetch_wrong "$REPLY" "$2" "$3") ]]; then
    return
  fi
  install -d -m 0755 "$folder"
  rm -f "$REPLY"
  # apt's own download: no other program for it is sure to be there, it uses apt's proxy, and it goes on with
  # what it finds.
  if ! said=$(LC_ALL=C /usr/lib/apt/apt-helper download-file "$source" "$REPLY.part" 2>&1); then
    rm -f "$REPLY.part.FAILED"
    said=$(grep -m 1 '^E: ' <<<"$said") || said='no word why'
    die "$source cannot be fetched: $said" "is the address right and reachable from this host, and is there room in $fetch_cache?"
  fi
  wrong=$(fetch_wrong "$REPLY.part" "$2" "$3")
  if [[ -n $wrong ]]; then
    rm -f "$REPLY.part"
    rmdir --ignore-fail-on-non-empty "$folder" "$fetch_cache"
    die "$source is not what the stack names: $wrong. Nothing of it was used." \
      "ask its vendor for the right sums; correct them in the stack only then."
  fi
  mv -f "$REPLY.part" "$REPLY"
}

# fetch_wrong FILE SHA256 MD5: what is wrong with the file's sums, or nothing.
fetch_wrong() {
  local sum
  read -r sum _ < <(sha256sum "$1")
  if [[ $sum != "$2" ]]; then
    printf 'its sha256 is %s, not %s' "$sum" "$2"
    return
  fi
  [[ -n $3 ]] || return 0
  read -r sum _ < <(md5sum "$1")
  [[ $sum == "$3" ]] || printf 'its md5 is %s, not %s' "$sum" "$3"
}

# fetch_forget SHA256: have nothing of it in the cache.
fetch_forget() {
  [[ -n $1 ]] || return 0
  rm -rf "${fetch_cache:?}/$1"
  [[ ! -d $fetch_cache ]] || rmdir --ignore-fail-on-non-empty "$fetch_cache"
}
