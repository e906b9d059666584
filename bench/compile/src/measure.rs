//! Runs cargo on a generated crate, and measures.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

use crate::generate::{Kind, folder, package};

/// How a crate is compiled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// `cargo check`.
    Check,
    /// `cargo build --release`.
    Release,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Check, Self::Release];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Release => "release",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Check => &["check"],
            Self::Release => &["build", "--release"],
        }
    }
}

/// Which of the two profiles lines are counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    Dev,
    Release,
}

impl Profile {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub wall: Duration,
    /// User time of cargo, rustc and the linker, which other work on the machine disturbs less.
    pub user: Duration,
}

/// Compiles the dependencies of every crate, and the crates themselves once.
pub fn prepare(out: &Path, mode: Mode, packages: &[String]) -> Result<(), Box<dyn Error>> {
    let mut cargo = cargo(out);
    cargo.args(mode.arguments());
    for package in packages {
        cargo.args(["-p", package]);
    }
    run(cargo)
}

/// Compiles one crate anew.
pub fn time(out: &Path, mode: Mode, kind: Kind, size: usize) -> Result<Took, Box<dyn Error>> {
    let root = folder(out, kind, size).join(kind.root());
    fs::File::options().append(true).open(root)?.set_modified(SystemTime::now())?;
    let mut cargo = cargo(out);
    cargo.args(mode.arguments()).args(["-p", &package(kind, size)]);
    let (started, user_before) = (Instant::now(), user_time()?);
    run(cargo)?;
    Ok(Took { wall: started.elapsed(), user: user_time()? - user_before })
}

/// The lines of LLVM's language that rustc makes of one crate, before LLVM sees them: its instructions, as
/// `cargo llvm-lines` counts them.
pub fn lines(out: &Path, profile: Profile, kind: Kind, size: usize) -> Result<usize, Box<dyn Error>> {
    let package = package(kind, size);
    let target = out.join("target").join("lines");
    let deps = target.join(profile.folder()).join("deps");
    for old in texts(&deps, &package) {
        fs::remove_file(old)?;
    }
    // Cargo does not know that the text was removed.
    let root = folder(out, kind, size).join(kind.root());
    fs::File::options().append(true).open(root)?.set_modified(SystemTime::now())?;
    let mut cargo = cargo(out);
    cargo.args(["rustc", "-p", &package, "--profile", profile.name(), "--target-dir"]).arg(&target);
    cargo.args(["--", "--emit=llvm-ir", "-Cno-prepopulate-passes", "-Ccodegen-units=1"]);
    run(cargo)?;
    let texts = texts(&deps, &package);
    if texts.is_empty() {
        return Err(format!("rustc wrote no LLVM text for {package}").into());
    }
    let mut count = 0;
    for text in texts {
        count += fs::read_to_string(text)?.lines().filter(|line| is_instruction(line)).count();
    }
    Ok(count)
}

/// Instructions are indented by two spaces, and what goes on below them by more.
fn is_instruction(line: &str) -> bool {
    line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  ]")
}

fn texts(deps: &Path, package: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(deps) else { return vec![] };
    let of_package = |path: &PathBuf| {
        let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".ll"));
        stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(name, _)| name == package)
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(of_package).collect()
}

fn cargo(out: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(out).stdin(Stdio::null());
    // What is set where this runs is not to change what is measured.
    for name in
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_INCREMENTAL"]
    {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_BUILD_JOBS", "1").env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "true");
    cargo
}

fn run(mut cargo: Command) -> Result<(), Box<dyn Error>> {
    let output = cargo.output()?;
    if output.status.success() {
        return Ok(());
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(format!("failed: {cargo:?}").into())
}

fn user_time() -> Result<Duration, Box<dyn Error>> {
    let time: TimeVal = getrusage(UsageWho::RUSAGE_CHILDREN)?.user_time();
    let micros = u64::try_from(time.tv_sec())? * 1_000_000 + u64::try_from(time.tv_usec())?;
    Ok(Duration::from_micros(micros))
}
