//! The file of known hosts: what is stored, what is kept, and what a client does that cannot trust it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pnet::{Client, CloseCode, ConnectError, TlsError, memory::MemoryServer, transport::PeerAddr};
use pnet_tests::talk::{Book, Talk, TalkClient};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    sync::Barrier,
};

use super::support::{
    Folder, NAME, PATIENCE, Snapshot, client, dial, dial_as, identity, mode, pin, server, server_with, set_mode, tls,
    untrusted, works,
};

/// A client of a server that has this key, with this file.
async fn meet(number: usize, file: &Path) -> Result<Client<Talk>, ConnectError> {
    meet_as(number, NAME, file).await
}

async fn meet_as(number: usize, name: &str, file: &Path) -> Result<Client<Talk>, ConnectError> {
    let server = server_with(identity(number));
    let client = dial_as(&server, name, client().known_hosts(file)).await?;
    assert!(works(&client).await);
    Ok(client)
}

/// The line of a server.
fn line(name: &str, number: usize) -> String {
    format!("{name} {}\n", pin(number))
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).expect("it is text")
}

/// What is wrong with the file.
#[track_caller]
fn reason(result: Result<Client<Talk>, ConnectError>, path: &Path) -> String {
    match tls(result) {
        error @ TlsError::KnownHosts { .. } => {
            let text = error.to_string();
            assert!(text.starts_with(&format!("{}: ", path.display())), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_contact_is_stored_in_one_line_that_nobody_else_can_read() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    meet(0, &file).await.expect("it is the first contact");
    assert_eq!(text(&file), line(NAME, 0));
    assert_eq!(mode(&file), 0o600);
    assert_eq!(folder.names(), ["known_hosts", "known_hosts.lock"]);
    assert_eq!(mode(&folder.path("known_hosts.lock")), 0o600);
}

#[tokio::test]
async fn a_server_that_is_known_changes_nothing() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", line(NAME, 0));
    // Others may read it, and the client need not write it.
    set_mode(&file, 0o444);
    let before = Snapshot::of(&file);
    for _ in 0..2 {
        meet(0, &file).await.expect("it is known");
    }
    assert_eq!(Snapshot::of(&file), before);
    assert_eq!(folder.names(), ["known_hosts"]);
}

#[tokio::test]
async fn a_changed_key_is_refused_with_both_and_where_it_is_stored() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", format!("# mine\n\n{}{}", line("other.example:1", 1), line(NAME, 0)));
    let before = Snapshot::of(&file);
    let mistrust = untrusted(meet(1, &file).await);
    assert_eq!((&*mistrust.server, mistrust.shown), (NAME, pin(1)));
    assert_eq!(mistrust.expected, [pin(0)]);
    assert_eq!(mistrust.stored, Some((file.clone(), 4)));
    let text = mistrust.to_string();
    let stored = format!("stored is {} ({} line 4), shown is {}", pin(0), file.display(), pin(1));
    assert!(text.starts_with(NAME) && text.contains(&stored), "{text}");
    assert!(text.contains("nothing was sent") && text.contains("delete that line"), "{text}");
    assert_eq!(Snapshot::of(&file), before);
    assert_eq!(folder.names(), ["known_hosts"]);
}

#[tokio::test]
async fn of_several_lines_for_one_server_any_counts() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", line(NAME, 0) + &line(NAME, 1));
    for number in [0, 1] {
        meet(number, &file).await.expect("it is known");
    }
    let mistrust = untrusted(meet(2, &file).await);
    assert_eq!((mistrust.expected, mistrust.stored), (vec![pin(0), pin(1)], Some((file, 1))));
}

