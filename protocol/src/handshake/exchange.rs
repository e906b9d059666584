//! The bodies of OFFER and SHAPES, and how they become a report (`docs/wire.md` §6).
//!
//! Both lists are sorted by sender and action without repetition. So a long list of the same action cannot make the
//! reader look it up, and answer it, again and again.

use crate::info::{ActionInfo, ProtocolInfo, Role};
use crate::limits::{ACTION_LEN, REPORT_LEN};
use crate::text::{cut, escape};

use super::report::{Difference, MismatchReport, Shown};
use super::tlv::{self, Fields};
use super::{HandshakeError, ShapePolicy};

/// OFFER: every action of this side with its hash, as many as fit.
pub(super) fn offer(info: &ProtocolInfo) -> Vec<u8> {
    let mut body = Body::new();
    for (sender, action) in actions(info) {
        let value = [&[sender_byte(sender)], action.hash.to_le_bytes().as_slice(), action.action.as_bytes()].concat();
        body.put(tlv::ACTION, &value);
    }
    body.finish()
}

/// Compares an OFFER with what is here; gives the report so far and the SHAPES that answer it.
///
/// Only actions that the offer names are answered. What this side has beyond them goes into its own report; the other
/// side gets their number, and that only if it may see shapes.
pub(super) fn compare(
    info: &'static ProtocolInfo,
    policy: ShapePolicy,
    offer: &[u8],
) -> Result<(MismatchReport, Vec<u8>), HandshakeError> {
    let mut fields = Fields::new("OFFER", offer);
    let mut offered = Sorted::new();
    let mut report = MismatchReport::new(info.name);
    let mut budget = REPORT_LEN as usize;
    let mut body = Body::new();
    report.more = fields.once(tlv::MORE, tlv::u32)?.unwrap_or_default();
    while let Some((tag, value)) = fields.next()? {
        if tag != tlv::ACTION {
            continue;
        }
        let (sender, hash, action) = read_offered(value).ok_or_else(|| fields.malformed("an action cannot be read"))?;
        offered.push(&fields, sender, action)?;
        let own = find(info, sender, action);
        if own.is_some_and(|own| own.hash == hash) {
            continue;
        }
        let here = own.map_or(Shown::Unknown, |own| own_shape(own, &mut budget));
        body.put_shape(sender, action, own, policy);
        report.entries.push(Difference { sender, action: action.to_owned(), here, there: Shown::Named });
    }
    // Without the whole offer, nobody can say what is not in it.
    if report.more == 0 {
        let own: Vec<_> = actions(info).filter(|(sender, own)| !offered.contains(*sender, own.action)).collect();
        if policy == ShapePolicy::Shapes && !own.is_empty() {
            let others = u32::try_from(own.len()).unwrap_or(u32::MAX);
            body.others = Some(others);
        }
        report.entries.extend(own.into_iter().map(|(sender, own)| Difference {
            sender,
            action: own.action.to_owned(),
            here: own_shape(own, &mut budget),
            there: Shown::Unknown,
        }));
    }
    Ok((report, body.finish()))
}

/// Reads the server's SHAPES into a report, and gives the client's own SHAPES for the same actions.
pub(super) fn answer(
    info: &'static ProtocolInfo,
    policy: ShapePolicy,
    shapes: &[u8],
) -> Result<(MismatchReport, Vec<u8>), HandshakeError> {
    let mut report = MismatchReport::new(info.name);
    let mut budget = REPORT_LEN as usize;
    let mut own_budget = REPORT_LEN as usize;
    let mut body = Body::new();
    let rest = read_shapes(shapes, |fields, sender, action, there| {
        let own = find(info, sender, action).ok_or_else(|| fields.malformed("an action was not offered"))?;
        body.put_shape(sender, action, Some(own), policy);
        report.entries.push(Difference {
            sender,
            action: action.to_owned(),
            here: own_shape(own, &mut own_budget),
            there: there.to_shown(&mut budget),
        });
        Ok(())
    })?;
    (report.more, report.others) = rest;
    Ok((report, body.finish()))
}

