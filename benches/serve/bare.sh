# The yardstick: takes datagrams, sets two octets in each, and sends them back. It holds no list.
program=$benches
rows="blocked cached forwarded"
prepare() { :; }
launch() { run=("$benches" dns respond "127.0.0.1:$port"); }
