//! Who waits for the same thing.

/// Those who wait, each with a ticket. A `W` is kept and handed back, never called.
///
/// ```
/// use pnet_protocol::connection::Waiters;
///
/// let (mut waiters, mut woken, mut ticket) = (Waiters::new(), Vec::new(), None);
/// waiters.wait(&mut ticket, &"first");
/// waiters.wait(&mut ticket, &"the same, elsewhere");
/// waiters.wake(&mut woken);
/// assert_eq!(woken, ["the same, elsewhere"]);
/// ```
#[derive(Debug)]
pub struct Waiters<W> {
    /// The last ticket.
    last: u64,
    waiting: Vec<(u64, W)>,
}

impl<W> Waiters<W> {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self { last: 0, waiting: Vec::new() }
    }

    /// Whether nobody waits.
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// `who` waits from now on. The ticket is given at the first time, and kept until whoever has it does not wait any more.
    pub fn wait(&mut self, ticket: &mut Option<u64>, who: &W)
    where
        W: Clone,
    {
        let ticket = *ticket.get_or_insert_with(|| {
            self.last += 1;
            self.last
        });
        match self.waiting.iter_mut().find(|(known, _)| *known == ticket) {
            Some((_, known)) => known.clone_from(who),
            None => self.waiting.push((ticket, who.clone())),
        }
    }

    /// Whoever has this ticket does not wait any more.
    pub fn leave(&mut self, ticket: u64) {
        self.waiting.retain(|(known, _)| *known != ticket);
    }

    /// Hands all of them back, to be woken.
    pub fn wake(&mut self, woken: &mut impl Extend<W>) {
        woken.extend(self.waiting.drain(..).map(|(_, who)| who));
    }
}

impl<W> Default for Waiters<W> {
    fn default() -> Self {
        Self::new()
    }
}
