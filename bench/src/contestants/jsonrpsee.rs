//! jsonrpsee: JSON-RPC over WebSocket. Its subscriptions are its pushes and its streams.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use jsonrpsee::{
    RpcModule, SubscriptionMessage, SubscriptionSink,
    core::{
        client::{ClientT, Subscription, SubscriptionClientT},
        params::ArrayParams,
    },
    rpc_params,
    server::{ServerBuilder, ServerConfig},
    types::ErrorObjectOwned,
    ws_client::{WsClient, WsClientBuilder},
};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use tokio::{net::TcpListener, sync::Mutex};

use crate::{
    contestant::{Client, Contestant, ITEM_LEN, Meter, NOTE, Result},
    scenario::Kind,
};

/// See the module.
#[derive(Debug)]
pub struct JsonRpsee;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sum {
    sum: i64,
    note: String,
}

type Subscribers = Mutex<Vec<SubscriptionSink>>;

fn module() -> Result<RpcModule<Subscribers>> {
    let mut module = RpcModule::new(Subscribers::default());
    module.register_method("add", |params, _, _| {
        let (a, b, note): (i64, i64, String) = params.parse()?;
        Ok::<_, ErrorObjectOwned>(Sum { sum: a.wrapping_add(b), note })
    })?;
    module.register_subscription("subscribe", "event", "unsubscribe", |_, pending, subscribers, _| async move {
        subscribers.lock().await.push(pending.accept().await?);
        Ok(())
    })?;
    module.register_async_method("publish", |params, subscribers, _| async move {
        let events: u32 = params.one()?;
        let event = to_raw_value(NOTE).map_err(|error| ErrorObjectOwned::owned(1, error.to_string(), None::<()>))?;
        for _ in 0..events {
            for subscriber in subscribers.lock().await.iter() {
                // Somebody may have left.
                let _ = subscriber.send(SubscriptionMessage::from(event.clone())).await;
            }
        }
        Ok::<_, ErrorObjectOwned>(())
    })?;
    module.register_subscription("fetch", "item", "unfetch", |params, pending, _, _| async move {
        let items: u64 = params.one()?;
        let sink = pending.accept().await?;
        let item = to_raw_value(&"7".repeat(ITEM_LEN))?;
        for _ in 0..items {
            sink.send(SubscriptionMessage::from(item.clone())).await?;
        }
        Ok(())
    })?;
    Ok(module)
}

impl Contestant for JsonRpsee {
    const NAME: &'static str = "jsonrpsee";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::Connect, Kind::Broadcast, Kind::Stream];
    type Client = (Arc<WsClient>, Arc<AtomicU64>);

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        let config = ServerConfig::builder()
            .max_connections(20_000)
            .max_response_body_size(16 * 1024 * 1024)
            .max_request_body_size(16 * 1024 * 1024)
            .set_message_buffer_capacity(4096)
            .ws_only()
            .build();
        let server = ServerBuilder::with_config(config).build_from_tcp(listener.into_std()?)?;
        server.start(module()?).stopped().await;
        Ok(())
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Self::Client> {
        let client = WsClientBuilder::default()
            .max_concurrent_requests(4096)
            .max_buffer_capacity_per_subscription(8192)
            .max_request_size(16 * 1024 * 1024)
            .max_response_size(16 * 1024 * 1024)
            .build(format!("ws://{addr}"))
            .await?;
        Ok((Arc::new(client), events))
    }
}

impl Client for (Arc<WsClient>, Arc<AtomicU64>) {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let answer: Sum = self.0.request("add", rpc_params![a, b, note]).await?;
        if answer.note == note { Ok(answer.sum) } else { Err(format!("another note: {}", answer.note).into()) }
    }

    async fn subscribe(&self) -> Result<()> {
        let mut events: Subscription<String> = self.0.subscribe("subscribe", ArrayParams::new(), "unsubscribe").await?;
        let (count, client) = (Arc::clone(&self.1), Arc::clone(&self.0));
        tokio::spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                std::hint::black_box(event);
                count.fetch_add(1, Relaxed);
            }
            drop(client);
        });
        Ok(())
    }

    async fn publish(&self, events: u32) -> Result<()> {
        Ok(self.0.request("publish", rpc_params![events]).await?)
    }

    async fn stream(&self, items: u64) -> Result<u64> {
        let mut stream: Subscription<String> = self.0.subscribe("fetch", rpc_params![items], "unfetch").await?;
        let mut came = 0;
        while came < items {
            let item = stream.next().await.ok_or("the stream has ended early")??;
            came += u64::from(item.len() == ITEM_LEN);
        }
        Ok(came)
    }
}
