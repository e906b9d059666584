//! Writes the crates whose compilation is measured: one workspace, a crate of each [`Kind`] for each size.
//!
//! A size counts what clients send, so that the server has as many handlers. Every other packet is a call with an answer
//! of its own, and for every tenth there is one that the server pushes: size 100 has 160 packet types.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// What a generated crate holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The types with serde's derives, and nothing else.
    Serde,
    /// The same, with a function to encode and one to decode for each packet and codec.
    Codecs,
    /// The same types as packets of a protocol.
    Protocol,
    /// A server with a handler for each packet that clients send.
    Server,
    /// A client that sends each of them.
    Client,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Serde, Self::Codecs, Self::Protocol, Self::Server, Self::Client];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Serde => "serde",
            Self::Codecs => "codecs",
            Self::Protocol => "protocol",
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// The file that is touched before each measurement.
    pub const fn root(self) -> &'static str {
        match self {
            Self::Serde | Self::Codecs | Self::Protocol => "src/lib.rs",
            Self::Server | Self::Client => "src/main.rs",
        }
    }

    /// Whether it is a program.
    pub const fn is_program(self) -> bool {
        matches!(self, Self::Server | Self::Client)
    }

    const fn dependencies(self) -> &'static [&'static str] {
        match self {
            Self::Serde => &["serde"],
            Self::Codecs => &["postcard", "serde", "serde_json"],
            Self::Protocol => &["pnet", "serde"],
            Self::Server | Self::Client => &["pnet", "tokio"],
        }
    }
}

/// The name of a generated package.
pub fn package(kind: Kind, size: usize) -> String {
    format!("{}_{size}", kind.name())
}

/// Where a generated package is.
pub fn folder(out: &Path, kind: Kind, size: usize) -> PathBuf {
    out.join(package(kind, size))
}

/// Writes the workspace to `out`. `pnet` is the root of the repository; its lock file is used, so that the dependencies are
/// those it is tested with.
pub fn workspace(out: &Path, pnet: &Path, sizes: &[usize]) -> io::Result<()> {
    let members: Vec<_> =
        sizes.iter().flat_map(|&size| Kind::ALL.map(|kind| format!("\"{}\"", package(kind, size)))).collect();
    let manifest = format!(
        r#"[workspace]
resolver = "3"
members = [{}]

[workspace.dependencies]
pnet = {{ package = "pnetwork", path = "{}" }}
postcard = {{ version = "1.1.3", default-features = false, features = ["alloc"] }}
serde = {{ version = "1.0.220", features = ["derive"] }}
serde_json = "1.0.145"
tokio = {{ version = "1.47", features = ["macros", "rt"] }}

[profile.dev]
debug = false
incremental = false
"#,
        members.join(", "),
        pnet.join("pnet").display(),
    );
    fs::create_dir_all(out)?;
    write_changed(&out.join("Cargo.toml"), &manifest)?;
    if !out.join("Cargo.lock").exists() {
        fs::copy(pnet.join("Cargo.lock"), out.join("Cargo.lock"))?;
    }
    for &size in sizes {
        for kind in Kind::ALL {
            let folder = folder(out, kind, size);
            fs::create_dir_all(folder.join("src"))?;
            write_changed(&folder.join("Cargo.toml"), &crate_manifest(kind, size))?;
            write_changed(&folder.join(kind.root()), &crate_source(kind, size))?;
        }
    }
    Ok(())
}

/// Leaves files as they are that would not change, so that nothing is compiled again without need.
fn write_changed(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text)
}

fn crate_manifest(kind: Kind, size: usize) -> String {
    let mut text = format!(
        "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\n",
        package(kind, size)
    );
    for name in kind.dependencies() {
        let _ = writeln!(text, "{name}.workspace = true");
    }
    if kind.is_program() {
        let protocol = package(Kind::Protocol, size);
        let _ = writeln!(text, "{protocol} = {{ path = \"../{protocol}\" }}");
    }
    text
}

fn crate_source(kind: Kind, size: usize) -> String {
    match kind {
        Kind::Serde | Kind::Codecs | Kind::Protocol => types(kind, size),
        Kind::Server => server(size),
        Kind::Client => client(size),
    }
}

// ── What is sent ──

const fn is_call(index: usize) -> bool {
    index.is_multiple_of(2)
}

const fn pushes(size: usize) -> usize {
    size.div_ceil(10)
}

