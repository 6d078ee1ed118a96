//! The program of the benches; what it does is in [`benches`].

fn main() -> anyhow::Result<()> {
    benches::run()
}
