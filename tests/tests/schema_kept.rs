//! What is read of schemas stays in memory, so a process reads so many. This test uses all of them up: it has a program of its
//! own.

use pnet_protocol::document::{self, MAX_KEPT, SchemaError};

fn text(number: usize) -> String {
    format!(r#"{{"pnet-schema":1,"protocol":"P{number}","client":[{{"action":"A","packet":"A","data":"u8"}}]}}"#)
}

#[test]
fn a_process_reads_so_many_and_no_more() {
    // What is refused does not count.
    for number in 0..2 * MAX_KEPT {
        document::read(&text(number).replace("u8", "u7")).expect_err("there is no such type");
    }
    for number in 0..MAX_KEPT {
        assert_eq!(document::read(&text(number)).expect("there is room").name, format!("P{number}"));
    }
    assert!(matches!(document::read(&text(MAX_KEPT)), Err(SchemaError::Full)));
    // What is known already goes on.
    for number in 0..MAX_KEPT {
        assert_eq!(document::read(&text(number)).expect("it is known").name, format!("P{number}"));
    }
}