#[tokio::test]
async fn servers_are_told_apart_by_host_and_port_and_not_by_capitals() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    meet_as(0, "Host.Example:1", &file).await.expect("it is the first contact");
    meet_as(1, "host.example:2", &file).await.expect("it is another");
    meet_as(2, "[2001:DB8::1]:1", &file).await.expect("it is another");
    let expected = line("host.example:1", 0) + &line("host.example:2", 1) + &line("[2001:db8::1]:1", 2);
    assert_eq!(text(&file), expected);
    meet_as(0, "HOST.EXAMPLE:1", &file).await.expect("it is known");
    untrusted(meet_as(1, "host.EXAMPLE:1", &file).await);
    assert_eq!(text(&file), expected);
    // Capitals that a user has written count like others.
    let file = folder.write("mine", line("HOST.example:1", 0));
    meet_as(0, "host.example:1", &file).await.expect("it is known");
    untrusted(meet_as(1, "host.example:1", &file).await);
}

#[tokio::test]
async fn names_that_would_be_other_lines_are_stored_as_one_word() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let names = ["a proxy's words", "two\nlines", "#comment", "tab\tand %25", "größe:1"];
    for name in names {
        meet_as(0, name, &file).await.expect("it is the first contact");
        meet_as(0, name, &file).await.expect("it is known");
        untrusted(meet_as(1, name, &file).await);
    }
    assert_eq!(text(&file).lines().count(), names.len(), "{}", text(&file));
    assert!(text(&file).lines().all(|line| line.split(' ').count() == 2), "{}", text(&file));
}

#[tokio::test]
async fn over_tcp_a_server_is_stored_as_it_was_dialled() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let server = server().identity(identity(0)).bind("127.0.0.1:0").await.expect("loopback binds");
    let port = server.local_addr().port();
    for _ in 0..2 {
        let client = client().known_hosts(&file).to(("127.0.0.1", port)).await.expect("connects");
        assert!(works(&client).await);
    }
    client().known_hosts(&file).to(server.local_addr()).await.expect("it is the same name");
    client().known_hosts(&file).to(format!("LocalHost:{port}")).await.expect("connects");
    assert_eq!(text(&file), line(&format!("127.0.0.1:{port}"), 0) + &line(&format!("localhost:{port}"), 0));
    server.handle().set_identity(identity(1));
    let mistrust = untrusted(client().known_hosts(&file).to(format!("localhost:{port}")).await);
    assert_eq!(mistrust.stored, Some((file, 2)));
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_byte_by_byte_and_the_others_count() {
    let folder = Folder::new();
    let mut content = b"\xff\xfe\x00 no text\n  indented.example:1   ".to_vec();
    content.extend_from_slice(pin(1).to_string().as_bytes());
    content.extend_from_slice(b"\r\nhalf.example:1\nold.example:1 SHA1:abc\n# a comment, for host.example:25565\n\n");
    content.extend_from_slice(b"comment.example:1 # SHA256\n");
    content.extend_from_slice(&[b'x'; 5000]);
    // The last line has no end.
    let file = folder.write("known_hosts", &content);
    meet_as(1, "indented.example:1", &file).await.expect("it is known");
    untrusted(meet_as(0, "indented.example:1", &file).await);
    assert_eq!(fs::read(&file).expect("it is there"), content);
    meet(0, &file).await.expect("it is the first contact");
    content.push(b'\n');
    content.extend_from_slice(line(NAME, 0).as_bytes());
    assert_eq!(fs::read(&file).expect("it is there"), content);
    meet(0, &file).await.expect("it is known");
}

#[tokio::test]
async fn the_first_line_counts_whatever_an_editor_puts_in_front_of_it() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", format!("\u{feff}{}", line(NAME, 0)));
    let before = Snapshot::of(&file);
    meet(0, &file).await.expect("it is known");
    assert_eq!(untrusted(meet(1, &file).await).stored, Some((file.clone(), 1)));
    assert_eq!(Snapshot::of(&file), before);
}

/// As one writes it for SSH: it would be found for no server.
#[tokio::test]
async fn a_line_without_a_port_is_an_error_and_no_first_contact() {
    let folder = Folder::new();
    let host = NAME.rsplit_once(':').expect("it has a port").0;
    let file = folder.write("known_hosts", line(host, 1));
    let reason = reason(meet(0, &file).await, &file);
    assert!(reason.contains(&format!("line 1 names {host} without a port")), "{reason}");
    assert_eq!(text(&file), line(host, 1));
}

