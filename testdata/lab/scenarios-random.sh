# Networks nobody thought of: random-kube-SEED, random-cloud-SEED and random-kube-changing-SEED,
# random-cloud-changing-SEED, which change under the traffic, are scenarios for every number SEED
# (see random_networks.py). They are not in the list and not part of "all".

tried() { "$@" > /dev/null || log "not here: $*"; }

random_scenarios() { # NAME...: declares those of them that are random
    local name
    for name in "$@"; do
        [[ $name =~ ^random-((kube|cloud)(-changing)?)-([0-9]+)$ ]] || continue
        eval "$($PY "$HERE/random_networks.py" "${BASH_REMATCH[1]}" "${BASH_REMATCH[4]}")"
    done
}
