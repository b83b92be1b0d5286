#!/bin/sh
# Ubuntu 23.10 and newer take the rights from user namespaces of programs without an AppArmor profile. This installs one
# for `cell` alone, after showing it and asking.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
profile=/etc/apparmor.d/openmiosa-cell

if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null || echo 0)" != 1 ]; then
    echo "Nothing to do: this kernel does not restrict user namespaces through AppArmor."
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "This writes $profile, so it needs root: sudo make host-setup" >&2
    exit 1
fi

text=$(cat <<TXT
# Written by \`make host-setup\` of OpenMIOSA: lets \`cell\`, and no other program, create user namespaces with rights.
abi <abi/4.0>,
include <tunables/global>

profile openmiosa-cell "/{${root#/}/target/release,${root#/}/build/walkthrough/venv/bin,usr/local/bin,opt/openmiosa/bin}/cell" flags=(unconfined) {
  userns,
  include if exists <local/openmiosa-cell>
}
TXT
)
echo "$text"
printf '\nInstall this as %s? [y/N] ' "$profile"
read -r answer || answer=
case $answer in
    y | Y | yes) ;;
    *) echo "Nothing was changed." && exit 1 ;;
esac
echo "$text" >"$profile"
apparmor_parser --replace "$profile"
echo "Installed. To take it back: apparmor_parser --remove $profile && rm $profile"
