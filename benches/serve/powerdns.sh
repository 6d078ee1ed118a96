program=pdns_recursor
rows="blocked cached forwarded reload"
prepare() { cp "$1.rpz" "$home/new.rpz" && mv "$home/new.rpz" "$home/rpz"; }
launch() {
    echo "rpzFile('$home/rpz', { policyName = 'list' })" >"$home/lua"
    cat >"$home/recursor.conf" <<END
local-address=127.0.0.1
local-port=$port
forward-zones-recurse=.=$upstream
dnssec=off
threads=1
pdns-distributes-queries=no
lua-config-file=$home/lua
socket-dir=$home
daemon=no
dont-query=
quiet=yes
loglevel=0
disable-syslog=yes
END
    run=(pdns_recursor --config-dir="$home")
}
swap() { swap=(rec_control --config-dir="$home" --socket-dir="$home" reload-lua-config); }
