// The script that installs the command for the user who runs it: `curl -fsSL <platform>/install.sh | sh`.

/** Renders the script. `url`: the platform's address. It must have no quotes. */
export function renderInstallScript(url: string): string {
  return `#!/bin/sh
# Installs the dari command of this platform for the current user: curl -fsSL ${url}/install.sh | sh
# It writes dari.cjs to ~/.local/share/dari, and a link to it to ~/.local/bin (or to $DARI_INSTALL_DIR).
set -eu

platform='${url}'

fail() {
  printf 'dari: %s\\n' "$*" >&2
  exit 1
}

fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL -o "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -O "$2" "$1"
  else
    fail 'neither curl nor wget is on the PATH'
  fi
}

main() {
  needs='dari needs Node 20 or newer'
  command -v node >/dev/null 2>&1 || fail "$needs, and no node is on the PATH; install Node and try again"
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || fail "$needs; this is Node $(node --version); install a newer one and try again"
  bin=\${DARI_INSTALL_DIR:-$HOME/.local/bin}
  home=\${XDG_DATA_HOME:-$HOME/.local/share}/dari
  mkdir -p "$bin" "$home"
  draft=$(mktemp -d "$home/draft.XXXXXX")
  trap 'rm -rf "$draft"' EXIT
  fetch "$platform/packages/dari-cli.tgz" "$draft/dari.tgz" || fail "cannot download $platform/packages/dari-cli.tgz"
  tar -xzf "$draft/dari.tgz" -C "$draft"
  mv -f "$draft/package/dari.cjs" "$home/dari.cjs"
  ln -sf "$home/dari.cjs" "$bin/dari"
  printf 'Installed dari %s in %s\\n' "$("$bin/dari" --version)" "$bin"
  case ":$PATH:" in
    *":$bin:"*) ;;
    *) printf 'Add it to your PATH: export PATH="%s:$PATH"\\n' "$bin" ;;
  esac
  printf 'Next: dari auth login --api-url %s\\n' "$platform"
}

# Runs only if the script has arrived in full.
main
`;
}
