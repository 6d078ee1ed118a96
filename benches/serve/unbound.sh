program=unbound
rows="blocked cached forwarded reload"
prepare() {
    { echo 'server:'; awk '{ print "local-zone: " $1 " always_nxdomain" }' "$1.names"; } >"$home/new.list"
    mv "$home/new.list" "$home/list"
}
launch() {
    cat >"$home/conf" <<END
server:
 interface: 127.0.0.1@$port
 num-threads: 1
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "$home"
 pidfile: ""
 use-syslog: no
 verbosity: 0
 do-not-query-localhost: no
 module-config: "iterator"
 local-zone: "test." nodefault
 include: "$home/list"
remote-control:
 control-enable: no
forward-zone:
 name: "."
 forward-addr: ${upstream/:/@}
END
    run=(unbound -d -c "$home/conf")
}
swap() { swap=(kill -HUP "$pid"); }
