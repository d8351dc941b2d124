# shellcheck shell=bash
# Sourced: `install_crate NAME VERSION` puts a program from crates.io into the cache folder, once.
install_crate() {
  export program=$suite_cache/cargo/bin/$1
  if [ ! -x "$program" ]; then
    need cargo
    echo "Installing $1 $2 (about a minute, once)"
    cargo install --quiet --locked --root "$suite_cache/cargo" --version "$2" "$1" || exit 2
  fi
}