/// Completes the server's report with the client's SHAPES. Actions that do not stand in the report are skipped.
pub(super) fn complete(report: &mut MismatchReport, shapes: &[u8]) -> Result<(), HandshakeError> {
    let mut budget = REPORT_LEN as usize;
    // The entries that the offer named come first, sorted; what follows is known here only.
    let offered = report.entries.partition_point(|entry| entry.there == Shown::Named);
    let entries = report.entries.get_mut(..offered).unwrap_or_default();
    read_shapes(shapes, |_, sender, action, there| {
        let wanted = (sender_byte(sender), action);
        let place = entries.binary_search_by(|entry| (sender_byte(entry.sender), entry.action.as_str()).cmp(&wanted));
        if let Some(entry) = place.ok().and_then(|place| entries.get_mut(place)) {
            entry.there = there.to_shown(&mut budget);
        }
        Ok(())
    })?;
    Ok(())
}

/// Reads SHAPES entry by entry, and gives the numbers of MORE and OTHERS.
fn read_shapes<'a>(
    shapes: &'a [u8],
    mut each: impl FnMut(&Fields<'a>, Role, &'a str, There<'a>) -> Result<(), HandshakeError>,
) -> Result<(u32, u32), HandshakeError> {
    let mut fields = Fields::new("SHAPES", shapes);
    let mut sorted = Sorted::new();
    let (more, others) = (fields.once(tlv::MORE, tlv::u32)?, fields.once(tlv::OTHERS, tlv::u32)?);
    while let Some((tag, value)) = fields.next()? {
        if tag == tlv::SHAPE {
            let (sender, action, there) =
                read_shape(value).ok_or_else(|| fields.malformed("an action cannot be read"))?;
            sorted.push(&fields, sender, action)?;
            each(&fields, sender, action, there)?;
        }
    }
    Ok((more.unwrap_or_default(), others.unwrap_or_default()))
}

/// How the other side says it has an action, still unescaped.
#[derive(Clone, Copy, Debug)]
enum There<'a> {
    Unknown,
    Named,
    Shape(&'a str),
}

impl There<'_> {
    fn to_shown(self, budget: &mut usize) -> Shown {
        match self {
            Self::Unknown => Shown::Unknown,
            Self::Named => Shown::Named,
            Self::Shape(text) => shape_within(escape(text, SHAPE_LEN), budget),
        }
    }
}

fn read_offered(value: &[u8]) -> Option<(Role, u64, &str)> {
    let (&[sender], rest) = value.split_first_chunk()?;
    let (hash, action) = rest.split_first_chunk()?;
    Some((sender_of(sender)?, u64::from_le_bytes(*hash), tlv::text(action, ACTION_LEN)?))
}

fn read_shape(value: &[u8]) -> Option<(Role, &str, There<'_>)> {
    let (&[sender, state, len], rest) = value.split_first_chunk()?;
    let (action, shape) = rest.split_at_checked(usize::from(len))?;
    let there = match state {
        STATE_UNKNOWN => There::Unknown,
        STATE_SHAPE => There::Shape(str::from_utf8(shape).ok()?),
        // What a later version may say is at least that it is not the same.
        _ => There::Named,
    };
    Some((sender_of(sender)?, tlv::text(action, ACTION_LEN)?, there))
}

/// Checks that a list is sorted without repetition, and remembers it.
struct Sorted<'a> {
    seen: Vec<(u8, &'a str)>,
}

impl<'a> Sorted<'a> {
    const fn new() -> Self {
        Self { seen: Vec::new() }
    }

    fn push(&mut self, fields: &Fields<'_>, sender: Role, action: &'a str) -> Result<(), HandshakeError> {
        let next = (sender_byte(sender), action);
        if self.seen.last().is_some_and(|last| *last >= next) {
            return Err(fields.malformed("its actions are not sorted"));
        }
        self.seen.push(next);
        Ok(())
    }

