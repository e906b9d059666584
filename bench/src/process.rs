//! Processes: their CPU time, memory, cores and limits, and how the orchestrator runs a server and a client.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::Pid,
};

use crate::{contestant::Result, keys::Folder};

/// CPU time that all threads of a process have used. `pid` is a number, or `self`.
pub fn cpu_nanos(pid: &str) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end meanwhile.
        let Ok(stat) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        sum += stat.split_whitespace().next().ok_or("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// Bytes of a process that are in memory.
pub fn resident(pid: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Keeps this process on one core.
pub fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

/// As many files as the system lets this process have.
pub fn raise_files() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// A server or a client.
#[derive(Debug)]
pub struct Process {
    child: Arc<Mutex<Child>>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// As long as this is there, somebody sees to it that it does not take too long.
    _watched: mpsc::Sender<()>,
}

impl Process {
    /// Runs this very program with other arguments.
    pub fn start(args: &[String], keys: &Folder) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let (name, value) = keys.variable();
        let mut child = command.args(args).env(name, value).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let (child, (watched, end)) = (Arc::new(Mutex::new(child)), mpsc::channel());
        let watch = Arc::clone(&child);
        thread::spawn(move || {
            if end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // Whoever reads its output learns that it has gone.
                let _ = lock(&watch).kill();
            }
        });
        Ok(Self { child, input, output, _watched: watched })
    }

    /// Its number, as a text.
    pub fn pid(&self) -> String {
        lock(&self.child).id().to_string()
    }

    /// The next line that it writes.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the process has ended".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Asks a question, and waits for the answer.
    pub fn ask(&mut self, question: &str) -> Result<String> {
        writeln!(self.input, "{question}")?;
        self.input.flush()?;
        self.line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let mut child = lock(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No run takes longer.
const PATIENCE: Duration = Duration::from_secs(90);
