#!/bin/sh
# The entry point of the image registry: a settings file or a subcommand is for the registry, all else is run as it is.
set -e
case "$1" in
    *.yaml | *.yml) set -- registry serve "$@" ;;
    serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
