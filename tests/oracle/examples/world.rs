//! Writes the random world of a seed to a folder, as files that `flowgauge import` takes: `world SEED FOLDER`. For looking into a
//! difference between the oracle and the product.

use flowgauge_oracle::World;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(seed), Some(folder)) = (words.next(), words.next()) else { return Err("usage: world SEED FOLDER".into()) };
    std::fs::create_dir_all(&folder)?;
    World::random(seed.parse()?).write(Path::new(&folder))?;
    Ok(())
}
