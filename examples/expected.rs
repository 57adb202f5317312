//! Writes `sample-data/expected/*.csv`: what the oracle answers about the sample shop. The end-to-end tests hold the product to it.

#[path = "../tests/it/expected.rs"]
mod expected;

use flowgauge_sample_data::Shop;

fn main() -> std::io::Result<()> {
    let world = expected::world(&Shop::generate(1, 0));
    for (name, from, bucket) in expected::FILES {
        let (text, _) = expected::file(&world, from, bucket);
        std::fs::create_dir_all(expected::path(name).parent().expect("a folder"))?;
        std::fs::write(expected::path(name), text)?;
    }
    Ok(())
}
