#!/bin/sh
# What the image runs: a command of inveon, or else a program, as `python3 -m inveonimaging.inveonFolder2DICOM`.
# Nothing is read or split here: each word arrives as it was given.

case "${1-}" in
    app | batch | bids | check | config | convert | curves | demo | explain | help | info | nifti | remove | report | restore | send | split | subjects | verify | xnat | zarr | -*) ;;
    inveon) shift ;;
    *) if command -v "${1-}" > /dev/null; then exec "$@"; fi ;;
esac
exec python3 -m inveonimaging "$@"