/// What the fields hold, in turn. Mixed as in real protocols: most packets have texts and numbers, one of some twenty has a
/// float.
const FIELDS: [(&str, &str, &str); 19] = [
    ("name", "String", "String::from(\"name\")"),
    ("id", "u64", "7"),
    ("count", "u32", "3"),
    ("tags", "Vec<String>", "vec![String::from(\"tag\")]"),
    ("note", "Option<String>", "None"),
    ("at", "i64", "-1"),
    ("text", "String", "String::from(\"text\")"),
    ("is_open", "bool", "true"),
    ("numbers", "Vec<u32>", "vec![1, 2, 3]"),
    ("parent", "Option<u64>", "Some(5)"),
    ("level", "u8", "1"),
    ("kind", "{choice}", "{choice}::Nothing"),
    ("title", "String", "String::from(\"title\")"),
    ("offset", "i32", "-2"),
    ("items", "Vec<{part}>", "Vec::new()"),
    ("size", "u64", "9"),
    ("owner", "Option<String>", "Some(String::from(\"owner\"))"),
    ("port", "u16", "80"),
    ("ratio", "f64", "0.5"),
];

/// One enum and one struct belong to every ten packets.
fn field(index: usize, place: usize) -> (&'static str, String, String) {
    let (name, ty, value) = FIELDS[(index * 7 + place) % FIELDS.len()];
    let (choice, part) = (format!("Choice{}", index / 10), format!("Part{}", index / 10));
    let put = |text: &str| text.replace("{choice}", &choice).replace("{part}", &part);
    (name, put(ty), put(value))
}

/// Three to five fields, one for answers to `()`-like questions now and then.
const fn field_count(index: usize) -> usize {
    match index % 6 {
        0 => 3,
        1 => 5,
        5 => 2,
        _ => 4,
    }
}

/// The types of a packet, as `(name, seed of its fields)`.
fn packets(size: usize) -> Vec<(String, usize)> {
    let mut packets = vec![];
    for index in 0..size {
        if is_call(index) {
            packets.push((format!("Ask{index}"), index));
            packets.push((format!("Answer{index}"), index + 1));
        } else {
            packets.push((format!("Tell{index}"), index));
        }
    }
    packets.extend((0..pushes(size)).map(|index| (format!("Push{index}"), index * 10 + 3)));
    packets
}

fn types(kind: Kind, size: usize) -> String {
    let (packet, nested) = match kind {
        Kind::Protocol => ("Packet, ", "Schema, "),
        _ => ("", ""),
    };
    let mut text = String::from("#![allow(dead_code)]\n");
    if kind == Kind::Protocol {
        text += "use pnet::{Packet, Schema, protocol};\n";
    }
    text += "use serde::{Deserialize, Serialize};\n\n";
    for group in 0..size.div_ceil(10) {
        let _ = write!(
            text,
            "#[derive({nested}Serialize, Deserialize)]\npub enum Choice{group} {{\n    Nothing,\n    Number(u32),\n    \
             Named {{ name: String }},\n}}\n\n\
             #[derive({nested}Serialize, Deserialize)]\npub struct Part{group} {{\n    pub key: String,\n    \
             pub value: u32,\n}}\n\n"
        );
    }
    for (name, seed) in packets(size) {
        let _ = writeln!(text, "#[derive({packet}Serialize, Deserialize)]\npub struct {name} {{");
        for place in 0..field_count(seed) {
            let (field, ty, _) = field(seed, place);
            let _ = writeln!(text, "    pub {field}: {ty},");
        }
        text += "}\n\n";
    }
    match kind {
        Kind::Codecs => {
            for (name, _) in packets(size) {
                codecs(&mut text, &name);
            }
        }
        Kind::Protocol => protocol(&mut text, size),
        _ => {}
    }
    text
}

/// What a careful program writes by hand: it appends to a buffer that is used again, as pnet does.
fn codecs(text: &mut String, name: &str) {
    let _ = write!(
        text,
        "impl {name} {{
    pub fn to_json(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {{
        serde_json::to_writer(out, self)
    }}

    pub fn from_json(payload: &[u8]) -> serde_json::Result<Self> {{
        serde_json::from_slice(payload)
    }}

    pub fn to_postcard(&self, out: &mut Vec<u8>) -> postcard::Result<()> {{
        *out = postcard::to_extend(self, std::mem::take(out))?;
        Ok(())
    }}

    pub fn from_postcard(payload: &[u8]) -> postcard::Result<Self> {{
        postcard::from_bytes(payload)
    }}
}}

"
    );
}

fn protocol(text: &mut String, size: usize) {
    *text += "protocol! {\n    pub Wide {\n        client {\n";
    for index in 0..size {
        let _ = if is_call(index) {
            writeln!(text, "            Ask{index} -> Answer{index},")
        } else {
            writeln!(text, "            Tell{index},")
        };
    }
    *text += "        }\n        server {\n";
    for index in 0..pushes(size) {
        let _ = writeln!(text, "            Push{index},");
    }
    *text += "        }\n    }\n}\n";
}

