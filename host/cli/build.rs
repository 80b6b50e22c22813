//! What `remit new` writes is inside the binary: it is made again when a file there comes or goes.

fn main() {
    for folder in ["../../sdk", "../../wit"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
