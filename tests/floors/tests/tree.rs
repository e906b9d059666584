//! The crates of the repository.

use std::{io::Write as _, path::Path};

use pnet_floors::{circles_of, floors_of, repository};

#[test]
fn no_circle_between_siblings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = repository(&root).expect("every file is there and can be parsed");
    let names: Vec<_> = crates.iter().map(|one| one.name.as_str()).collect();
    for expected in ["cli (main)", "pnet", "pnet-macros", "protocol", "tests/counted"] {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
    if std::env::var_os("PNET_FLOORS").is_some_and(|value| value == "print") {
        std::io::stdout().write_all(floors_of(&crates).as_bytes()).unwrap();
    }
    let circles = circles_of(&crates);
    assert!(circles.is_empty(), "{circles}");
}
