//! pnet beside hand-written sockets and its peers. `bench/README.md` says what is measured and how.

mod claims;
mod client;
mod contestant;
mod contestants;
mod figures;
mod keys;
mod options;
mod process;
mod report;
mod rounds;
mod scenario;
mod server;
mod stats;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use tokio::runtime::{self, Builder};

use crate::{
    claims::Validity,
    contestant::Result,
    figures::Figures,
    keys::Folder,
    options::Options,
    rounds::{Plan, Runtime},
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("server") => serve(&args),
        Some("client") => play(&args),
        _ => bench(&args),
    };
    done.unwrap_or_else(|error| {
        // A child says it where its parent reads.
        if matches!(args.first().map(String::as_str), Some("server" | "client")) {
            println!("{error}");
        }
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// Runs everything, and reports.
fn bench(args: &[String]) -> Result<ExitCode> {
    let options = Options::read(args)?;
    let Options { plan, folder } = &options;
    let keys = Folder::new()?;
    let (runs, failures) = rounds::play(plan, &keys);
    drop(keys);
    let figures = Figures::of(&runs);
    let mut head = head(plan, args)?;
    for failure in &failures {
        head.push_str(&format!("\n**{failure}**\n"));
    }
    println!("{}", report::write(folder, &runs, &head)?);
    println!("written to {}", folder.display());
    let mut code = ExitCode::SUCCESS;
    if !failures.is_empty() {
        eprintln!("{} runs failed", failures.len());
        code = ExitCode::FAILURE;
    }
    match claims::validity(&runs, &figures) {
        Validity::Valid => {}
        Validity::Void(why) => {
            eprintln!("this run is void: {why}");
            code = ExitCode::FAILURE;
        }
        Validity::Unknown(lacking) => println!("whether raw is a limit was not checked, for want of {lacking}"),
    }
    Ok(code)
}

/// When, where and how this was measured.
fn head(plan: &Plan, args: &[String]) -> Result<String> {
    let output = |command: &str, args: &[&str]| -> Result<String> {
        let output = std::process::Command::new(command).args(args).output()?.stdout;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    Ok(format!(
        "Measured {} on {} × {}, Linux {}, {}: `cargo run --release --manifest-path bench/Cargo.toml{}`, {} rounds of {} ms.\n",
        output("date", &["+%Y-%m-%d"])?,
        std::thread::available_parallelism()?,
        cpu.trim_start_matches(['\t', ' ', ':']),
        output("uname", &["-r"])?,
        output("rustc", &["--version"])?,
        if args.is_empty() { String::new() } else { format!(" -- {}", args.join(" ")) },
        plan.rounds,
        plan.window.as_millis(),
    ))
}

/// `server CONTESTANT RUNTIME CORE`
fn serve(args: &[String]) -> Result<ExitCode> {
    let [_, contestant, runtime, core] = args else { return Err("server CONTESTANT RUNTIME CORE".into()) };
    let entry = contestants::named(contestant).ok_or("no such contestant")?;
    run_on(runtime, core)?.block_on(server::serve(entry))?;
    Ok(ExitCode::SUCCESS)
}

/// `client CONTESTANT RUNTIME CORE SCENARIO ADDRESS MILLISECONDS`
fn play(args: &[String]) -> Result<ExitCode> {
    let [_, contestant, runtime, core, scenario, addr, millis] = args else {
        return Err("client CONTESTANT RUNTIME CORE SCENARIO ADDRESS MILLISECONDS".into());
    };
    let entry = contestants::named(contestant).ok_or("no such contestant")?;
    let scenario = scenario::named(scenario).ok_or("no such scenario")?;
    let addr: SocketAddr = addr.parse()?;
    let outcome = run_on(runtime, core)?.block_on(async {
        tokio::spawn((entry.play)(scenario, addr, Duration::from_millis(millis.parse()?))).await?
    })?;
    println!("{}", serde_json::to_string(&outcome)?);
    // Whatever still runs need not end well.
    std::process::exit(0);
}

fn run_on(runtime: &str, core: &str) -> Result<runtime::Runtime> {
    process::raise_files()?;
    if core != "any" {
        process::pin(core.parse()?)?;
    }
    let mut builder = match Runtime::named(runtime).ok_or("no such runtime")? {
        Runtime::Current => Builder::new_current_thread(),
        Runtime::Multi => Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(2).enable_all().build()?)
}