/// None of its lines could be found, and every server would be new.
#[tokio::test]
async fn a_file_in_utf_16_is_an_error() {
    let folder = Folder::new();
    for (mark, bytes) in [([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xfe, 0xff], u16::to_be_bytes)] {
        let line = format!("{NAME} {}\n", pin(0));
        let text: Vec<u8> = mark.into_iter().chain(line.encode_utf16().flat_map(bytes)).collect();
        let path = folder.write("known_hosts", &text);
        let reason = reason(meet(0, &path).await, &path);
        assert!(reason.contains("is UTF-16"), "{reason}");
        assert_eq!(fs::read(&path).expect("it is there"), text);
    }
}

#[tokio::test]
async fn a_line_for_this_server_that_cannot_be_read_is_an_error_that_names_it() {
    let folder = Folder::new();
    let good = pin(0).to_string();
    for rest in ["", " ", " SHA256:abc", " \u{1b}[31m", " secret", &format!(" {good} {good}"), &format!(" {good}=")] {
        for name in [NAME, "HOST.EXAMPLE:25565"] {
            // A line that can be read makes it no better: which of them is meant?
            let file = folder.write("known_hosts", format!("# mine\n{}{name}{rest}\n", line(NAME, 0)));
            let before = Snapshot::of(&file);
            let reason = reason(meet(0, &file).await, &file);
            assert!(reason.contains(&format!("line 3 is for {NAME}, and cannot be read")), "{reason}");
            assert!(!reason.contains('\u{1b}'), "{reason:?}");
            assert_eq!(Snapshot::of(&file), before);
            // It is nobody else's business.
            meet_as(1, "other.example:1", &file).await.expect("it is the first contact");
        }
    }
}