/// A value of a packet.
fn value(name: &str, seed: usize) -> String {
    let fields: Vec<_> = (0..field_count(seed))
        .map(|place| {
            let (field, _, value) = field(seed, place);
            format!("{field}: {value}")
        })
        .collect();
    format!("{name} {{ {} }}", fields.join(", "))
}

// ── Who sends it ──

/// Of four handlers, three are `fn`s and one is an `async fn`; most take the state, one pushes something to its peer.
fn server(size: usize) -> String {
    let protocol = package(Kind::Protocol, size);
    let mut text = format!(
        "use std::sync::atomic::{{AtomicU64, Ordering::Relaxed}};\n\nuse pnet::{{Peer, SendError, action, actions}};\n\
         use {protocol}::*;\n\n#[derive(Default)]\nstruct Seen {{\n    calls: AtomicU64,\n    bytes: AtomicU64,\n}}\n\n"
    );
    for index in 0..size {
        let action = if is_call(index) { format!("ASK{index}") } else { format!("TELL{index}") };
        let _ = writeln!(text, "#[action(\"{action}\")]");
        let used = format!("std::mem::size_of_val(&p.{})", field(index, 0).0);
        let _ = match index % 4 {
            0 => write!(
                text,
                "fn ask{index}(p: Ask{index}, seen: &Seen) -> Answer{index} {{\n    \
                 seen.calls.fetch_add({used} as u64, Relaxed);\n    {}\n}}\n\n",
                value(&format!("Answer{index}"), index + 1)
            ),
            1 => write!(
                text,
                "fn tell{index}(p: Tell{index}, seen: &Seen) {{\n    \
                 seen.bytes.fetch_add({used} as u64, Relaxed);\n}}\n\n"
            ),
            2 => write!(
                text,
                "fn ask{index}(p: Ask{index}) -> Answer{index} {{\n    drop(p);\n    {}\n}}\n\n",
                value(&format!("Answer{index}"), index + 1)
            ),
            _ => {
                let push = index / 10;
                write!(
                    text,
                    "async fn tell{index}(p: Tell{index}, peer: Peer<Wide>, seen: &Seen) -> Result<(), SendError> {{\n    \
                     seen.bytes.fetch_add({used} as u64, Relaxed);\n    peer.send({}).await\n}}\n\n",
                    value(&format!("Push{push}"), push * 10 + 3)
                )
            }
        };
    }
    text += "actions! {\n    server WideServer(Seen) for Wide:\n";
    for index in 0..size {
        let name = if is_call(index) { "ask" } else { "tell" };
        let _ = writeln!(text, "        {name}{index},");
    }
    text += "}\n\n#[tokio::main(flavor = \"current_thread\")]\nasync fn main() -> Result<(), Box<dyn std::error::Error>> {\n    \
             let server = pnet::serve(WideServer, Seen::default()).bind(\"127.0.0.1:0\").await?;\n    \
             server.shutdown(std::time::Duration::from_secs(1)).await;\n    Ok(())\n}\n";
    text
}

fn client(size: usize) -> String {
    let protocol = package(Kind::Protocol, size);
    let mut text = format!(
        "use std::error::Error;\n\nuse pnet::Client;\nuse {protocol}::*;\n\n\
         type Done = Result<usize, Box<dyn Error>>;\n\n"
    );
    // In functions of ten, as nobody writes one of five hundred.
    for group in 0..size.div_ceil(10) {
        let _ = writeln!(text, "async fn group{group}(client: &Client<Wide>) -> Done {{\n    let mut seen = 0;");
        for index in group * 10..size.min(group * 10 + 10) {
            let _ = if is_call(index) {
                let packet = value(&format!("Ask{index}"), index);
                let used = field(index + 1, 0).0;
                writeln!(
                    text,
                    "    let answer = client.call({packet}).await?;\n    seen += std::mem::size_of_val(&answer.{used});"
                )
            } else {
                let packet = value(&format!("Tell{index}"), index);
                writeln!(text, "    client.send({packet}).await?;")
            };
        }
        text += "    Ok(seen)\n}\n\n";
    }
    text += "#[tokio::main(flavor = \"current_thread\")]\nasync fn main() -> Result<(), Box<dyn Error>> {\n    \
             let (client, mut inbox) = pnet::connect_inbox::<Wide>().to(\"127.0.0.1:1\").await?;\n    let mut seen = 0;\n";
    for group in 0..size.div_ceil(10) {
        let _ = writeln!(text, "    seen += group{group}(&client).await?;");
    }
    text += "    while let Some(packet) = inbox.recv().await {\n        seen += std::mem::size_of_val(&packet);\n    }\n    \
             client.close().await;\n    std::process::exit(i32::from(seen == 0));\n}\n";
    text
}
