# Watches the file, so that renaming another one to it is all a reload takes.
program=kresd
rows="blocked cached forwarded reload"
prepare() { cp "$1.rpz" "$home/new.rpz" && [[ -e $home/rpz ]] || mv "$home/new.rpz" "$home/rpz"; }
launch() {
    cat >"$home/conf" <<END
net.listen('127.0.0.1', $port, { kind = 'dns' })
cache.size = 100 * MB
trust_anchors.remove('.')
modules = { 'policy' }
policy.add(policy.rpz(policy.DENY, '$home/rpz', true))
policy.add(policy.all(policy.STUB('${upstream/:/@}')))
END
    run=(kresd -n -q -c "$home/conf" "$home")
}
swap() { swap=(mv "$home/new.rpz" "$home/rpz"); }