#[tokio::test]
async fn comments_and_a_missing_end_of_the_last_line_are_kept() {
    let folder = Folder::new();
    for before in ["# mine", "# mine\n", "\n\n# mine\n\n", &line("other.example:1", 1), line("a:1", 1).trim_end()] {
        let file = folder.write("known_hosts", before);
        meet(0, &file).await.expect("it is the first contact");
        let end = if before.ends_with('\n') { "" } else { "\n" };
        assert_eq!(text(&file), format!("{before}{end}{}", line(NAME, 0)));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_change_is_not_trusted() {
    let folder = Folder::new();
    for mode in [0o620, 0o602, 0o664, 0o666, 0o777] {
        let file = folder.write("known_hosts", line(NAME, 0));
        set_mode(&file, mode);
        let before = Snapshot::of(&file);
        for number in [0, 1] {
            let reason = reason(meet(number, &file).await, &file);
            assert!(reason.contains(&format!("can be changed by others (mode {mode:04o})")), "{reason}");
        }
        let reason = reason(meet_as(1, "other.example:1", &file).await, &file);
        assert!(reason.contains("`chmod 600` it"), "{reason}");
        assert_eq!(Snapshot::of(&file), before);
    }
}

#[tokio::test]
async fn what_is_no_file_or_too_long_is_not_read() {
    let folder = Folder::new();
    let sub = folder.path("folder");
    fs::create_dir(&sub).expect("a folder can be made");
    let reason_of_folder = reason(meet(0, &sub).await, &sub);
    assert!(reason_of_folder.contains("is not a file"), "{reason_of_folder}");
    let long = folder.write("long", line(NAME, 0));
    fs::File::options().write(true).open(&long).and_then(|file| file.set_len(17 << 20)).expect("it can be longer");
    let reason = reason(meet(0, &long).await, &long);
    assert!(reason.contains("17825792 bytes"), "{reason}");
}

#[tokio::test]
async fn a_key_that_cannot_be_stored_is_an_error() {
    let folder = Folder::new();
    let missing = folder.path("missing").join("known_hosts");
    let text = reason(meet(0, &missing).await, &missing);
    assert!(text.contains("the key cannot be stored"), "{text}");
    assert!(folder.names().is_empty());
    // The file beside it that keeps others away cannot be made.
    let file = folder.path("known_hosts");
    fs::create_dir(folder.path("known_hosts.lock")).expect("a folder can be made");
    let text = reason(meet(0, &file).await, &file);
    assert!(text.contains("the key cannot be stored"), "{text}");
    assert_eq!(folder.names(), ["known_hosts.lock"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_an_error_unless_the_server_is_known() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", line(NAME, 0));
    let before = Snapshot::of(&file);
    set_mode(file.parent().expect("it is in a folder"), 0o500);
    // There is a user who may write everywhere.
    let anywhere = fs::write(folder.path("probe"), "").is_ok();
    let known = meet(0, &file).await;
    let new = meet_as(1, "other.example:1", &file).await;
    set_mode(file.parent().expect("it is in a folder"), 0o700);
    known.expect("it is known");
    if anywhere {
        new.expect("it is the first contact");
    } else {
        let reason = reason(new, &file);
        assert!(reason.contains("the key cannot be stored"), "{reason}");
        assert_eq!(Snapshot::of(&file), before);
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_client_is_known_from_then_on() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let server = server().identity(identity(0)).clients([pin(2)]).in_memory();
    // It has proved its key by then.
    let builder = client().known_hosts(&file).identity(identity(1));
    let refused = dial(&server, builder).await.expect_err("it has another key");
    assert!(matches!(&refused, ConnectError::Refused(why) if why.code() == CloseCode::Unauthorized), "{refused:?}");
    assert_eq!(text(&file), line(NAME, 0));
}

/// What a server says in its handshake before its client has the last word: it is written at once.
async fn flight(server: &MemoryServer<Talk>) -> Vec<u8> {
    let (mut near, far) = duplex(1 << 16);
    let folder = Folder::new();
    let client = client().known_hosts(folder.path("known_hosts"));
    let client = tokio::spawn(client.over::<Talk>(far, PeerAddr::Other(NAME.to_owned())));
    let mut io = server.connector().open().await.expect("the server is there");
    io.write_all(&chunk(&mut near).await).await.expect("memory writes");
    let said = chunk(&mut io).await;
    client.abort();
    said
}

/// What has come, or comes next; nothing at the end.
async fn chunk(io: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let len = io.read(&mut bytes).await.unwrap_or(0);
    bytes.truncate(len);
    bytes
}

/// Which of these bytes are in records, and not the head of one.
fn in_records(flight: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 0);
    while at < flight.len() {
        let len = usize::from(u16::from_be_bytes([flight[at + 3], flight[at + 4]]));
        places.extend(at + 5..at + 5 + len);
        at += 5 + len;
    }
    places
}

/// A line to the server, on which its answers are altered by `alter`, and which ends when that says so.
async fn altered(
    server: &MemoryServer<Talk>,
    mut alter: impl FnMut(usize, &mut Vec<u8>) -> bool + Send + 'static,
) -> DuplexStream {
    let (near, far) = duplex(1 << 16);
    let io = server.connector().open().await.expect("the server is there");
    tokio::spawn(async move {
        let ((mut up_from, mut down_to), (mut down_from, mut up_to)) = (split(near), split(io));
        let up = async {
            let _ = tokio::io::copy(&mut up_from, &mut up_to).await;
            let _ = up_to.shutdown().await;
        };
        let down = async {
            let mut passed = 0;
            loop {
                let mut bytes = chunk(&mut down_from).await;
                let len = bytes.len();
                let goes_on = len > 0 && alter(passed, &mut bytes);
                passed += len;
                if down_to.write_all(&bytes).await.is_err() || !goes_on {
                    let _ = down_to.shutdown().await;
                    return;
                }
            }
        };
        tokio::join!(up, down);
    });
    far
}

#[tokio::test]
async fn a_handshake_that_ends_early_stores_nothing() {
    let server = server_with(identity(0));
    let len = flight(&server).await.len();
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let over = |io| client().known_hosts(&file).over::<Talk>(io, PeerAddr::Other(NAME.to_owned()));
    for end in (0..len).step_by(61).chain([len - 1]) {
        let cut = move |passed: usize, bytes: &mut Vec<u8>| {
            bytes.truncate(end.saturating_sub(passed));
            passed + bytes.len() < end
        };
        let error = tls(over(altered(&server, cut).await).await);
        assert!(matches!(error, TlsError::Broken { .. }), "after {end} of {len} bytes: {error:?}");
        assert!(folder.names().is_empty(), "after {end} of {len} bytes");
    }
    // With the last byte the server has proved its key, and whatever follows is another matter.
    let cut = move |passed: usize, bytes: &mut Vec<u8>| {
        bytes.truncate(len.saturating_sub(passed));
        passed + bytes.len() < len
    };
    over(altered(&server, cut).await).await.expect_err("no welcome comes");
    assert_eq!(text(&file), line(NAME, 0));
}

#[tokio::test]
async fn a_handshake_that_was_altered_stores_nothing() {
    let server = server_with(identity(0));
    let flight = flight(&server).await;
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let places = in_records(&flight);
    for &place in places.iter().step_by(47).chain(places.last()) {
        let flip = move |passed: usize, bytes: &mut Vec<u8>| {
            if let Some(byte) = place.checked_sub(passed).and_then(|at| bytes.get_mut(at)) {
                *byte ^= 1;
            }
            true
        };
        let io = altered(&server, flip).await;
        let error = tls(client().known_hosts(&file).over(io, PeerAddr::Other(NAME.to_owned())).await);
        assert!(matches!(error, TlsError::Failed { .. } | TlsError::RawKey { .. }), "at {place}: {error:?}");
        assert!(folder.names().is_empty(), "at {place}");
    }
}

/// A line to the server that lets nothing through before both clients have said their hello: so none knows of the other.
async fn held(server: &MemoryServer<Talk>, both: Arc<Barrier>) -> DuplexStream {
    let (mut near, far) = duplex(1 << 16);
    let mut io = server.connector().open().await.expect("the server is there");
    tokio::spawn(async move {
        let hello = chunk(&mut near).await;
        both.wait().await;
        io.write_all(&hello).await.expect("memory writes");
        let _ = tokio::io::copy_bidirectional(&mut near, &mut io).await;
    });
    far
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clients_that_see_different_keys_at_once_the_second_fails() {
    let folder = Folder::new();
    for round in 0..4 {
        let file = folder.path(&format!("known_hosts_{round}"));
        let servers = [0, 1].map(|number| server_with(identity(number)));
        let both = Arc::new(Barrier::new(2));
        let mut tasks = Vec::new();
        for server in &servers {
            let io = held(server, Arc::clone(&both)).await;
            let client = client().known_hosts(&file);
            tasks.push(tokio::spawn(client.over::<Talk>(io, PeerAddr::Other(NAME.to_owned()))));
        }
        let mut met = Vec::new();
        for task in tasks {
            met.push(task.await.expect("no panic"));
        }
        let second = met.pop().expect("there are two");
        let first = met.pop().expect("there are two");
        let (winner, loser, other) = if first.is_ok() { (0, second, 1) } else { (1, first, 0) };
        let mistrust = untrusted(loser);
        assert_eq!((mistrust.shown, &*mistrust.expected), (pin(other), &[pin(winner)][..]));
        assert_eq!(mistrust.stored, Some((file.clone(), 1)));
        assert_eq!(text(&file), line(NAME, winner));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clients_that_see_one_key_at_once_both_connect() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let server = server_with(identity(0));
    let both = Arc::new(Barrier::new(2));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let (io, client) = (held(&server, Arc::clone(&both)).await, client().known_hosts(&file));
        tasks.push(tokio::spawn(client.over::<Talk>(io, PeerAddr::Other(NAME.to_owned()))));
    }
    for task in tasks {
        assert!(works(&task.await.expect("no panic").expect("connects")).await);
    }
    assert_eq!(text(&file), line(NAME, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_clients_that_store_at_once_lose_no_line() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", "# mine\n");
    let servers = [0, 1].map(|number| Arc::new(server_with(identity(number))));
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let (server, file) = (Arc::clone(&servers[number % 2]), file.clone());
            tokio::spawn(async move {
                let builder = client().known_hosts(file);
                dial_as(&server, &format!("host-{number}.example:1"), builder).await.map(drop)
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(PATIENCE, task).await.expect("in time").expect("no panic").expect("connects");
    }
    let mut lines: Vec<_> = text(&file).lines().map(|line| format!("{line}\n")).collect();
    assert_eq!(lines.remove(0), "# mine\n");
    lines.sort();
    let mut expected: Vec<_> = (0..20).map(|number| line(&format!("host-{number}.example:1"), number % 2)).collect();
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(folder.names(), ["known_hosts", "known_hosts.lock"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_the_file_stays_one() {
    let folder = Folder::new();
    let (file, link) = (folder.write("known_hosts", "# mine\n"), folder.path("link"));
    std::os::unix::fs::symlink(&file, &link).expect("a link can be made");
    meet(0, &link).await.expect("it is the first contact");
    assert_eq!(text(&file), format!("# mine\n{}", line(NAME, 0)));
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(folder.names(), ["known_hosts", "known_hosts.lock", "link"]);
    let mistrust = untrusted(meet(1, &link).await);
    assert_eq!(mistrust.stored, Some((link, 2)));
}

/// A file that is kept somewhere else is made there, and not where only the link is.
#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_file_that_is_not_there_yet_stays_one() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    fs::create_dir(folder.path("kept")).expect("a folder can be made");
    let (file, link, second) = (folder.path("kept").join("known_hosts"), folder.path("link"), folder.path("second"));
    symlink("kept/known_hosts", &link).expect("a link can be made");
    symlink(&link, &second).expect("a link can be made");
    meet(0, &second).await.expect("it is the first contact");
    assert_eq!(text(&file), line(NAME, 0));
    assert_eq!(folder.names(), ["kept", "link", "second"]);
    untrusted(meet(1, &link).await);
    // Those that lead nowhere are an error.
    let round = folder.path("round");
    symlink(&round, &round).expect("a link can be made");
    reason(meet(0, &round).await, &round);
}

/// Else it would be met for the first time again and again, and any key be taken.
#[tokio::test]
async fn a_server_without_a_name_is_known_the_second_time() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    for name in ["", "\u{feff}", "\u{feff}host.example:1"] {
        let _ = fs::remove_file(&file);
        meet_as(0, name, &file).await.expect("it is the first contact");
        let stored = text(&file);
        meet_as(0, name, &file).await.expect("it is known");
        assert_eq!(text(&file), stored, "{name:?}");
        untrusted(meet_as(1, name, &file).await);
    }
}

/// A program that hangs is told from a server that does.
#[tokio::test]
async fn a_file_that_stays_locked_is_named() {
    let folder = Folder::new();
    let (file, server) = (folder.path("known_hosts"), server_with(identity(0)));
    let lock = fs::File::create(folder.path("known_hosts.lock")).expect("a file can be made");
    lock.lock().expect("nobody else has it");
    let builder = pnet::connect(TalkClient, Book::default()).known_hosts(&file);
    let text = reason(dial(&server, builder).await, &file);
    assert!(text.contains("another program has kept it locked"), "{text}");
    assert!(!file.exists());
}

/// What a file is called matters nowhere but on disk.
#[tokio::test]
async fn a_file_in_the_current_folder_may_be_called_by_its_name_alone() {
    let name = PathBuf::from(format!("known-hosts-of-a-test-{}", std::process::id()));
    let met = meet(0, &name).await;
    let stored = fs::read_to_string(&name);
    let _ = fs::remove_file(&name);
    let _ = fs::remove_file(name.with_extension("lock"));
    met.expect("it is the first contact");
    assert_eq!(stored.expect("it was stored"), line(NAME, 0));
}
