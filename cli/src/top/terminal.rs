//! The terminal: taken for the whole screen, and given back exactly once, whatever ends the program.
//!
//! The library has such a pair of functions. They are not used: it restores what is restored already, which puts the prompt
//! over the text of a panic, and it does not show the cursor where the program leaves early. Here whoever comes first gives
//! the terminal back, be it the end of the command or a panic on any thread, and what is drawn after that is thrown away.

use std::{
    io::{self, Stdout, Write},
    panic,
    sync::{
        Mutex, Once, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor,
        event::{DisableBracketedPaste, EnableBracketedPaste},
        execute,
        style::ResetColor,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use tokio::sync::Notify;

/// Whether the terminal is taken.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Held while something is written to the terminal.
static WRITING: Mutex<()> = Mutex::new(());
/// A thread has panicked while the terminal was taken.
static BROKEN: Notify = Notify::const_new();
static HOOK: Once = Once::new();

/// The whole screen. Gives the terminal back when it is dropped.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Drawn>>,
}

impl Screen {
    /// Takes the terminal: raw mode, the other screen, no cursor.
    pub(crate) fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                // The text of the panic goes to the screen that stays.
                if give_back() {
                    BROKEN.notify_one();
                }
                before(info);
            }));
        });
        TAKEN.store(true, Ordering::SeqCst);
        let taken = (|| {
            enable_raw_mode()?;
            execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
            Terminal::new(CrosstermBackend::new(Drawn { stdout: io::stdout(), frame: Vec::new() }))
        })();
        match taken {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    pub(crate) const fn terminal(&mut self) -> &mut Terminal<impl ratatui::backend::Backend<Error = io::Error>> {
        &mut self.terminal
    }

    /// Waits until a panic on any thread has given the terminal back.
    pub(crate) async fn broken(&self) {
        BROKEN.notified().await;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, unless that is done already. Whether it was done now.
fn give_back() -> bool {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return false;
    }
    // Another thread may be in the middle of a frame. It is waited for, but not forever: a terminal that is stopped takes
    // nothing, and then the rest of its frame is the lesser evil.
    let mut writing = None;
    for _ in 0..50 {
        match WRITING.try_lock() {
            Ok(lock) => writing = Some(lock),
            Err(TryLockError::Poisoned(lock)) => writing = Some(lock.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
        }
        if writing.is_some() {
            break;
        }
    }
    // The terminal may be gone altogether. There is nobody to tell then.
    let _ = execute!(io::stdout(), ResetColor, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    drop(writing);
    true
}

/// Frames on their way to the terminal: each is written at once, and none once the terminal is given back.
struct Drawn {
    stdout: Stdout,
    frame: Vec<u8>,
}

impl Write for Drawn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = std::mem::take(&mut self.frame);
        if !TAKEN.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.stdout.write_all(&frame)?;
        self.stdout.flush()
    }
}
