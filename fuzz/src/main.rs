//! The engine around the targets. With feature `engine` it is libFuzzer's program, and the variable
//! `COUNTERSIGN_FUZZ_TARGET` names what it runs; without it, or with the variable missing, it says which targets there
//! are (`list`) or writes their seeds into folders (`seeds DIR`).

#![cfg_attr(feature = "engine", no_main)]

#[cfg(feature = "engine")]
mod engine {
    use std::sync::LazyLock;

    use cs_fuzz::Target;

    static CHOSEN: LazyLock<&'static Target> = LazyLock::new(|| {
        let name = std::env::var("COUNTERSIGN_FUZZ_TARGET").unwrap_or_default();
        match cs_fuzz::target(&name) {
            Some(target) => target,
            None => panic!("COUNTERSIGN_FUZZ_TARGET names no target: {name:?}"),
        }
    });

    libfuzzer_sys::fuzz_target!(|data: &[u8]| (CHOSEN.run)(data));
}

#[cfg(not(feature = "engine"))]
#[expect(clippy::print_stdout, reason = "the answer of the program")]
fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("list"), None) => cs_fuzz::all().for_each(|target| println!("{}", target.name)),
        (Some("seeds"), Some(folder)) => {
            for target in cs_fuzz::all() {
                let folder = std::path::Path::new(&folder).join(target.name);
                std::fs::create_dir_all(&folder)?;
                for (n, seed) in target.seeds.iter().enumerate() {
                    std::fs::write(folder.join(format!("seed-{n}")), seed)?;
                }
            }
        }
        _ => println!("usage: cs-fuzz list | seeds DIR"),
    }
    Ok(())
}
