# Without budgets, for there is one client.
program=$gardefou
rows="blocked cached forwarded reload"
# A file in the place of another would be loaded within a second.
prepare() { cp "$1.gfi" "$home/new.gfi" && [[ -e $home/x.gfi ]] || mv "$home/new.gfi" "$home/x.gfi"; }
launch() {
    run=("$gardefou" serve --image "$home/x.gfi" --listen "127.0.0.1:$port" --upstream "$upstream"
        --queries-per-second 0 --names-per-second 0)
}
swap() { swap=(sh -c "mv '$home/new.gfi' '$home/x.gfi' && kill -HUP $pid"); }
