//! The chat's client: what it does with packets and with lines. `main.rs` gives it a terminal, the tests memory.

use std::{
    error::Error,
    fmt,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use chat_protocol::{
    Chat, Delivered, Joined, Left, Login, Notice, People, Renamed, Said, Say, Tell, Told, Welcome, Who, check_name,
    check_text, shown,
};
use pnet::{CallError, Client, action, actions};
use tokio::sync::mpsc;

actions! { pub client ChatUi(Screen) for Chat: joined, renamed, left, said, told, notice }

/// Where lines are shown. Clones show them in the same place.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<dyn Write + Send>>);

impl Screen {
    /// A screen on anything that can be written to.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(out)))
    }

    /// Shows a line. Others wrote parts of it, so no control character in it is passed on.
    fn show(&self, line: fmt::Arguments<'_>) {
        let line = shown(&line.to_string());
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nothing left to show it on if this fails.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Screen").finish()
    }
}

#[action("JOINED")]
fn joined(p: Joined, screen: &Screen) {
    screen.show(format_args!("* {} has come", p.name));
}

#[action("RENAMED")]
fn renamed(p: Renamed, screen: &Screen) {
    screen.show(format_args!("* {} is {} now", p.from, p.to));
}

#[action("LEFT")]
fn left(p: Left, screen: &Screen) {
    let how = if p.goodbye { "has gone" } else { "was cut off" };
    screen.show(format_args!("* {} {how}", p.name));
}

#[action("SAID")]
fn said(p: Said, screen: &Screen) {
    screen.show(format_args!("{}: {}", p.name, p.text));
}

#[action("TOLD")]
fn told(p: Told, screen: &Screen) {
    screen.show(format_args!("({} to you) {}", p.name, p.text));
}

#[action("NOTICE")]
fn notice(p: Notice, screen: &Screen) {
    screen.show(format_args!("* {}", p.text));
}

/// Takes a name.
///
/// # Errors
///
/// The name cannot be had, or the connection is gone.
pub async fn enter(chat: &Client<Chat>, screen: &Screen, name: String) -> Result<(), Box<dyn Error>> {
    check_name(&name).map_err(|why| why.to_string())?;
    match chat.call(Login { name }).await {
        Ok(Welcome { name, others }) if others.is_empty() => screen.show(format_args!("* you are {name}, alone")),
        Ok(Welcome { name, others }) => {
            screen.show(format_args!("* you are {name}, with {}", others.join(", ")));
        }
        Err(CallError::Declared(denied)) => return Err(denied.why.to_string().into()),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Does what the lines say until they end or say `/quit`; then says goodbye.
///
/// # Errors
///
/// The connection ended, and not by this side's wish.
pub async fn talk(
    chat: &Client<Chat>,
    screen: &Screen,
    mut lines: mpsc::Receiver<String>,
) -> Result<(), Box<dyn Error>> {
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            why = chat.closed() => return Err((*why).clone().into()),
        };
        match line.as_deref().map(str::trim) {
            None | Some("/quit") => {
                chat.close().await;
                return Ok(());
            }
            Some(line) => obey(chat, screen, line).await?,
        }
    }
}

async fn obey(chat: &Client<Chat>, screen: &Screen, line: &str) -> Result<(), Box<dyn Error>> {
    match line.split_once(char::is_whitespace).unwrap_or((line, "")) {
        ("", _) => {}
        ("/who", _) => {
            let People { names } = chat.call(Who {}).await?;
            screen.show(format_args!("* here: {}", names.join(", ")));
        }
        ("/msg", rest) => match rest.trim_start().split_once(char::is_whitespace) {
            Some((to, text)) => tell(chat, screen, to, text.trim_start()).await?,
            None => screen.show(format_args!("* like this: /msg NAME text")),
        },
        (word, _) if word.starts_with('/') => {
            screen.show(format_args!("* there is no {word}, but /msg NAME text, /who and /quit"));
        }
        _ => match check_text(line) {
            Ok(()) => chat.send(Say { text: line.into() }).await?,
            Err(why) => screen.show(format_args!("* not sent: {why}")),
        },
    }
    Ok(())
}

async fn tell(chat: &Client<Chat>, screen: &Screen, to: &str, text: &str) -> Result<(), Box<dyn Error>> {
    match chat.call(Tell { to: to.to_owned(), text: text.to_owned() }).await {
        Ok(Delivered { to }) => screen.show(format_args!("(to {to}) {text}")),
        Err(CallError::Declared(refused)) => screen.show(format_args!("* not delivered: {}", refused.why)),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
