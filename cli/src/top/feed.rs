//! What comes from the console: samples, again and again, and what became of the lines that were sent. It attaches anew by
//! itself when the program was away.

use std::time::Duration;

use pnet::{
    console::attach::{AttachError, Operator, RunOptions, SampleQuery},
    inspect::Snapshot,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    model::{MOST_ROWS, Wish},
    text::plain,
};
use crate::{exit::Failure, target::Console};

/// What there is to tell the screen.
#[derive(Debug)]
pub(crate) enum News {
    Sample(Box<Snapshot>),
    /// The program cannot be seen: it has gone, or does not answer.
    Lost,
    /// The tool is attached again.
    Back,
    /// So many samples could not be taken in time.
    Late(u64),
    /// What a line has come to, in one line of printable ASCII.
    Said(String),
}

/// The other end of the feed's task. Dropped, it ends.
pub(crate) struct Feed {
    wish: watch::Sender<Wish>,
    lines: mpsc::Sender<String>,
    pub(crate) news: mpsc::Receiver<News>,
    task: JoinHandle<()>,
}

/// How long an answer may take before the program counts as lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest pause between two attempts to attach.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

impl Feed {
    /// Starts with an operator who is attached, and attaches to `console` later.
    pub(crate) fn start(operator: Operator, console: Console, every: Duration, wish: Wish) -> Self {
        let (wish, wishes) = watch::channel(wish);
        let (lines, orders) = mpsc::channel(4);
        let (told, news) = mpsc::channel(8);
        let task = Task { console, every, wishes, lines: orders, news: told };
        Self { wish, lines, news, task: tokio::spawn(task.run(operator)) }
    }

    /// Asks for something else from now on.
    pub(crate) fn wish(&self, wish: Wish) {
        self.wish.send_if_modified(|before| {
            let changed = *before != wish;
            *before = wish;
            changed
        });
    }

    /// Lets the console run a line. False if too many wait already.
    pub(crate) fn run(&self, line: String) -> bool {
        self.lines.try_send(line).is_ok()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The screen has gone.
struct Over;

struct Task {
    console: Console,
    every: Duration,
    wishes: watch::Receiver<Wish>,
    lines: mpsc::Receiver<String>,
    news: mpsc::Sender<News>,
}

impl Task {
    async fn run(mut self, operator: Operator) {
        let mut operator = operator;
        // Each turn is one attachment. An error ends all.
        while self.watch(&operator).await.is_ok() && self.tell(News::Lost).await.is_ok() {
            match self.attach_again().await {
                Ok(again) => operator = again,
                Err(Over) => break,
            }
            if self.tell(News::Back).await.is_err() {
                break;
            }
        }
    }

    async fn tell(&self, news: News) -> Result<(), Over> {
        self.news.send(news).await.map_err(|_| Over)
    }

    /// Takes samples until the attachment ends.
    async fn watch(&mut self, operator: &Operator) -> Result<(), Over> {
        let mut due = Instant::now();
        while !operator.is_closed() {
            let paused = self.wishes.borrow().paused;
            tokio::select! {
                () = sleep_until(due), if !paused => {
                    self.sample(operator).await?;
                    due += self.every;
                    let late = Instant::now().saturating_duration_since(due);
                    if late > self.every {
                        let lost = late.as_nanos() / self.every.as_nanos().max(1);
                        self.tell(News::Late(u64::try_from(lost).unwrap_or(u64::MAX))).await?;
                        due = Instant::now();
                    }
                }
                changed = self.wishes.changed() => {
                    changed.map_err(|_| Over)?;
                    due = due.min(Instant::now());
                }
                line = self.lines.recv() => {
                    let Some(line) = line else { return Err(Over) };
                    let said = run(operator, &line).await;
                    self.tell(News::Said(said)).await?;
                    // What it did is to be seen soon.
                    due = due.min(Instant::now());
                }
                _ = operator.closed() => break,
            }
        }
        Ok(())
    }

    async fn sample(&mut self, operator: &Operator) -> Result<(), Over> {
        let query = query(&self.wishes.borrow_and_update());
        let news = match timeout(PATIENCE.max(self.every), operator.sample(&query)).await {
            Ok(Ok(snapshot)) => News::Sample(Box::new(snapshot)),
            Ok(Err(AttachError::Closed(_) | AttachError::TimedOut { .. })) | Err(_) => News::Lost,
            Ok(Err(error)) => News::Said(plain(&error.to_string(), 200)),
        };
        self.tell(news).await
    }

    /// Attaches as soon as the program is there again.
    async fn attach_again(&mut self) -> Result<Operator, Over> {
        let mut pause = Duration::from_millis(250);
        loop {
            if let Ok(Ok(operator)) = timeout(PATIENCE, self.console.attach()).await {
                return Ok(operator);
            }
            // Lines that are written now are for a program that has gone.
            while self.lines.try_recv().is_ok() {
                self.tell(News::Said("not attached: nothing was done".to_owned())).await?;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.news.closed() => return Err(Over),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Lets the console run a line that was confirmed here.
async fn run(operator: &Operator, line: &str) -> String {
    let ran = timeout(PATIENCE * 2, operator.run(line, &RunOptions::default().confirmed(true))).await;
    let said = match ran {
        Ok(Ok(ran)) => ran.text.lines().collect::<Vec<_>>().join(" "),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{line}: no answer yet"),
    };
    plain(said.trim(), 200)
}

/// One sample without a screen.
pub(crate) async fn once(operator: &Operator, wish: &Wish) -> Result<Snapshot, Failure> {
    operator.sample(&query(wish)).await.map_err(Failure::from)
}

fn query(wish: &Wish) -> SampleQuery {
    SampleQuery::default().sort(wish.sort, wish.descending).filter(wish.filter.clone()).limit(MOST_ROWS as u64)
}
