# Reloads at once: the default keeps a new policy waiting for a minute.
program=named
rows="blocked cached forwarded reload"
prepare() { cp "$1.rpz" "$home/new.rpz" && mv "$home/new.rpz" "$home/rpz"; }
launch() {
    cat >"$home/conf" <<END
options {
 directory "$home";
 listen-on port $port { 127.0.0.1; };
 listen-on-v6 { none; };
 pid-file none;
 session-keyfile none;
 recursion yes;
 allow-query { any; };
 forward only;
 forwarders { ${upstream%:*} port ${upstream#*:}; };
 dnssec-validation no;
 response-policy { zone "rpz"; } qname-wait-recurse no min-update-interval 0;
};
controls { };
zone "rpz" { type primary; file "$home/rpz"; };
END
    run=(named -f -n 1 -c "$home/conf")
}
swap() { swap=(kill -HUP "$pid"); }
