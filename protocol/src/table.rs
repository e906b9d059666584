//! Tables and checks that the compiler works out for `protocol!`: numbers, hashes, and errors in words.

use crate::{
    info::{ActionInfo, Direction, ReplyInfo, Role},
    protocol::{FromClient, FromServer, Protocol},
    reply::Reply,
    words::{Words, before, same},
};

/// Describes packet `T` as clients of `Pr` send it.
#[must_use]
pub const fn from_client<Pr: Protocol, T: FromClient<Pr>>() -> ActionInfo {
    ActionInfo::of::<T>(Role::Client, <T::Reply as Reply>::INFO)
}

/// Describes packet `T` as servers of `Pr` send it.
#[must_use]
pub const fn from_server<Pr: Protocol, T: FromServer<Pr>>() -> ActionInfo {
    ActionInfo::of::<T>(Role::Server, <T::Reply as Reply>::INFO)
}

/// The number of packet `T` among what clients of `Pr` send.
#[must_use]
pub const fn client_id<Pr: Protocol, T: FromClient<Pr>>() -> u16 {
    T::ID
}

/// The number of packet `T` among what servers of `Pr` send.
#[must_use]
pub const fn server_id<Pr: Protocol, T: FromServer<Pr>>() -> u16 {
    T::ID
}

/// The actions sorted by name; their positions are the numbers on the wire.
#[must_use]
pub const fn sorted<const N: usize>(mut actions: [ActionInfo; N]) -> [ActionInfo; N] {
    // Heap sort: no recursion, no extra space, and fast enough for the compiler's interpreter with hundreds of actions.
    let mut start = N / 2;
    while start > 0 {
        start -= 1;
        sift(&mut actions, start, N);
    }
    let mut end = N;
    while end > 1 {
        end -= 1;
        let first = actions[0];
        actions[0] = actions[end];
        actions[end] = first;
        sift(&mut actions, 0, end);
    }
    actions
}

const fn sift(actions: &mut [ActionInfo], mut root: usize, end: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && before(actions[child].action, actions[child + 1].action) {
            child += 1;
        }
        if !before(actions[root].action, actions[child].action) {
            return;
        }
        let value = actions[root];
        actions[root] = actions[child];
        actions[child] = value;
        root = child;
    }
}

/// The number of `action`, which is one of `actions`.
///
/// # Panics
///
/// If there are more actions than numbers.
#[must_use]
pub const fn id(actions: &[ActionInfo], action: &str) -> u16 {
    let (mut low, mut high) = (0, actions.len());
    while low + 1 < high {
        let middle = low.midpoint(high);
        if before(action, actions[middle].action) {
            high = middle;
        } else {
            low = middle;
        }
    }
    assert!(low <= u16::MAX as usize, "a protocol has at most 65536 actions in a direction");
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    let id = low as u16;
    id
}

/// Refuses, while compiling, the `index`th packet of a list if one before it has the same action. `sorted` is the same list
/// by [`sorted`], in which equal actions stand side by side: so that a long list is not walked for each of its packets.
///
/// # Panics
///
/// If there is one; the compiler shows the text.
#[track_caller]
pub const fn distinct(protocol: &str, side: &str, actions: &[ActionInfo], sorted: &[ActionInfo], index: usize) {
    let this = &actions[index];
    let place = id(sorted, this.action) as usize;
    let is_first = place == 0 || !same(sorted[place - 1].action, this.action);
    let is_last = place + 1 == sorted.len() || !same(sorted[place + 1].action, this.action);
    if is_first && is_last {
        return;
    }
    let mut i = 0;
    while i < index {
        // check: same-action
        if same(actions[i].action, this.action) {
            let text = Words::new()
                .add("protocol `")
                .add(protocol)
                .add("`: ")
                .add(side)
                .add(" packets `")
                .add(actions[i].type_name)
                .add("` and `")
                .add(this.type_name)
                .add("` both have the action \"")
                .add(this.action)
                .add("\"");
            panic!("{}", text.get())
        }
        i += 1;
    }
}

/// Refuses, while compiling, a reply whose error has the same action.
///
/// # Panics
///
/// If it has; the compiler shows the text.
#[track_caller]
pub const fn reply_differs(protocol: &str, action: &ActionInfo) {
    if let ReplyInfo::Result(reply, error) | ReplyInfo::Stream { item: reply, error: Some(error) } = &action.reply {
        // check: reply-and-error
        if same(reply.action, error.action) {
            let text = Words::new()
                .add("protocol `")
                .add(protocol)
                .add("`: reply `")
                .add(reply.type_name)
                .add("` and error `")
                .add(error.type_name)
                .add("` of packet `")
                .add(action.type_name)
                .add("` both have the action \"")
                .add(reply.action)
                .add("\": give one of them another name");
            panic!("{}", text.get())
        }
    }
}

/// Whether two packets of a direction have the same action, which [`distinct`] reports.
#[must_use]
pub const fn has_doubles(direction: &Direction) -> bool {
    let mut i = 1;
    while i < direction.actions.len() {
        if same(direction.actions[i - 1].action, direction.actions[i].action) {
            return true;
        }
        i += 1;
    }
    false
}
