//! Private keys are in no error, whatever is done with them, and wherever they were put by mistake.

use std::{fs, path::PathBuf, sync::Arc};

use pnet::{Certificates, Client, Identity, transport::PeerAddr};

use super::{
    house::{self, House, HouseClient, Keep, Talk},
    tls::{AUTHORITY, key, watch_key},
    watch::{By, Watch},
};

/// A file that is gone when the test is over.
struct File(PathBuf);

impl File {
    fn new(content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pnet-canaries-{}", uuid::Uuid::new_v4()));
        fs::write(&path, content).expect("a file can be written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;

            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
        }
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(self.0.with_extension("lock"));
    }
}

#[tokio::test]
async fn private_keys_are_shown_nowhere() {
    let watch = Arc::new(Watch::new());
    let (server_key, client_key) = (key(), key());
    watch_key(&watch, "the server's key", &server_key);
    watch_key(&watch, "the client's key", &client_key);
    for (number, line) in AUTHORITY.key.lines().skip(1).take(2).enumerate() {
        watch.secret(format!("the certificate's key, line {number}"), line, &[]);
    }

    // Texts that are no keys, not whole, or of another kind.
    let lines: Vec<_> = client_key.lines().collect();
    let head = lines[..10].join("\n");
    for wrong in [
        head.clone(),
        lines[1..].join("\n"),
        client_key.replace('\n', " "),
        client_key.replace('\n', ""),
        client_key.replace("PRIVATE KEY", "RSA PRIVATE KEY"),
        client_key.replace("PRIVATE KEY", "CERTIFICATE"),
        client_key.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"),
        client_key.replace("-----END", "-----STOP"),
        client_key.replace(lines[8], "!"),
        client_key.replace(lines[8], lines[9]),
        client_key.replacen("KEY-----\n", "KEY----", 1),
        AUTHORITY.key.clone(),
    ] {
        watch.show_error(&Identity::from_pem(&wrong).expect_err("is no key"));
        let file = File::new(&wrong);
        watch.show_error(&Identity::load_or_create(&file.0).await.expect_err("is no key"));
    }
    for (chain, key) in [
        (&AUTHORITY.key, &AUTHORITY.key),
        (&client_key, &AUTHORITY.key),
        (&AUTHORITY.chain, &client_key),
        (&AUTHORITY.chain, &head),
    ] {
        watch.show_error(&Certificates::from_pem(chain, key).expect_err("do not belong together"));
    }

    let (server, client) = [&server_key, &client_key].map(|pem| Identity::from_pem(pem).expect("is a key")).into();
    let certificates = Certificates::from_pem(&AUTHORITY.chain, &AUTHORITY.key).expect("they are good");
    watch.show(&(&server, &client, &certificates));
    let house = Arc::new(House::default());
    let fingerprint = server.fingerprint();
    let builder = house::builder(&house).clients([client.fingerprint()]).identity(server.clone());
    watch.show(&builder);
    let server = builder.certificates(certificates).in_memory();

    // A key where something else is wanted.
    let file = File::new(&client_key);
    let connect = || pnet::connect(HouseClient, ()).credentials(&house::LETMEIN.to_owned()).identity(client.clone());
    let mut talked = 0;
    for (builder, works) in [
        (connect().pin(fingerprint), true),
        (connect().pin(client_key.as_str()), false),
        (connect().pin(lines[20]), false),
        (connect().known_hosts(&file.0), true),
        (connect().roots(&client_key), false),
        (connect().roots(&AUTHORITY.root).server_name(lines[20]), false),
        (pnet::connect(HouseClient, ()).pin(fingerprint), false),
        (pnet::connect(HouseClient, ()).pin(fingerprint).identity(Identity::from_pem(key()).expect("is a key")), false),
    ] {
        watch.show(&builder);
        let (io, _) = watch.record(server.connector().open().await.expect("opens"), By::Client);
        let connected: Result<Client<Talk>, _> = builder.over(io, PeerAddr::Other("localhost:1".to_owned())).await;
        assert_eq!(connected.is_ok(), works, "{connected:?}");
        match connected {
            Ok(client) => {
                client.call(Keep { text: String::new() }).await.map(drop).expect("is answered");
                let peer = server.hub().get(client.id()).expect("is there");
                watch.show(&(&client, &peer, client.key(), peer.key(), peer.info()));
                watch.reason(&*client.close().await);
                talked += 1;
            }
            Err(error) => watch.show_error(&error),
        }
    }
    assert_eq!(talked, 2);
    for file in [&head, &AUTHORITY.root] {
        let file = File::new(file);
        let identity = Identity::load_or_create(&file.0).await;
        watch.show_error(&identity.expect_err("is no key"));
    }
    watch.show(&(&server, server.handle(), server.hub()));
    watch.assert_kept();
    let (log, shown) = (watch.log(), watch.shown());
    assert!(log.contains("a known host cannot be read"), "the file of known hosts was read");
    for word in ["is no fingerprint", "no PEM", "is not whole", "is broken", "does not belong", "Identity"] {
        assert!(shown.contains(word), "{word} is not shown");
    }
}
