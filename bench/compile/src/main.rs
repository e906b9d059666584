//! What protocols cost the compiler. See `README.md`.

mod generate;
mod measure;
mod report;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use self::{
    generate::{Kind, package, workspace},
    measure::{Mode, Profile, lines, prepare, time},
    report::{Counted, Timed, csv, markdown},
};

const USAGE: &str = "\
usage: pnet-bench-compile [time] [--sizes 10,100,500] [--rounds 5] [--out FOLDER]   measure times and lines
       pnet-bench-compile lines [--sizes 10,100,500] [--out FOLDER]                 count lines only
       pnet-bench-compile bounds [--out FOLDER]                                     fail if there are too many lines";

struct Options {
    sizes: Vec<usize>,
    rounds: usize,
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).ok_or("the package is two folders below the root of the repository")?;
    let mut options = Options { sizes: vec![10, 100, 500], rounds: 5, out: here.join("target").join("crates") };
    let mut arguments = std::env::args().skip(1).peekable();
    let command = arguments.next_if(|argument| !argument.starts_with("--")).unwrap_or_else(|| "time".to_owned());
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match &argument[..] {
            "--sizes" => options.sizes = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--rounds" => options.rounds = value.parse()?,
            "--out" => options.out = std::path::absolute(value)?,
            _ => return Err(USAGE.into()),
        }
    }
    match &command[..] {
        "time" => measure_all(root, &options, true),
        "lines" => measure_all(root, &options, false),
        "bounds" => bounds(root, &options),
        _ => Err(USAGE.into()),
    }
}

fn measure_all(root: &Path, options: &Options, with_times: bool) -> Result<(), Box<dyn Error>> {
    let Options { sizes, rounds, out } = options;
    workspace(out, root, sizes)?;
    let mut timed = vec![];
    if with_times {
        timed = times(out, sizes, *rounds)?;
        println!("{}", markdown(sizes, &timed, &[]));
    }
    let mut counted = vec![];
    for profile in [Profile::Dev, Profile::Release] {
        for &size in sizes {
            for kind in Kind::ALL {
                counted.push(Counted { kind, size, profile, lines: lines(out, profile, kind, size)? });
            }
        }
    }
    let (table, values) = (markdown(sizes, &timed, &counted), csv(&timed, &counted));
    println!("{table}");
    let (table_file, values_file) = (out.join("compile.md"), out.join("compile.csv"));
    fs::write(&table_file, table)?;
    fs::write(&values_file, values)?;
    eprintln!("written to {} and {}", table_file.display(), values_file.display());
    Ok(())
}

fn times(out: &Path, sizes: &[usize], rounds: usize) -> Result<Vec<Timed>, Box<dyn Error>> {
    let packages: Vec<_> = sizes.iter().flat_map(|&size| Kind::ALL.map(|kind| package(kind, size))).collect();
    let mut timed = vec![];
    for mode in Mode::ALL {
        eprintln!("{}: dependencies", mode.name());
        prepare(out, mode, &packages)?;
        for &size in sizes {
            timed.extend(Kind::ALL.map(|kind| Timed { kind, size, mode, runs: vec![] }));
        }
    }
    // Round after round, so that a machine that is slower for a while is so for all.
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for Timed { kind, size, mode, runs } in &mut timed {
            runs.push(time(out, *mode, *kind, *size)?);
        }
    }
    Ok(timed)
}

/// What no clock decides. The bounds are a little above the lines of today; they are to fall with them.
fn bounds(root: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    /// With 100 packets, and what each packet adds beyond 20.
    const BOUNDS: [(Kind, usize, usize); 2] = [(Kind::Protocol, 410_000, 4_000), (Kind::Server, 58_500, 320)];
    let out = &options.out;
    workspace(out, root, &[20, 100])?;
    let mut failed = false;
    for (kind, bound, bound_each) in BOUNDS {
        let (of_20, of_100) = (lines(out, Profile::Dev, kind, 20)?, lines(out, Profile::Dev, kind, 100)?);
        let (name, each) = (kind.name(), of_100.saturating_sub(of_20) / 80);
        println!("{name}: {of_20} lines with 20 packets, {of_100} with 100 (at most {bound})");
        println!("{name}: {each} lines for each packet (at most {bound_each})");
        failed |= of_100 > bound || each > bound_each;
    }
    if failed { Err("too many lines".into()) } else { Ok(()) }
}
