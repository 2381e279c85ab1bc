# kernel_newest: the newest kernel that a package brought, or nothing.
kernel_newest() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'linux-image-[0-9]*' 2>/dev/null |
    sed -n 's/^installed linux-image-//p' | sort -V | tail -n 1
}
