# `server=` in a servers file and not `address=`: those alone are read again on SIGHUP.
program=dnsmasq
rows="blocked cached forwarded reload"
prepare() {
    awk '{ print "server=/" $1 "/" }' "$1.names" >"$home/new.list" && mv "$home/new.list" "$home/list"
}
launch() {
    run=(dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --port="$port"
        --listen-address=127.0.0.1 --bind-interfaces --user= --pid-file= --cache-size=10000
        --dns-forward-max=1000 --servers-file="$home/list" --server="${upstream/:/#}")
}
swap() { swap=(kill -HUP "$pid"); }
