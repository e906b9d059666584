//! What the macros' output calls. Promised to nobody.

pub use pnet_protocol::{
    __private::{
        Coder, Decode, Decoder, Encode, Lendable, NotWritten, Serde, SerdeMissing, View, ViewCoder, action_of, field,
        is_serde, is_written, shows,
    },
    credentials::NoCredentials,
    failure::Failure,
    packet::{Codec, DecodeError, EncodeError, OwnedPacket, Packet, WhenFull},
    protocol::{
        ActionInfo, ClientSends, ClientSide, CredentialsOf, Direction, FromClient, FromServer, Incoming, Phase,
        Protocol, ProtocolInfo, ServerSends, ServerSide, Silent, Streams, With,
    },
    reply::{IntoAnswer, IntoReply, NoReply, Reply, StreamOf, Verdict},
    schema::{Field, Prim, Schema, Ty, Variant, codec},
    table::{client_id, distinct, from_client, from_server, id, reply_differs, server_id, sorted},
    unknown::Unknown,
};

pub use crate::{
    calls::stream::sender::{MadeOf, Nameless, NotSender, Sender},
    client::{Bare, Fallible},
    error::{Closed, Refused},
    inbox::{Asked, NotAnswered, Receive, Responder},
    service::{
        Connect, Disconnect, Route, Run, Service, Slot,
        authenticate::{
            Authenticate, Authenticates, Authenticating, ExtractFirst, FirstCx, IntoUser, LendFirst, Listed, Nobody,
            credentials, extract_first, user,
        },
        bounds::{Connects, HasClient, HasPeers, IsState, Knows, Serves, SpokenBy},
        context::slot::Kit,
        context::{Cx, User},
        extract::{Extract, FromMember, FromRun, FromState, FromUser, Lend, LendEarly, LendLate},
        handler::{
            Answer, Arg, Entry, EntryOf, Form, IntoEnd, IntoMember, MaybePacket, NONE, NotReceived, Probe, Received,
            SenderOf, Task, action_is, authenticate, authenticates, bound_once, codec_override, complete, connect,
            count, disconnect, end, entry, extract, fallback, finish, has_packet, is_handler, member, member_is_made,
            mode, one_packet, pick, routes, slot, takes_sender,
        },
    },
};

/// Whether calls are counted for those who look in: features are the same for all packages of a build, and tests of what things
/// cost have to know.
pub const INSPECTED: bool = cfg!(feature = "inspect");
