# Without budgets, for there is one client.
program=$gardefou
rows="blocked cached forwarded reload"
prepare() { cp "$1.gfi" "$home/new.gfi" && mv "$home/new.gfi" "$home/x.gfi"; }
launch() {
    run=("$gardefou" serve --image "$home/x.gfi" --listen "127.0.0.1:$port" --upstream "$upstream"
        --queries-per-second 0 --names-per-second 0)
}
swap() { swap=(kill -HUP "$pid"); }
