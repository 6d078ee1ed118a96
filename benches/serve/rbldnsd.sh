# No resolver: says what is on a list below a zone of its own. For reference.
program=rbldnsd
rows="blocked reload"
zone=bl.test
# It looks at the file every second.
prepare() {
    sed 's/^/./' "$1.names" >"$home/new.list"
    [[ -e $home/list ]] || mv "$home/new.list" "$home/list"
}
launch() {
    # It does not run as root, and the folder is ours.
    chmod a+x "$work" "$home"
    run=(rbldnsd -n -f -c 1s -w "$home" -b "127.0.0.1/$port" -u nobody "$zone:dnset:list")
}
swap() { swap=(sh -c "mv '$home/new.list' '$home/list' && kill -HUP $pid"); }
