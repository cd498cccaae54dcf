#!/bin/sh
# sudo of `countersign run`: runs its arguments as the same user. Options of sudo(8) are accepted and mean nothing here.
shell=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    -V|--version|-v|--validate|-k|-K|--reset-timestamp|--remove-timestamp|-l|--list) exit 0 ;;
    -i|-s|--login|--shell) shell=yes; shift ;;
    -u|-g|-h|-p|-C|-r|-t|-T|-U|-D|-R|-c|-a|-[AbBEHnPS]*[ugpCrtTUDR]) shift; [ $# -gt 0 ] && shift ;;
    --user|--group|--host|--prompt|--close-from|--role|--type|--command-timeout|--other-user|--chdir|--chroot)
      shift; [ $# -gt 0 ] && shift ;;
    -*) shift ;;
    [A-Za-z_]*=*) export "$1"; shift ;;
    *) break ;;
  esac
done
if [ $# -eq 0 ]; then
  [ -n "$shell" ] && exec "${SHELL:-/bin/sh}"
  echo "usage: sudo command [arguments]" >&2
  exit 1
fi
exec "$@"
