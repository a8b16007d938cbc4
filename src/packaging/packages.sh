# shellcheck shell=bash
# Sourced by src/quickstart.sh, tests/run.sh and tests/cross.sh: install the Debian packages of
# packages.txt that are missing. Nothing else is ever installed.

# need_packages KIND...: KIND is a word of the second column there. Shows what it is about to install,
# with the architectures that dpkg has to know for it; asks first on a terminal, unless OXIDE_YES=1.
# Returns 1 if it may not or cannot.
need_packages() {
    local list kind package missing=() as_root=() answer architecture architectures=()
    list=$(dirname "${BASH_SOURCE[0]}")/packages.txt
    if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
        echo "This is no Debian: make sure that what $list names is there." >&2
        return 0
    fi
    while read -r package kind _; do
        case " $* " in *" $kind "*) ;; *) continue ;; esac
        package_is_there "$package" || missing+=("$package")
        [[ $package != *:* ]] || architecture_is_known "${package#*:}" || architectures+=("${package#*:}")
    done < <(grep -v '^#' "$list")
    if [ ${#missing[@]} -eq 0 ]; then
        echo "Packages: all are there, nothing to install."
        return 0
    fi
    echo "Packages to install with apt-get (and what they depend on):"
    for package in "${missing[@]}"; do
        sed -n "s/^$package  *[a-z0-9]*  *\(.*\)/  $(printf '%-28s ' "$package")\1/p" "$list"
    done
    mapfile -t architectures < <(printf '%s\n' "${architectures[@]}" | sort -u | grep .)
    for architecture in "${architectures[@]}"; do
        echo "Architecture to make known: dpkg --add-architecture $architecture"
    done
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo > /dev/null; then
            echo "That needs root, and there is no sudo here. Run as root:" >&2
            echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
        echo "Installing needs root: sudo may ask for your password."
    fi
    if [ "${OXIDE_YES:-}" != 1 ] && [ -t 0 ] && [ -t 1 ]; then
        read -r -p "Install them? [Y/n] " answer || answer=no
        case $answer in
        '' | [yY] | [yY][eE][sS]) ;;
        *)
            echo "Nothing was installed." >&2
            return 1
            ;;
        esac
    fi
    for architecture in "${architectures[@]}"; do
        "${as_root[@]}" dpkg --add-architecture "$architecture" || return 1
    done
    install_packages "${missing[@]}"
}

architecture_is_known() { # ARCHITECTURE
    { dpkg --print-architecture && dpkg --print-foreign-architectures; } | grep -qx "$1"
}

package_is_there() { # PACKAGE[:ARCHITECTURE]
    local architecture=${1#"${1%%:*}"}
    architecture=${architecture:-:$(dpkg --print-architecture)}
    dpkg-query -W -f='${Architecture} ${db:Status-Status}\n' "${1%%:*}" 2> /dev/null |
        grep -qxE "(all|${architecture#:}) installed"
}

# install_packages PACKAGE...: as root by as_root. Fetches the package lists only where they are
# absent, or too old for apt to find the packages.
install_packages() {
    local log
    log=$(mktemp)
    if apt-get install --print-uris -qq -y "$@" > /dev/null 2>&1 &&
        apt_get install "$@" > "$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    if apt_get update > "$log" 2>&1 && apt_get install "$@" >> "$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    cat "$log" >&2
    rm -f "$log"
    echo "apt-get could not install them: see above." >&2
    return 1
}

apt_get() { # VERB PACKAGE...
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -q --no-install-recommends "$@" < /dev/null
}