    fn contains(&self, sender: Role, action: &str) -> bool {
        self.seen.binary_search(&(sender_byte(sender), action)).is_ok()
    }
}

/// A body that stops taking entries before it would be longer than the other side takes.
struct Body {
    bytes: Vec<u8>,
    more: u32,
    others: Option<u32>,
}

impl Body {
    const fn new() -> Self {
        Self { bytes: Vec::new(), more: 0, others: None }
    }

    fn put(&mut self, tag: u8, value: &[u8]) {
        // Once something was left out everything is, or else MORE would not say where the list ends.
        if self.more > 0 || self.bytes.len() + tlv::OVERHEAD + value.len() > ENTRIES_LEN {
            self.more = self.more.saturating_add(1);
            return;
        }
        tlv::put(&mut self.bytes, tag, value);
    }

    fn put_shape(&mut self, sender: Role, action: &str, own: Option<&ActionInfo>, policy: ShapePolicy) {
        let (state, shape) = match own {
            None => (STATE_UNKNOWN, String::new()),
            Some(own) if policy == ShapePolicy::Shapes => (STATE_SHAPE, own.shape().to_string()),
            Some(_) => (STATE_DIFFERS, String::new()),
        };
        let action = cut(action, ACTION_LEN);
        let len = u8::try_from(action.len()).unwrap_or(u8::MAX);
        let value = [&[sender_byte(sender), state, len], action.as_bytes(), cut(&shape, SHAPE_LEN).as_bytes()].concat();
        self.put(tlv::SHAPE, &value);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.more > 0 {
            tlv::put(&mut self.bytes, tlv::MORE, &self.more.to_le_bytes());
        }
        if let Some(others) = self.others {
            tlv::put(&mut self.bytes, tlv::OTHERS, &others.to_le_bytes());
        }
        self.bytes
    }
}

/// All actions in the order of the lists: the client's, then the server's, each sorted by name.
fn actions(info: &ProtocolInfo) -> impl Iterator<Item = (Role, &'static ActionInfo)> {
    let client = info.client.actions.iter().map(|action| (Role::Client, action));
    client.chain(info.server.actions.iter().map(|action| (Role::Server, action)))
}

fn find(info: &ProtocolInfo, sender: Role, action: &str) -> Option<&'static ActionInfo> {
    let direction = match sender {
        Role::Client => &info.client,
        Role::Server => &info.server,
    };
    direction.get(direction.find(action)?)
}

/// This side's form of an action, for its own report.
fn own_shape(own: &ActionInfo, budget: &mut usize) -> Shown {
    let text = own.shape().to_string();
    shape_within(cut(&text, SHAPE_LEN).to_owned(), budget)
}

/// Keeps a shape as long as the report stays within what can be shown of it.
fn shape_within(text: String, budget: &mut usize) -> Shown {
    match budget.checked_sub(text.len()) {
        Some(left) => {
            *budget = left;
            Shown::Shape(text)
        }
        None => Shown::Named,
    }
}

const fn sender_byte(sender: Role) -> u8 {
    match sender {
        Role::Client => 0,
        Role::Server => 1,
    }
}

const fn sender_of(byte: u8) -> Option<Role> {
    match byte {
        0 => Some(Role::Client),
        1 => Some(Role::Server),
        _ => None,
    }
}

const STATE_UNKNOWN: u8 = 0;
const STATE_DIFFERS: u8 = 1;
const STATE_SHAPE: u8 = 2;

/// Most bytes of one shape, so that one giant cannot push all others out of the report.
const SHAPE_LEN: usize = 8 * 1024;

/// What the entries may take: the frame's limit without its kind, MORE and OTHERS.
const ENTRIES_LEN: usize = REPORT_LEN as usize - 1 - 2 * (tlv::OVERHEAD + 4);
