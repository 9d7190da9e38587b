// The script that installs the command for the user who runs it: `curl -fsSL <platform>/install.sh | sh`.

/**
 * Renders the script. `url`: the platform's address. `connectionFile`: where the platform saved its address and key,
 * if the caller is on the same machine. The script copies no key: if its user can read the file, it writes the path.
 */
export function renderInstallScript(url: string, connectionFile: string | undefined): string {
  const remembered = { api_url: url, connection_file: connectionFile };
  return `#!/bin/sh
# Installs the dari command of this platform for the current user: curl -fsSL ${url}/install.sh | sh
# It writes dari.cjs to ~/.local/share/dari, and a link to it to ~/.local/bin (or to $DARI_INSTALL_DIR). The command
# remembers the platform in ~/.config/dari/platform.json.
set -eu

platform=${quote(url)}
connection=${quote(connectionFile ?? "")}
remembered=${quote(JSON.stringify({ api_url: url }))}

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
  config=\${DARI_CONFIG_DIR:-\${XDG_CONFIG_HOME:-$HOME/.config}/dari}
  next="dari auth login --api-url $platform"
  if [ -n "$connection" ] && [ -r "$connection" ]; then
    remembered=${quote(JSON.stringify(remembered))}
    # A saved sign-in is used instead.
    [ -e "$config/connection.json" ] || next='dari init my-agent'
  fi
  umask 077
  mkdir -p "$config"
  printf '%s\\n' "$remembered" >"$draft/platform.json"
  mv -f "$draft/platform.json" "$config/platform.json"
  printf 'Next: %s\\n' "$next"
}

# Runs only if the script has arrived in full.
main
`;
}

/** Quotes text for a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
