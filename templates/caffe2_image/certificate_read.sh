# shellcheck shell=bash
# The certificate of our registry as it is on this host; the key never leaves it.
certificate=/etc/rocestack/registry/tls.crt
certificate_key=/etc/rocestack/registry/tls.key

# certificate_state CERTIFICATE_SUM KEY_SUM: kept, where both files are as they were made, or what is wrong.
certificate_state() {
  if [[ ! -f $certificate || ! -f $certificate_key ]]; then
    printf 'absent'
  elif [[ $(sha256sum <"$certificate") != "$1  -" || $(sha256sum <"$certificate_key") != "$2  -" ]]; then
    printf 'changed'
  elif [[ $(stat -c '%a %U' "$certificate_key") != '600 root' ]]; then
    printf 'its key is readable by others'
  elif ! openssl x509 -noout -checkend 2592000 -in "$certificate" >/dev/null 2>&1; then
    printf 'expires within 30 days'
  else
    printf 'kept'
  fi
}
