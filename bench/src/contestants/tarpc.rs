//! tarpc over TCP, with bincode and with JSON.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
};

use bytes::Bytes;
use futures_util::{StreamExt, future};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tarpc::{
    client, context,
    server::{self, Channel},
    tokio_serde::formats,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::LengthDelimitedCodec;

use crate::{
    contestant::{Client, Contestant, Meter, Result},
    scenario::Kind,
};

/// With bincode.
#[derive(Debug)]
pub struct Bincode;

/// With JSON.
#[derive(Debug)]
pub struct Json;

#[derive(Debug, Serialize, Deserialize)]
pub struct Sum {
    sum: i64,
    note: String,
}

#[tarpc::service]
pub trait Bench {
    async fn add(a: i64, b: i64, note: String) -> Sum;
    async fn echo(data: ByteBuf) -> ByteBuf;
}

#[derive(Clone)]
struct Server;

impl Bench for Server {
    async fn add(self, _: context::Context, a: i64, b: i64, note: String) -> Sum {
        Sum { sum: a.wrapping_add(b), note }
    }

    async fn echo(self, _: context::Context, data: ByteBuf) -> ByteBuf {
        data
    }
}

/// How frames are cut: long ones are allowed.
fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(16 * 1024 * 1024).new_codec()
}

macro_rules! contestant {
    ($name:ident, $text:literal, $format:ident) => {
        impl Contestant for $name {
            const NAME: &'static str = $text;
            const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::Connect, Kind::Echo];
            type Client = BenchClient;

            async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
                loop {
                    let (stream, _) = listener.accept().await?;
                    stream.set_nodelay(true)?;
                    let framed = tokio_util::codec::Framed::new(stream, codec());
                    let transport = tarpc::serde_transport::new(framed, formats::$format::default());
                    let config = server::Config { pending_response_buffer: 1024 };
                    let channel = server::BaseChannel::new(config, transport);
                    tokio::spawn(channel.execute(Server.serve()).for_each(|answer| {
                        tokio::spawn(answer);
                        future::ready(())
                    }));
                }
            }

            async fn connect(addr: SocketAddr, _: Arc<AtomicU64>) -> Result<BenchClient> {
                let stream = TcpStream::connect(addr).await?;
                stream.set_nodelay(true)?;
                let framed = tokio_util::codec::Framed::new(stream, codec());
                let transport = tarpc::serde_transport::new(framed, formats::$format::default());
                let mut config = client::Config::default();
                config.max_in_flight_requests = 4096;
                config.pending_request_buffer = 4096;
                Ok(BenchClient::new(config, transport).spawn())
            }
        }
    };
}

contestant!(Bincode, "tarpc-bincode", Bincode);
contestant!(Json, "tarpc-json", Json);

impl Client for BenchClient {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let answer = Self::add(self, context::current(), a, b, note.to_owned()).await?;
        if answer.note == note { Ok(answer.sum) } else { Err(format!("another note: {}", answer.note).into()) }
    }

    async fn echo(&self, payload: Bytes) -> Result<usize> {
        Ok(Self::echo(self, context::current(), ByteBuf::from(payload.to_vec())).await?.len())
    }
}
