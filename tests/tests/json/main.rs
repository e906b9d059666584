//! The JSON dialect as a table: bytes in, behaviour out, for both roles. The rows, and how to read them, are in
//! `tests/vectors/json-dialect.txt`.

mod as_client;
mod as_server;
mod objects;
mod table;
mod talk;

use pnet::{CloseCode, ConnectError, Dialect};

use self::{
    as_server::Cut,
    table::{Role, Row, rows},
    talk::{Book, TableClient, TableServer},
};

#[test]
fn rows_are_many_and_have_names_of_their_own() {
    let rows = rows();
    assert!(rows.len() >= 150, "{} rows", rows.len());
    let mut names: Vec<_> = rows.iter().map(|row| &row.name).collect();
    names.sort();
    names.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1]));
}

#[tokio::test(start_paused = true)]
async fn servers_do_what_the_table_says() {
    let mut wrong = Vec::new();
    for row in of(Role::Server) {
        note(&mut wrong, &row, "", as_server::run(&row, Cut::Nowhere).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[tokio::test(start_paused = true)]
async fn servers_do_the_same_byte_by_byte() {
    let mut wrong = Vec::new();
    for row in of(Role::Server) {
        note(&mut wrong, &row, "byte by byte", as_server::run(&row, Cut::Everywhere).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[tokio::test(start_paused = true)]
async fn servers_do_the_same_wherever_the_bytes_are_cut() {
    let mut wrong = Vec::new();
    for row in of(Role::Server) {
        for at in 1..row.short_input().unwrap_or(0) {
            let before = wrong.len();
            note(&mut wrong, &row, &format!("cut at {at}"), as_server::run(&row, Cut::At(at)).await);
            if wrong.len() > before {
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[tokio::test(start_paused = true)]
async fn clients_do_what_the_table_says() {
    let mut wrong = Vec::new();
    for row in of(Role::Client) {
        note(&mut wrong, &row, "", as_client::run(&row).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// This takes the fingerprint of the protocol, which other implementations of the dialect do not have: no row of the table.
#[tokio::test(start_paused = true)]
async fn native_clients_are_told_that_a_server_speaks_json_only() {
    let server = pnet::serve(TableServer, Book::default()).dialects([Dialect::Json]).in_memory();
    let refused = server.connect(TableClient, Book::default()).await.expect_err("this client speaks native");
    let ConnectError::Refused(why) = refused else { panic!("{refused:?}") };
    assert_eq!((why.code(), why.reason()), (CloseCode::Refused, "this server speaks JSON only"));
}

/// The rows of a role; `PNET_ROW` chooses those whose name contains it.
fn of(role: Role) -> impl Iterator<Item = Row> {
    let wanted = std::env::var("PNET_ROW").unwrap_or_default();
    rows().into_iter().filter(move |row| row.role == role && row.name.contains(&wanted))
}

fn note(wrong: &mut Vec<String>, row: &Row, how: &str, outcome: Result<(), String>) {
    if let Err(what) = outcome {
        wrong.push(format!("\n{} {how}\n{what}", row.name));
    }
}
