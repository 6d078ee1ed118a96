# The list in a constant database, which it opens anew when the file is another one; that it looks
# every second is its shortest period.
program=dnsdist
needs=cdb
rows="blocked cached forwarded reload"
prepare() {
    LC_ALL=C awk -f benches/serve/cdb.awk "$1.names" | cdb -c "$home/new.cdb"
    [[ -e $home/cdb ]] || mv "$home/new.cdb" "$home/cdb"
}
launch() {
    cat >"$home/conf" <<END
setLocal('127.0.0.1:$port')
setACL('127.0.0.0/8')
setSecurityPollSuffix('')
newServer('$upstream'):setUp()
list = newCDBKVStore('$home/cdb', 1)
addAction(KeyValueStoreLookupRule(list, KeyValueLookupKeySuffix(2)), RCodeAction(DNSRCode.NXDOMAIN))
getPool(''):setCache(newPacketCache(10000))
END
    run=(dnsdist --supervised --disable-syslog -C "$home/conf")
}
swap() { swap=(mv "$home/new.cdb" "$home/cdb"); }
