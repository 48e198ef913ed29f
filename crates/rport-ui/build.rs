//! Makes the table of embedded files from `ui/dist`, or an empty one where the web UI was not built.
//!
//! Nothing is built or fetched here: `make ui` runs Node, this only reads what it left behind.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let dist = root.join("../../ui/dist");
    // The folder is in the repository, so this never names a missing path, which would mean "always build again".
    println!("cargo:rerun-if-changed={}", dist.display());

    let mut names = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &dist, &mut names)?;
    }
    names.sort();

    let mut table = String::from("&[\n");
    for name in &names {
        let file = dist.join(name);
        let mut hasher = DefaultHasher::new();
        fs::read(&file)?.hash(&mut hasher);
        let body = if dist.join(format!("{name}.br")).is_file() {
            format!(
                "Body::Packed {{ brotli: include_bytes!({:?}), gzip: include_bytes!({:?}) }}",
                dist.join(format!("{name}.br")),
                dist.join(format!("{name}.gz")),
            )
        } else {
            format!("Body::Plain(include_bytes!({file:?}))")
        };
        let _ = writeln!(
            table,
            "    Asset {{ path: {name:?}, hash: \"{:016x}\", body: {body} }},",
            hasher.finish()
        );
    }
    table.push(']');
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("assets.rs"), table)
}

/// Names of the files to embed, relative to `dist` and with slashes. Packed forms stand beside the file they belong to.
fn collect(dist: &Path, dir: &Path, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(dist, &path, names)?;
            continue;
        }
        let relative = path.strip_prefix(dist).expect("it was found there");
        let name = relative.to_string_lossy().replace('\\', "/");
        let is_packed = name.ends_with(".br") || name.ends_with(".gz");
        if !is_packed && !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(())
}
