//! The loop: keys, samples and signals go into the model, and the model onto the screen, at most ten times a second.

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::crossterm::event::{self, Event, KeyEvent};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::sleep_until,
};

use super::{
    feed::{Feed, News},
    keys::{self, Act},
    model::Model,
    terminal::Screen,
    theme::Theme,
    view,
};
use crate::exit::{Exit, Failure};

/// The pause between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// The clock and the age of a loss go on, even if nothing else happens.
const IDLE: Duration = Duration::from_secs(1);

/// Shows the model until the user quits, or something else ends it.
pub(crate) async fn run(mut model: Model, mut feed: Feed, theme: Theme) -> Result<Exit, Failure> {
    let signals = |kind| signal(kind).map_err(|error| failed("cannot wait for signals", &error));
    let mut terminate = signals(SignalKind::terminate())?;
    let mut hang_up = signals(SignalKind::hangup())?;
    let mut interrupt = signals(SignalKind::interrupt())?;
    let mut screen = Screen::take().map_err(|error| failed("cannot take the terminal", &error))?;
    let mut input = read_input();
    let mut drawn = None;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            biased;
            // The text of the panic says why.
            () = screen.broken() => return Ok(Exit::REFUSED),
            _ = terminate.recv() => return Ok(Exit::TERMINATED),
            _ = hang_up.recv() => return Ok(Exit::HUNG_UP),
            _ = interrupt.recv() => return Ok(Exit::INTERRUPTED),
            () = sleep_until(due.into()) => {
                let now = Instant::now();
                screen
                    .terminal()
                    .draw(|frame| view::draw(frame, &mut model, theme, now))
                    .map_err(|error| failed("cannot draw", &error))?;
                drawn = Some(now);
                due = now + IDLE;
                continue;
            }
            event = input.recv() => match event {
                Some(Event::Key(key)) => {
                    if let Some(exit) = pressed(key, &mut model, &feed) {
                        return Ok(exit);
                    }
                }
                Some(Event::Paste(text)) => keys::paste(&mut model, &text),
                Some(_) => {}
                // The terminal has gone.
                None => return Ok(Exit::DONE),
            },
            news = feed.news.recv() => match news {
                Some(News::Sample(snapshot)) if !model.paused => model.apply(&snapshot, Instant::now()),
                Some(News::Sample(_)) => {}
                Some(News::Back) => model.regain(Instant::now()),
                Some(News::Lost) => model.lose(Instant::now()),
                Some(News::Late(samples)) => model.lost_samples = model.lost_samples.saturating_add(samples),
                Some(News::Said(said)) => model.say(said, Instant::now()),
                None => return Err(Failure::refused("nothing comes from the console any more")),
            },
        }
        feed.wish(model.wish());
        // The first change is drawn at once, what follows in a heap later together.
        due = due.min(drawn.map_or_else(Instant::now, |drawn: Instant| drawn + FRAME));
    }
}

/// Takes in a key. How the program ends, if the key ends it.
fn pressed(key: KeyEvent, model: &mut Model, feed: &Feed) -> Option<Exit> {
    match keys::press(model, key, Instant::now())? {
        Act::Quit => return Some(Exit::DONE),
        Act::Interrupt => return Some(Exit::INTERRUPTED),
        Act::Run(line) => {
            if !feed.run(line) {
                model.say("too much is going on: nothing was done".to_owned(), Instant::now());
            }
        }
    }
    None
}

/// The keys, from a thread of their own: the library's own stream spins when the terminal is gone.
fn read_input() -> mpsc::Receiver<Event> {
    let (events, input) = mpsc::channel(64);
    std::thread::spawn(move || {
        while !events.is_closed() {
            match event::poll(Duration::from_millis(250)) {
                Ok(true) => match event::read() {
                    Ok(event) => {
                        if events.blocking_send(event).is_err() {
                            break;
                        }
                    }
                    Err(_) => break,
                },
                Ok(false) => {}
                Err(_) => break,
            }
        }
    });
    input
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::refused(format_args!("{what}: {error}"))
}
