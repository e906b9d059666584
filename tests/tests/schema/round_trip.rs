//! What is read from a text is the protocol that was written.

use pnet::Protocol;
use pnet_protocol::{
    document,
    handshake::ShapePolicy,
    protocol::{ActionInfo, ProtocolInfo},
};

use crate::everything::Everything;

fn actions(info: &ProtocolInfo) -> impl Iterator<Item = &ActionInfo> {
    info.client.actions.iter().chain(info.server.actions)
}

fn check<P: Protocol>() {
    let text = P::schema();
    let read = document::read(&text).expect("it can be read");
    assert_eq!(document::write(read, ShapePolicy::Shapes), text);
    assert_eq!(format!("{read:?}"), format!("{:?}", P::INFO));
    let names = document::write(P::INFO, ShapePolicy::Names);
    let told = document::read(&names).expect("it can be read");
    assert_eq!(document::write(told, ShapePolicy::Names), names);
    assert_eq!(told.fingerprint, P::INFO.fingerprint);
    for (told, own) in actions(told).zip(actions(P::INFO)) {
        assert_eq!((told.action, told.type_name), (own.action, own.type_name));
    }
}

#[test]
fn protocols_come_back() {
    check::<Everything>();
    check::<chat_protocol::Chat>();
    check::<pnet_tests::talk::Talk>();
}
